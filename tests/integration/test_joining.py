"""Joining over TLS with the server's own CA: who is trusted, and what leaves the box before that."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask, Response, request

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.join_agent import make_join_code
from common.join_link import JoinLink
from common.pairing import pem_of
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import Identity, load_identity
from edge_agent.join import join
from edge_agent.knocking import Screen, knock
from edge_agent.preflight import JoinError
from tests.agent_world import an_agent_world
from tests.tls_world import CA, DAY, a_ca, serving_tls
from tests.web_world import WebWorld, a_web_world, post

SECRETS = ("code", "token_sha256", "broker_password", "manifest_key")


@dataclass
class TLSWorld:
    """A web server with a certificate of its company's own CA, and a site `plant`."""

    web: WebWorld
    ca: CA
    url: str

    def code(self, **more: str) -> str:
        key = self.web.app.extensions["hadir"].config.secret_key
        with UnitOfWork(self.web.engine) as work:
            now = datetime.now(UTC)
            return make_join_code(work, "plant", by="admin", secret_key=key, now=now, **more)

    def link(self) -> JoinLink:
        return self.ca.link(self.url, self.code())

    def join(self, home: Path, link: JoinLink | None = None) -> Identity:
        return join(link or self.link(), home / "identity.json", name="Gate box")

    def agents(self) -> list[models.Agent]:
        return self.web.rows(models.Agent)


@pytest.fixture
def world(engine, tmp_path) -> Iterator[TLSWorld]:
    ca = a_ca(tmp_path / "ca")
    web = a_web_world(engine, tmp_path / "server", HADIR_WEB_CA_FILE=str(ca.file))
    with UnitOfWork(engine) as work:
        work.session.add(models.Site(site_id="plant", name="Plant One", timezone="Asia/Jakarta"))
    with serving_tls(web.app, ca.server()) as url:
        yield TLSWorld(web, ca, url)


@dataclass
class Middleman:
    """Somebody in between with a certificate of his own, who passes on what suits him and hears the rest."""

    heard: list[str] = field(default_factory=list)
    ca_pem: str = ""
    server: CentralAPI | None = None

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.route("/<path:path>", methods=["GET", "POST"])
        def anything(path: str) -> object:
            self.heard.append(request.get_data(as_text=True) + str(request.headers.get("Authorization", "")))
            if path == "agent/v1/ca":
                return Response(self.ca_pem, mimetype="application/x-pem-file")
            if path == "agent/v1/knock" and self.server:
                return self.server.knock(request.get_json())
            if path == "agent/v1/knock/state":
                return {"state": "approved"}
            return {}

        return app


def test_a_box_joins_over_the_servers_own_ca(world, tmp_path):
    """The CA that the link's hash names is kept, and is what every later request trusts."""
    identity = world.join(tmp_path / "box")

    assert identity.server_ca_pem == pem_of(world.ca.der)
    assert load_identity(tmp_path / "box" / "identity.json") == identity
    assert CentralAPI.of(identity).manifest().gallery_gen == 0
    with pytest.raises(CentralError, match="certificate is not trusted"):
        CentralAPI(identity.server_url, identity.token).manifest()


def test_the_own_ca_is_trusted_alone(world, tmp_path, monkeypatch):
    """Neither the environment nor another certificate in the answer adds anybody to it."""
    identity = world.join(tmp_path / "box")
    other = a_ca(tmp_path / "other", "Other CA")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.file))
    monkeypatch.setenv("SSL_CERT_FILE", str(other.file))
    with serving_tls(world.web.app, other.server()) as url:
        elsewhere = replace(identity, server_url=url)
        with pytest.raises(CentralError, match="certificate is not trusted"):
            CentralAPI.of(elsewhere).manifest()


def test_the_own_ca_does_not_excuse_another_name(world, ca_of_another_name):
    """A certificate of the right CA for another host is refused by every request as well."""
    with pytest.raises(CentralError, match="certificate is not trusted"):
        CentralAPI(ca_of_another_name, "token", ca_pem=world.ca.pem).manifest()


@pytest.fixture
def ca_of_another_name(world) -> Iterator[str]:
    with serving_tls(world.web.app, world.ca.server("hadir.example.com")) as url:
        yield url


@pytest.mark.parametrize("shows", ["his own CA", "the real CA", "both"])
def test_somebody_in_between_hears_nothing(world, tmp_path, shows):
    """Whatever CA he shows, the box stops before the code or a secret leaves it."""
    his = a_ca(tmp_path / "his", "His CA")
    pem = {"his own CA": his.pem, "the real CA": world.ca.pem, "both": world.ca.pem + his.pem}[shows]
    middleman = Middleman(ca_pem=pem)
    link = world.link()
    with (
        serving_tls(middleman.app(), his.server()) as url,
        pytest.raises(JoinError, match=r"in between.*[Nn]othing was sent"),
    ):
        world.join(tmp_path / "box", replace(link, server_url=url))

    assert link.code not in "".join(middleman.heard)
    assert not any(middleman.heard), "no request carried anything"
    assert not world.agents()
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({"begins": -30 * DAY, "ends": -2 * DAY}, r"expired on \d{4}-.*this box's clock says"),
        ({"begins": 2 * DAY, "ends": 30 * DAY}, r"is valid from \d{4}-.*set the clock"),
        ({"names": ("hadir.example.com",)}, r"made for hadir\.example\.com, not for 127\.0\.0\.1"),
    ],
)
def test_a_bad_certificate_is_told_by_its_cause(engine, tmp_path, certificate, words):
    """Expired, not yet valid, of another name: each says what to do, and nothing is sent."""
    ca = a_ca(tmp_path / "ca")
    web = a_web_world(engine, tmp_path / "server", HADIR_WEB_CA_FILE=str(ca.file))
    names = certificate.pop("names", ())
    with (
        serving_tls(web.app, ca.server(*names, **certificate)) as url,
        pytest.raises(JoinError, match=f"{words}.*Nothing was sent"),
    ):
        join(ca.link(url, "7K3M-9QXB"), tmp_path / "box" / "identity.json", name="x")
    assert not (tmp_path / "box").exists()


def test_without_the_hash_a_private_ca_is_told_of(world, tmp_path):
    """A link that lost what stands behind its '#' says so, instead of "certificate verify failed"."""
    with pytest.raises(JoinError, match=r"signed by 'Plant CA'.*the whole link.*'#'"):
        world.join(tmp_path / "box", replace(world.link(), ca_hash=""))


def test_a_box_whose_clock_is_of_1970_is_told_to_set_it(world, tmp_path):
    """Without a battery the certificate seems to lie in the future: the clock is blamed, not the server."""
    link = world.link()
    with (
        time_machine.travel(datetime(1970, 1, 1, 0, 2, tzinfo=UTC)),
        pytest.raises(JoinError, match=r"clock says 1970-01-01.*set the clock"),
    ):
        world.join(tmp_path / "box", link)
    assert world.join(tmp_path / "box", link).agent_id == "gate-box"


def test_plain_http_is_for_loopback(tmp_path):
    """To another machine the code would go in the clear: refused before anything is asked."""
    link = JoinLink("http://192.0.2.1:9", "7K3M-9QXB")
    with pytest.raises(JoinError, match=r"begins with http://.*--insecure-http"):
        join(link, tmp_path / "box" / "identity.json", name="x")


def test_the_name_that_the_admin_gave_wins(world, tmp_path):
    """A box is called what the administrator called it, whatever its host name is."""
    link = world.ca.link(world.url, world.code(agent_name="Lobby"))
    assert world.join(tmp_path / "box", link).agent_id == "lobby"
    assert [each.name for each in world.agents()] == ["Lobby"]


def test_a_second_agent_on_a_box_is_another_one(world, tmp_path):
    """Another home is another agent; the same home is the same agent again, with new secrets."""
    first = world.join(tmp_path / "one")
    second = world.join(tmp_path / "two")
    again = world.join(tmp_path / "one")

    assert len({first.agent_id, second.agent_id}) == 2
    assert again.agent_id == first.agent_id
    assert again.token != first.token
    assert CentralAPI.of(second).manifest() and CentralAPI.of(again).manifest()
    with pytest.raises(CentralError, match="join again"):
        CentralAPI.of(first).manifest()


def test_guessing_codes_is_slow_also_behind_a_forged_address(world, tmp_path):
    """After a few wrong codes nobody of that address gets a further try, whatever header he sends."""
    offer = dict.fromkeys(("token_sha256", "broker_password", "manifest_key"), "5a" * 32)
    client = world.web.stranger()
    answers = []
    for number in range(8):
        headers = {"X-Forwarded-For": f"198.51.100.{number}"}
        wrong = {"code": f"0000-000{number}", "hardware_id": "h", **offer}
        answers.append(client.post("/agent/v1/join", json=wrong, headers=headers).status_code)
    assert answers == [403] * 5 + [429] * 3
    with pytest.raises(JoinError, match="Too many tries"):
        world.join(tmp_path / "box")


@pytest.mark.parametrize(
    ("peer", "settings", "sees"),
    [
        ("127.0.0.1", {}, "198.51.100.9"),
        ("10.0.0.7", {}, "10.0.0.7"),
        ("10.0.0.7", {"HADIR_TRUSTED_PROXIES": "10.0.0.0/24"}, "198.51.100.9"),
    ],
)
def test_only_a_trusted_proxy_is_believed(engine, tmp_path, peer, settings, sees):
    """The address of a client is what a known proxy says last, never what the client itself wrote."""
    web = a_web_world(engine, tmp_path, HADIR_BASE_URL="https://hadir.example", **settings)
    body = dict.fromkeys(("token_sha256", "promise", "nonce"), "5a" * 32) | {"hardware_id": "h", "name": "n"}
    said = {"X-Forwarded-For": "192.0.2.66, 198.51.100.9"}
    reply = web.stranger().post(
        "/agent/v1/knock", json=body, headers=said, environ_overrides={"REMOTE_ADDR": peer}
    )
    assert reply.status_code == 200
    assert [each.address for each in web.rows(models.JoinRequest)] == [sees]


# -- knocking ------------------------------------------------------------------------------------------------


class Admin:
    """Somebody at the dashboard, who acts as soon as the box shows its code."""

    def __init__(self, web: WebWorld, *, approves: bool = True, confirmed: bool = True) -> None:
        self.web, self.approves, self.confirmed = web, approves, confirmed
        self.codes: list[str] = []
        self.asked: list[str] = []

    def screen(self, *, at_the_box: bool = True) -> Screen:
        return Screen(self._sees, self._confirms if at_the_box else None)

    def _sees(self, code: str) -> None:
        self.codes.append(code)
        client = self.web.client("admin")
        (row,) = [each for each in self.web.rows(models.JoinRequest) if each.state == "open"]
        self.page = client.get("/cameras/").text
        action = "approve" if self.approves else "refuse"
        form = {"site_id": "plant", "agent_name": "Gate", "same": "y"}
        post(client, f"/cameras/knocks/{row.request_id}/{action}", form)

    def _confirms(self, code: str) -> bool:
        self.asked.append(code)
        return self.confirmed


def knocked(url: str, home: Path, screen: Screen, ca_hash: str = "") -> Identity:
    return knock(JoinLink(url, "", ca_hash), home / "identity.json", screen, name="box-7", wait_s=20)


def test_a_box_that_knocks_is_let_in(world, tmp_path):
    """Both ends show the same code; let in, the box is an agent of the chosen site with the given name."""
    admin = Admin(world.web)
    identity = knocked(world.url, tmp_path / "box", admin.screen())

    assert (identity.agent_id, identity.site_id) == ("gate", "plant")
    assert admin.asked == admin.codes
    assert f'class="big-code">{admin.codes[0]}<' in admin.page
    assert "box-7" in admin.page and "127.0.0.1" in admin.page
    assert CentralAPI.of(identity).manifest().gallery_gen == 0
    actions = [each.action for each in world.web.rows(models.AuditLog)]
    assert {"join_request.approved", "agent.joined"} <= set(actions)
    assert not (tmp_path / "box" / "joining.json").exists()


def test_with_the_hash_nobody_at_the_box_is_asked(world, tmp_path):
    """The address that the dashboard shows proves the server, so a box without a screen can knock, too."""
    admin = Admin(world.web)
    identity = knocked(world.url, tmp_path / "box", admin.screen(at_the_box=False), world.ca.hash)
    assert identity.server_ca_pem == pem_of(world.ca.der)
    with pytest.raises(JoinError, match="Nobody is at this screen"):
        knocked(world.url, tmp_path / "other", admin.screen(at_the_box=False))


def test_a_box_that_is_sent_away_has_told_nothing(world, tmp_path):
    """It says so, throws its secrets away, and no agent comes of it."""
    admin = Admin(world.web, approves=False)
    with pytest.raises(JoinError, match="sent this box away"):
        knocked(world.url, tmp_path / "box", admin.screen())
    assert not world.agents()
    assert not list((tmp_path / "box").iterdir())
    assert "join_request.refused" in [each.action for each in world.web.rows(models.AuditLog)]


def test_somebody_in_between_shows_another_code(world, tmp_path):
    """He passes the knock on and says "approved"; the codes differ, so he never hears a secret."""
    his = a_ca(tmp_path / "his", "His CA")
    middleman = Middleman(ca_pem=his.pem, server=CentralAPI(world.url, ca_pem=world.ca.pem))
    seen: list[str] = []
    with (
        serving_tls(middleman.app(), his.server()) as url,
        pytest.raises(JoinError, match="nothing secret was sent"),
    ):
        knocked(url, tmp_path / "box", Screen(seen.append, lambda _code: False))

    (row,) = world.web.rows(models.JoinRequest)
    assert seen and row.pairing != seen[0]
    assert "broker_password" not in "".join(middleman.heard)
    assert "manifest_key" not in "".join(middleman.heard)


def test_only_the_box_that_knocked_can_claim(world, tmp_path):
    """Who knows the number of an approved request, but not what was promised, gets nothing."""
    request_id = {}

    class Thief(Admin):
        def _sees(self, code: str) -> None:
            super()._sees(code)
            (row,) = self.web.rows(models.JoinRequest)
            request_id["it"] = row.request_id
            stolen = {"request_id": row.request_id, "manifest_key": "5a" * 32, "broker_password": "5a" * 32}
            with pytest.raises(CentralError, match="not the secrets"):
                CentralAPI(world.url, ca_pem=world.ca.pem).claim(stolen)

    identity = knocked(world.url, tmp_path / "box", Thief(world.web).screen())
    again = {
        "request_id": request_id["it"],
        "manifest_key": identity.manifest_key,
        "broker_password": identity.broker.password,
    }
    api = CentralAPI(world.url, ca_pem=world.ca.pem)
    assert api.claim(again)["agent_id"] == identity.agent_id, "a lost answer can be asked for again"
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, identity.agent_id).revoked_at = datetime.now(UTC)
    with pytest.raises(CentralError, match="was revoked"):
        api.claim(again)


def test_a_box_that_lost_its_power_shows_the_same_code_again(world, tmp_path):
    """The secrets are on the disk before it knocks: after a restart it waits with the same request."""

    class PowerCut(Exception):
        pass

    codes: list[str] = []

    def cut(code: str) -> None:
        codes.append(code)
        raise PowerCut

    with pytest.raises(PowerCut):
        knocked(world.url, tmp_path / "box", Screen(cut, lambda _code: True))
    admin = Admin(world.web)
    knocked(world.url, tmp_path / "box", admin.screen())
    assert admin.codes == codes
    assert len(world.web.rows(models.JoinRequest)) == 1


def test_nobody_is_let_in_unseen(world):
    """Without the tick that the codes are the same, and by others than administrators, nothing happens."""
    body = dict.fromkeys(("token_sha256", "promise", "nonce"), "5a" * 32) | {"hardware_id": "h", "name": "n"}
    request_id = CentralAPI(world.url, ca_pem=world.ca.pem).knock(body)["request_id"]
    url = f"/cameras/knocks/{request_id}/approve"
    assert (
        "Compare the codes"
        in post(world.web.client("admin"), url, {"site_id": "plant"}, follow_redirects=True).text
    )
    assert post(world.web.client("hr"), url, {"site_id": "plant", "same": "y"}).status_code == 403
    assert "ask to be let in" not in world.web.client("viewer").get("/cameras/").text
    assert [each.state for each in world.web.rows(models.JoinRequest)] == ["open"]


def test_a_knock_does_not_wait_for_ever(world):
    """After a quarter of an hour nobody can let it in any more; the page says so."""
    body = dict.fromkeys(("token_sha256", "promise", "nonce"), "5a" * 32) | {"hardware_id": "h", "name": "n"}
    request_id = CentralAPI(world.url, ca_pem=world.ca.pem).knock(body)["request_id"]
    with UnitOfWork(world.web.engine) as work:
        work.session.query(models.JoinRequest).one().expires_at -= timedelta(minutes=16)
    admin = world.web.client("admin")
    reply = post(
        admin,
        f"/cameras/knocks/{request_id}/approve",
        {"site_id": "plant", "same": "y"},
        follow_redirects=True,
    )
    assert "does not wait any more" in reply.text
    assert not world.agents()


def test_only_so_many_may_knock(world):
    """One address has three open knocks at most; more are told to wait, and the table stays small."""
    api = CentralAPI(world.url, ca_pem=world.ca.pem)
    for number in range(3):
        api.knock(a_knock(number))
    with pytest.raises(CentralError, match="Too many boxes of this address"):
        api.knock(a_knock(3))
    assert len(world.web.rows(models.JoinRequest)) == 3


def a_knock(number: int) -> dict[str, str]:
    made = dict.fromkeys(("token_sha256", "promise", "nonce"), f"{number:064x}")
    return made | {"hardware_id": f"h{number}", "name": f"box {number}"}


def test_a_box_on_loopback_knocks_without_tls(engine, tmp_path):
    """The demo's way: nobody is in between on one machine, so nobody has to confirm anything."""
    with an_agent_world(engine, tmp_path / "server") as plain:
        admin = Admin(plain.web)
        identity = knocked(plain.url, tmp_path / "box", admin.screen(at_the_box=False))
    assert identity.server_ca_pem == ""
    assert f'class="big-code">{admin.codes[0]}<' in admin.page

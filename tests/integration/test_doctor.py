"""`hadir agent doctor` against real servers that are well, and wrong in every way we could think of."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from flask import Flask, redirect

from central_server.adapters.broker_accounts import BrokerAccounts
from central_server.adapters.embedded_broker import find_mosquitto
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from common.events import Birth
from edge_agent.adapters.identity_file import Identity, save_identity
from edge_agent.adapters.live_socket import LiveSocket
from edge_agent.cli import main
from edge_agent.diagnosis import Finding
from edge_agent.doctor import findings
from tests.agent_world import AgentWorld, an_agent_world
from tests.delivery_world import serving
from tests.link_world import Edge, a_broker, a_subscriber, running, wait_until
from tests.tls_world import CA, DAY, a_ca, answering, hang_up, serving_tls, speak_http, stay_silent

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@pytest.fixture
def ca(tmp_path) -> CA:
    return a_ca(tmp_path / "ca")


@pytest.fixture
def world(engine, tmp_path) -> Iterator[AgentWorld]:
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def identity(world, tmp_path) -> Identity:
    return world.join(tmp_path / "box")


@pytest.fixture
def examined(tmp_path) -> Callable[[Identity], dict[str, Finding]]:
    """Return a function that examines an identity; the findings by subject."""

    def examine(identity: Identity) -> dict[str, Finding]:
        path = tmp_path / "examined" / "identity.json"
        save_identity(path, identity)
        return {each.subject: each for each in findings(path)}

    return examine


def at(identity: Identity, port: int, **more: str) -> Identity:
    """The same agent, whose broker is somewhere else."""
    return replace(identity, broker=replace(identity.broker, port=port, **more))


def fault(found: dict[str, Finding], subject: str) -> str:
    assert not found[subject].is_good, found[subject]
    return f"{found[subject].words} -> {found[subject].advice}"


@contextmanager
def a_mosquitto(folder: Path, port: int, *lines: str, acl: str = "", **passwords: str) -> Iterator[None]:
    """A mosquitto with the given accounts, access rules and lines of configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    accounts = BrokerAccounts(folder)
    for name, password in passwords.items():
        accounts.put(name.replace("_", "-"), password)
    (folder / "acl").write_text(acl or "pattern readwrite hadir/1/+/%u/#\npattern read hadir/1/srv/state\n")
    settings = ["allow_anonymous false", f"password_file {folder}/passwd", f"acl_file {folder}/acl"]
    settings += ["user root", f"listener {port} 127.0.0.1", *lines]
    (folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")
    command = [str(find_mosquitto()), "-c", str(folder / "mosquitto.conf")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), about="mosquitto listens")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# -- the server ----------------------------------------------------------------------------------------------


def test_a_box_that_never_joined_is_told_so(tmp_path):
    """Nothing else makes sense before that."""
    (only,) = findings(tmp_path / "identity.json")
    assert "has not joined" in fault({"identity": only}, "identity")


def test_a_revoked_agent_is_told_so(world, identity, examined):
    """The server says no to the token; the advice is a new link."""
    assert examined(identity)["token"].is_good
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, identity.agent_id).revoked_at = datetime.now(UTC)
    words = fault(examined(identity), "token")
    assert "revoked" in words and "--again" in words


def test_a_key_of_another_join_is_noticed(identity, examined):
    """A manifest that was signed with another key than this box has."""
    assert "signs with a key of another join" in fault(
        examined(replace(identity, manifest_key="5a" * 32)), "token"
    )


@pytest.mark.parametrize("kind", ["page", "login", "nonsense", "broken"])
def test_whatever_answers_in_the_servers_place_is_recognised(identity, examined, kind):
    """A captive portal, a proxy's page, JSON of somebody else and a dead server behind a proxy."""
    app = Flask(__name__)
    answers = {
        "page": lambda: "<html>Welcome to the hotel</html>",
        "login": lambda: redirect("http://portal.example/login"),
        "nonsense": lambda: {"hello": "you"},
        "broken": lambda: ({"error": "bad gateway"}, 502),
    }
    words = {
        "page": "a web page answers",
        "login": "sent on to http://portal.example",
        "broken": "answers 502",
    }
    app.add_url_rule("/<path:path>", "any", lambda path: answers[kind]())
    with serving(app) as url:
        assert words.get(kind, "something else answers") in fault(
            examined(replace(identity, server_url=url)), "token"
        )


def test_names_and_ports_come_first(identity, examined, free_port):
    """An unknown name and a closed port are told before anything is tried over them."""
    nowhere = replace(identity, server_url="https://hadir.invalid")
    assert "is not known to DNS" in fault(examined(nowhere), "server")
    closed = replace(identity, server_url=f"http://127.0.0.1:{free_port()}")
    found = examined(closed)
    assert "refuses connections" in fault(found, "server")
    assert "token" not in found


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        ({"begins": -30 * DAY, "ends": -2 * DAY}, "expired on"),
        ({"begins": 2 * DAY, "ends": 30 * DAY}, "set the clock"),
        ({"names": ("hadir.example.com", "10.0.0.7")}, "made for hadir.example.com, 10.0.0.7, not for"),
    ],
)
def test_the_servers_certificate_is_told_by_its_cause(world, identity, examined, ca, certificate, words):
    """Dates and names are those of the certificate."""
    names = certificate.get("names", ())
    dates = {name: value for name, value in certificate.items() if name != "names"}
    with serving_tls(world.web.app, ca.server(*names, **dates)) as url:
        found = examined(replace(identity, server_url=url, server_ca_pem=ca.pem))
    assert words in fault(found, "certificate")
    assert "token" not in found, "the token is not sent over such a connection"


def test_an_unknown_ca_is_named(world, identity, examined, ca, tmp_path):
    """Whoever signed is told by name, whether the box trusts its system or an own CA."""
    with serving_tls(world.web.app, ca.server()) as url:
        for trusted in ("", a_ca(tmp_path / "other", "Other CA").pem):
            found = examined(replace(identity, server_url=url, server_ca_pem=trusted))
            assert "signed by 'Plant CA'" in fault(found, "certificate")
        found = examined(replace(identity, server_url=url, server_ca_pem=ca.pem))
    assert found["certificate"].is_good and found["token"].is_good
    assert "for 127.0.0.1, localhost, by 'Plant CA'" in found["certificate"].words


@pytest.mark.parametrize(
    ("answer", "words"),
    [(stay_silent, "says nothing"), (hang_up, "closes the connection"), (speak_http, "does not speak TLS")],
)
def test_what_is_no_tls_server_is_told_apart(identity, examined, answer, words):
    """A silent port, one that hangs up, and plain HTTP."""
    with answering(answer) as port:
        found = examined(replace(identity, server_url=f"https://127.0.0.1:{port}"))
    assert words in fault(found, "certificate")


def test_a_clock_of_1970_is_found(identity, examined):
    """The server's own clock says how wrong it is."""
    with time_machine.travel(datetime(1970, 1, 1, tzinfo=UTC)):
        assert "clock says 1970-01-01" in fault(examined(identity), "clock")


# -- the broker ----------------------------------------------------------------------------------------------


@needs_mosquitto
def test_all_is_well(world, identity, engine, tmp_path, examined, free_port):
    """With broker and worker there, every line is good; the doctor leaves nothing behind."""
    with a_broker("mosquitto", tmp_path / "broker", free_port()) as broker:
        broker.accounts.put(identity.agent_id, identity.broker.password)
        with running(a_subscriber(engine, broker)):
            mine = at(identity, broker.port)
            wait_until(lambda: all(each.is_good for each in examined(mine).values()), about="all is well")
            found = examined(mine)
    assert set(found) >= {"identity", "clock", "server", "token", "broker", "login", "subscribe", "publish"}
    assert found["worker"].is_good
    assert not world.web.rows(models.BadMessage)


@dataclass
class Watched(Edge):
    """It remembers each session that it began."""

    sessions: list[str] = field(default_factory=list)

    def _birth(self, sid: str) -> Birth:
        self.sessions.append(sid)
        return super()._birth(sid)


@contextmanager
def a_running_agent(
    home: Path, edge: Edge, *, road: str = "MQTT", server_online: bool = True
) -> Iterator[None]:
    """The live socket of an agent at home that has this link."""
    home.mkdir(exist_ok=True)

    def snapshot() -> dict[str, object]:
        link = edge.link
        told = {"phase": link.phase.value, "trouble": link.trouble}
        return {"link": told | {"road": road, "server_online": server_online}}

    served = LiveSocket(home, snapshot)
    served.start()
    try:
        yield
    finally:
        served.stop()


@needs_mosquitto
def test_an_agent_that_runs_is_asked_and_not_thrown_out(identity, engine, tmp_path, examined, free_port):
    """A login with its client id would end its session: the doctor reads its state, and says how to try."""
    with a_broker("mosquitto", tmp_path / "broker", free_port()) as broker:
        broker.accounts.put(identity.agent_id, identity.broker.password)
        edge = Watched(at(identity, broker.port), tmp_path / "edge")
        with running(a_subscriber(engine, broker), edge.link):
            wait_until(lambda: edge.link.phase == "online", about="online")
            with a_running_agent(tmp_path / "examined", edge):
                found = examined(edge.identity)
            assert found["login"].is_good and found["worker"].is_good and found["broker"].is_good
            assert "not disturbed" in found["login"].words
            assert "systemctl stop hadir-agent" in found["login"].advice
            assert "subscribe" not in found
            with a_running_agent(tmp_path / "examined", edge, server_online=False):
                assert not examined(edge.identity)["worker"].is_good
            edge.see(3)
            wait_until(lambda: edge.outbox.state().depth == 0, about="the agent goes on")
            assert len(edge.sessions) == 1


@needs_mosquitto
def test_an_agent_that_runs_and_is_refused_says_so(identity, examined, tmp_path, free_port):
    """Its own link's trouble and the road of its events are told; one full stop is enough."""
    port = free_port()
    with a_mosquitto(tmp_path / "mosquitto", port, **{identity.agent_id: "another one"}):
        edge = Edge(at(identity, port), tmp_path / "edge")
        with running(edge.link), a_running_agent(tmp_path / "examined", edge, road="HTTPS"):
            wait_until(lambda: edge.link.trouble, about="it is refused")
            words = fault(examined(edge.identity), "login")
    assert "the running agent is not logged in" in words and "refused 'gate-box'" in words
    assert "its events go by HTTPS" in words and ".)" not in words


@needs_mosquitto
def test_a_wrong_password_is_no_revocation(identity, examined, tmp_path, free_port):
    """The server still knows the token, so the account at the broker is what is wrong."""
    port = free_port()
    with a_mosquitto(tmp_path / "mosquitto", port, **{identity.agent_id: "another one"}):
        words = fault(examined(at(identity, port)), "login")
    assert f"refuses {identity.agent_id!r}" in words
    assert "wrong password, or the account is switched off" in words
    assert identity.broker.password not in words


@needs_mosquitto
def test_a_revoked_account_is_told_as_one(world, identity, examined, tmp_path, free_port):
    """Neither the server nor the broker lets it in: it was revoked."""
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, identity.agent_id).revoked_at = datetime.now(UTC)
    port = free_port()
    with a_mosquitto(tmp_path / "mosquitto", port, somebody="else"):
        assert "this agent was revoked" in fault(examined(at(identity, port)), "login")


@needs_mosquitto
def test_access_rules_that_are_too_narrow_are_found(identity, examined, tmp_path, free_port):
    """The broker lets the agent in, and refuses what it publishes (PUBACK 0x87)."""
    port = free_port()
    secret = {identity.agent_id: identity.broker.password}
    with a_mosquitto(tmp_path / "mosquitto", port, acl="pattern read hadir/1/down/%u/#\n", **secret):
        found = examined(at(identity, port))
    assert found["login"].is_good and found["subscribe"].is_good
    assert "does not take what this agent publishes (not authorised)" in fault(found, "publish")


@needs_mosquitto
def test_a_broker_without_a_worker_is_told(identity, examined, tmp_path, free_port):
    """Everything is allowed, but nobody would ever acknowledge an event."""
    port = free_port()
    with a_mosquitto(tmp_path / "mosquitto", port, **{identity.agent_id: identity.broker.password}):
        found = examined(at(identity, port))
    assert found["publish"].is_good
    assert "worker was never connected" in fault(found, "worker")


@needs_mosquitto
def test_tls_and_no_tls_are_told_apart(identity, examined, ca, tmp_path, free_port):
    """A broker that wants TLS, and one that has none, each with an agent that was told otherwise."""
    secret = {identity.agent_id: identity.broker.password}
    certificate, key = ca.server()
    port = free_port()
    tls = (f"certfile {certificate}", f"keyfile {key}")
    with a_mosquitto(tmp_path / "tls", port, *tls, **secret):
        assert "wants TLS" in fault(examined(at(identity, port)), "login")
        assert examined(at(identity, port, ca_pem=ca.pem))["login"].is_good
        other = a_ca(tmp_path / "other", "Other CA").pem
        assert "'Plant CA'" in fault(examined(at(identity, port, ca_pem=other)), "broker certificate")
    port = free_port()
    with a_mosquitto(tmp_path / "plain", port, **secret):
        words = fault(examined(at(identity, port, ca_pem=ca.pem)), "broker certificate")
    assert "speaks MQTT without TLS" in words


@pytest.mark.parametrize(
    ("answer", "words"),
    [(stay_silent, "stays silent"), (hang_up, "hangs up"), (speak_http, "is not an MQTT broker")],
)
def test_what_is_no_broker_is_told_apart(identity, examined, answer, words):
    """A silent port, one that hangs up, and a web server."""
    with answering(answer) as port:
        assert words in fault(examined(at(identity, port)), "login")


def test_a_broker_of_mqtt_3_only_works(identity, examined, tmp_path, free_port):
    """amqtt does not answer to MQTT 5; that is no fault, because the agent tries both."""
    with a_broker("amqtt", tmp_path / "broker", free_port()) as broker:
        broker.accounts.put(identity.agent_id, identity.broker.password)
        found = examined(at(identity, broker.port))
    assert found["login"].is_good
    assert "3.1.1 only" in found["login"].words


@pytest.mark.parametrize("code", [0x85, 0x86, 0x88, 0x8A])
def test_every_refusal_has_its_words(identity, examined, code):
    """What a broker says in MQTT 5 is told as it is."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(bytes((0x20, 3, 0, code, 0)))
        connection.close()

    words = {0x85: "wants another client id", 0x86: "wrong user name or password", 0x88: "takes nobody now"}
    with answering(refuse) as port:
        assert words.get(code, "banned") in fault(examined(at(identity, port)), "login")


def test_an_identity_that_was_changed_by_hand_is_noticed(identity, examined):
    """The broker binds the account to its own client id; with that one it would let the agent in."""

    def bind(connection: socket.socket) -> None:
        is_bound = connection.recv(1000).count(b"gate-box") == 2  # as client id and as user name
        connection.sendall(bytes((0x20, 3, 0, 0 if is_bound else 0x87, 0)))

    with answering(bind) as port:
        words = fault(examined(replace(at(identity, port), agent_id="other")), "login")
    assert "wants another client id than 'other'" in words


def test_a_refused_subscription_is_told(identity, examined):
    """SUBACK with 0x87: the rights of the role are wrong."""

    def grudge(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(bytes((0x20, 3, 0, 0, 0)))
        connection.recv(1000)
        connection.sendall(bytes((0x90, 5, 0, 1, 0, 0x87, 0x87)))

    with answering(grudge) as port:
        words = fault(examined(at(identity, port)), "subscribe")
    assert "not let this agent listen to its own topics (not authorised)" in words


# -- the command ---------------------------------------------------------------------------------------------


def test_the_command_prints_a_line_a_thing(world, tmp_path, capsys, free_port):
    """ok or FAIL, what, and what to do; JSON with --json; the exit status tells; no secret in either."""
    config = tmp_path / "agent.yaml"
    config.write_text(
        f"home: {tmp_path / 'box'}\ncameras:\n  - {{camera_id: c, zone: z, url: 'rtsp://h/'}}\n"
    )
    identity = at(world.join(tmp_path / "box"), free_port())
    save_identity(tmp_path / "box" / "identity.json", identity)

    assert main(["doctor", "--config", str(config)]) == 1
    told = capsys.readouterr()
    assert "ok    token: the server knows this agent" in told.out
    assert "FAIL  broker: 127.0.0.1 refuses connections on port" in told.out
    assert "      -> Open port" in told.out
    assert "Begin with: broker" in told.err
    assert main(["doctor", "--config", str(config), "--json"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["subject"]: each["ok"] for each in lines}["broker"] is False
    assert not [each for each in identity.secrets() if each in told.out + json.dumps(lines)]
    assert main(["doctor", "--config", str(tmp_path / "none.yaml")]) == 2

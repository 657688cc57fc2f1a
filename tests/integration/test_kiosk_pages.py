"""The kiosk over HTTP: how a tablet becomes one, what it may send, and what it never says."""

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.test import TestResponse

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.manage_kiosks import revoke_kiosk
from central_server.services.manage_users import hash_password
from tests import builders
from tests.kiosk_world import CHEAP_HASH, PIN, a_badge, a_kiosk
from tests.web_world import PageReader, WebWorld, a_web_world, inhabit, post

HEADERS = {"X-Requested-With": "hadir"}


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with UnitOfWork(engine) as work:
        builders.an_employee(work.session, "ANI", name="Ani Lestari", is_enrolled=False, consent_at=None)
    return found


class Tablet:
    """A browser that was made a kiosk."""

    def __init__(self, world: WebWorld) -> None:
        self.client = world.stranger()
        _, token = a_kiosk(world.engine, now=datetime.now(UTC))
        self.client.set_cookie("hadir_kiosk", token, path="/kiosk")
        self.sent = 0

    def punch(self, kind: str = "in", **more: str) -> TestResponse:
        self.sent += 1
        body = {"id": f"sent{self.sent:08}", "kind": kind, **more}
        return self.client.post("/kiosk/punch", json=body, headers=HEADERS)


@pytest.fixture
def tablet(world) -> Tablet:
    return Tablet(world)


def test_a_link_makes_a_tablet_a_kiosk(world):
    """Made on the page, shown once; the secret goes in a body, comes back as a cookie, and works once."""
    admin = world.client("admin")
    assert post(admin, "/kiosks/", {"name": "Door", "place": "plant/plant-gate"}).status_code == 302
    page = admin.get("/kiosks/").text
    [secret] = set(re.findall(r"/kiosk/open#([\w-]{40,})", page))
    assert secret not in admin.get("/kiosks/").text
    tablet = world.stranger()
    assert "Door" not in tablet.get("/kiosk/open").text
    reply = tablet.post("/kiosk/open", json={"secret": secret}, headers=HEADERS)
    cookie = reply.headers["Set-Cookie"]
    assert reply.json == {"ok": True}
    assert all(each in cookie for each in ("HttpOnly", "SameSite=Strict", "Path=/kiosk"))
    assert secret not in cookie
    assert "Door" in tablet.get("/kiosk/").text
    assert world.stranger().post("/kiosk/open", json={"secret": secret}, headers=HEADERS).status_code == 403
    [row] = world.rows(models.Kiosk)
    assert (row.site_id, row.zone_id) == ("plant", "plant-gate")
    assert not {secret, cookie.split("=")[1].split(";")[0]} & {row.token_hash}


def test_over_https_the_cookie_stays_there(engine, tmp_path):
    """With secure cookies a tablet never sends its token in the clear."""
    world = a_web_world(engine, tmp_path, HADIR_COOKIE_SECURE="yes")
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
    _, token = a_kiosk(engine, now=datetime.now(UTC))
    client = world.stranger()
    client.set_cookie("hadir_kiosk", token, path="/kiosk", secure=True)
    reply = client.get("/kiosk/", base_url="https://localhost")
    assert "Secure" in reply.headers["Set-Cookie"]


def test_the_page_of_a_kiosk(world, tablet):
    """A whole page for everybody, with a strict policy; it alone may ask for a camera, and is not cached."""
    reply = tablet.client.get("/kiosk/")
    page = PageReader(reply.text)
    assert page.problems == []
    assert page.unlabelled == []
    assert page.repeated_ids == set()
    assert page.language == "id"
    assert "unsafe" not in reply.headers["Content-Security-Policy"]
    assert "camera=(self)" in reply.headers["Permissions-Policy"]
    assert reply.headers["Cache-Control"] == "no-store"
    assert "camera=()" in world.client("hr").get("/").headers["Permissions-Policy"]
    assert "camera=()" in world.stranger().get("/kiosk/open").headers["Permissions-Policy"]
    assert "Budi" not in reply.text
    words = json.loads(re.search(r'data-words="([^"]+)"', reply.text)[1].replace("&#34;", '"'))
    assert (words["id"]["in"], words["en"]["in"]) == ("Masuk", "Clock in")
    assert words["id"].keys() == words["en"].keys()


def test_no_tablet_no_kiosk(world):
    """Without the token there is neither page nor pulse nor punch, and nothing to learn."""
    stranger = world.stranger()
    for client in (stranger, world.client("admin")):
        assert client.get("/kiosk/").status_code == 401
        assert client.get("/kiosk/pulse").status_code == 401
        body = {"id": "sent00000001", "kind": "in", "code": "ANI", "pin": PIN}
        assert client.post("/kiosk/punch", json=body, headers=HEADERS).status_code == 401


def test_in_and_out_by_pin_and_by_badge(world, tablet):
    """The first name, the time, and nothing more; board, events and attendance say so too."""
    code = a_badge(world.engine, "ANI", now=datetime.now(UTC) - timedelta(days=2))
    told = tablet.punch("in", code=" ani ", pin=PIN).json
    assert set(told) == {"name", "kind", "at", "before"}
    assert (told["name"], told["kind"], told["before"]) == ("Ani", "in", None)
    assert re.fullmatch(r"\d\d:\d\d", told["at"])
    hr = world.client("hr")
    assert "Clocked in" in hr.get("/events?kind=in").text
    assert "Door" in hr.get("/events.csv?kind=in").get_data(as_text=True)
    assert "In area" in row_of_ani(hr)
    assert tablet.punch("out", badge=code.lower()).json["kind"] == "out"
    assert "Clocked out" in row_of_ani(hr)
    assert "Badge or PIN" in hr.get("/people/?status=badge").text
    assert "Ani Lestari" not in hr.get("/people/?status=missing").text
    assert [each.kind for each in world.rows(models.Event)][-2:] == ["in", "out"]


def row_of_ani(client) -> str:
    """Return the status on the board."""
    return re.search(r'id="p-ANI".*?data-label="Status">(.*?)</td>', client.get("/").text, re.S)[1]


def test_a_retry_gets_the_same_answer(world, tablet):
    """A lost answer is asked for again with the same id: one event, the same time."""
    a_badge(world.engine, "ANI")
    body = {"id": "aaaabbbbcccc", "kind": "in", "code": "ANI", "pin": PIN}
    replies = [tablet.client.post("/kiosk/punch", json=body, headers=HEADERS) for _ in range(3)]
    assert [each.json for each in replies] == [replies[0].json] * 3
    assert [each.kind for each in world.rows(models.Event)].count("in") == 1


def test_nobody_learns_whether_a_code_exists(world, tablet):
    """Unknown code, wrong PIN, locked PIN, no PIN: the same words, and what was typed is nowhere."""
    a_badge(world.engine, "ANI")
    told = [tablet.punch(code="ANI", pin="123450") for _ in range(6)]
    told += [tablet.punch(code="NOBODY", pin="123450"), tablet.punch(code="EMP001", pin="123450")]
    told += [tablet.punch(code="ANI", pin=PIN)]
    assert {(each.status_code, each.text) for each in told} == {(403, '{"error":"wrong"}\n')}
    kept = [each for each in world.rows(models.AuditLog) if each.action == "punch.refused"]
    assert len(kept) == 9
    assert "123450" not in str([(each.subject, each.detail) for each in kept])


def test_an_unknown_code_takes_as_long_as_a_wrong_pin(world, tablet):
    """The slow hash is worked out for nobody too."""
    a_badge(world.engine, "ANI", pin_hash=hash_password("271828"))

    def seconds(code: str) -> float:
        started = time.perf_counter()
        assert tablet.punch(code=code, pin="000000").status_code == 403
        return time.perf_counter() - started

    seconds("NOBODY")
    known = min(seconds("ANI") for _ in range(3))
    unknown = min(seconds("NOBODY") for _ in range(3))
    assert unknown > 0.5 * known
    assert known > 0.5 * unknown


def test_guessing_at_a_kiosk_ends(world, tablet):
    """Thirty wrong ones in five minutes close it for PINs; a badge still works, right PINs cost nothing."""
    code = a_badge(world.engine, "ANI", pin_hash=CHEAP_HASH)
    for _ in range(3):
        assert tablet.punch(code="ANI", pin=PIN).status_code == 200
    world.app.extensions["hadir.punch_throttle"].most = 4
    world.app.extensions["hadir.punch_throttle"].tries.clear()
    assert [tablet.punch(code="X", pin="000000").status_code for _ in range(5)] == [403] * 4 + [429]
    assert tablet.punch(badge=code).status_code == 200
    assert [tablet.punch(badge="8991234567890").status_code for _ in range(5)] == [403] * 4 + [429]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"kind": "in", "code": "ANI", "pin": "1"},
        {"id": "short", "kind": "in"},
        {"id": "x' OR 1=1 --", "kind": "in"},
        {"id": "sent00000001", "kind": "left"},
        {"id": 7, "kind": ["in"]},
        {"id": "sent00000001", "kind": "in", "pad": "x" * 3000},
    ],
)
def test_nonsense_is_refused(world, tablet, body):
    """Whatever a broken page or a curious person sends, nothing is recorded."""
    before = len(world.rows(models.Event))
    reply = tablet.client.post("/kiosk/punch", json=body, headers=HEADERS)
    assert reply.status_code == 400
    assert len(world.rows(models.Event)) == before


def test_another_site_cannot_punch_through_the_tablet(world, tablet):
    """A form that another page sends has no header of ours; the cookie would not go with it either."""
    a_badge(world.engine, "ANI")
    body = {"id": "sent00000001", "kind": "in", "code": "ANI", "pin": PIN}
    assert tablet.client.post("/kiosk/punch", json=body).status_code == 400
    assert tablet.client.post("/kiosk/punch", data=body, headers=HEADERS).status_code == 400


def test_a_kiosk_that_is_shut_out_is_told(world, tablet):
    """The next pulse says so, and no punch is taken."""
    code = a_badge(world.engine, "ANI")
    assert tablet.client.get("/kiosk/pulse").status_code == 200
    with UnitOfWork(world.engine) as work:
        revoke_kiosk(work, "kiosk-door", now=datetime.now(UTC), by="admin")
    assert tablet.client.get("/kiosk/pulse").status_code == 401
    assert tablet.punch(badge=code).status_code == 401


def test_who_is_suspended_learns_it_only_with_the_right_pin(world, tablet):
    """They are sent to HR; whoever guesses is told what everybody is told."""
    a_badge(world.engine, "ANI")
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Employee, "ANI").status = "suspended"
    assert tablet.punch(code="ANI", pin="000000").json == {"error": "wrong"}
    assert tablet.punch(code="ANI", pin=PIN).json == {"error": "inactive"}


def test_the_pages_of_an_administrator(world):
    """The list says which are in use; a link is renewed, a kiosk shut out, a mistake told."""
    admin = world.client("admin")
    now = datetime.now(UTC)
    a_kiosk(world.engine, "Lobby", now=now - timedelta(hours=3))
    a_kiosk(world.engine, "Door", now=now)
    text = admin.get("/kiosks/").text
    assert "In use" in text and "Silent" in text
    assert post(admin, "/kiosks/kiosk-lobby/link").location == "/kiosks/#kiosk-link"
    text = admin.get("/kiosks/").text
    assert "Link not opened yet" in text and "/kiosk/open#" in text
    post(admin, "/kiosks/kiosk-lobby/revoke")
    assert "Lobby is no kiosk any more" in admin.get("/kiosks/").text
    post(admin, "/kiosks/nothing/revoke")
    assert "That kiosk does not exist" in admin.get("/kiosks/").text
    wrong = post(admin, "/kiosks/", {"name": "X", "place": "plant/elsewhere"})
    assert "That zone is at another site" in wrong.text
    assert world.client("hr").get("/kiosks/").status_code == 403
    assert [each.action for each in world.rows(models.AuditLog)].count("kiosk.revoke") == 1


def test_hr_gives_a_pin_and_a_badge_once(world):
    """Each is shown on one page and never again, works, and is in no log."""
    hr = world.client("hr")
    assert post(hr, "/people/ANI/badge/pin").location == "/people/ANI#badge"
    assert "shown only this once" not in hr.get("/people/EMP001").text
    [pin] = re.findall(r'big-code">(\d{6})<', hr.get("/people/ANI").text)
    assert pin not in hr.get("/people/ANI").text
    post(hr, "/people/ANI/badge/pin")
    reply = hr.get("/people/ANI")
    [pin] = re.findall(r'big-code">(\d{6})<', reply.text)
    assert reply.headers["Cache-Control"] == "no-store"
    assert post(hr, "/people/ANI/badge/code").location == "/people/ANI/badge/#badge"
    card = hr.get("/people/ANI/badge/").text
    [code] = re.findall(r"HB[A-Z2-7]{32}", card)
    assert "Ani Lestari" in card and "<svg" in card
    assert hr.get("/people/ANI/badge/").location == "/people/ANI#badge"
    tablet = Tablet(world)
    assert tablet.punch("in", code="ANI", pin=pin).status_code == 200
    assert tablet.punch("out", badge=code).status_code == 200
    log = world.rows(models.AuditLog)
    assert {"badge.pin", "badge.code"} <= {each.action for each in log}
    assert not any(secret in str((each.subject, each.detail)) for each in log for secret in (pin, code))
    post(hr, "/people/ANI/badge/remove")
    assert tablet.punch("in", badge=code).json == {"error": "wrong_badge"}
    assert world.rows(models.Badge) == []


def test_only_hr_gives_badges(world):
    """A supervisor who may see the person may not punch for them."""
    leader = world.client("supervisor")
    for what in ("pin", "code", "remove"):
        assert post(leader, f"/people/EMP001/badge/{what}").status_code == 403
    assert leader.get("/people/EMP001/badge/").status_code == 403
    assert 'id="badge"' not in leader.get("/people/EMP001").text


def test_nobody_who_is_gone_gets_a_badge(world):
    """An unknown code and somebody who has left are refused."""
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Employee, "ANI").status = "resigned"
    for employee_id in ("ANI", "NOBODY"):
        assert post(world.client("hr"), f"/people/{employee_id}/badge/pin").location == "/people/"
    assert world.rows(models.Badge) == []

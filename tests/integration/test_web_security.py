"""Who gets in, who sees what, and what no page may do."""

import time
from datetime import UTC, datetime

import pytest

from central_server.blueprints.access import EVERYONE, MACHINE_BLUEPRINTS, PUBLIC, ROLES, ROUTES
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.manage_users import hash_password
from tests.web_world import PASSWORD, WebWorld, a_web_world, inhabit, open_alert, post, token_on

PAGES = {
    "dashboard.board": "/",
    "dashboard.fragment": "/board",
    "dashboard.events": "/events",
    "dashboard.events_csv": "/events.csv",
    "alerts.index": "/alerts/",
    "people.index": "/people/",
    "people.detail": "/people/EMP001",
    "people.add": "/people/add",
    "people.edit": "/people/EMP001/edit",
    "people.resign": "/people/EMP001/resign",
    "photos.fragment": "/people/EMP001/photos",
    "attendance.index": "/attendance/",
    "attendance.csv_file": "/attendance/day.csv",
    "attendance.pdf_file": "/attendance/day.pdf",
    "person_day.show": "/attendance/2026-11-20/EMP001",
    "person_day.correct": "/attendance/2026-11-20/EMP001/correct",
    "person_day.attention": "/attendance/attention",
    "standing.superiors": "/people/EMP001/superiors",
    "standing.leaves": "/people/EMP001/leaves",
    "organisation.index": "/organisation/",
    "organisation.add_site": "/organisation/sites/add",
    "organisation.roles": "/organisation/roles",
    "exchange.index": "/exchange/",
    "exchange.table": "/exchange/employees/",
    "exchange.download": "/exchange/leaves/rows.csv",
    "exchange.template": "/exchange/leaves/empty.csv",
    "reports.index": "/reports/",
    "cameras.index": "/cameras/",
    "kiosks.index": "/kiosks/",
    "settings.mine": "/settings/",
    "settings.users": "/settings/users",
    "settings.audit": "/settings/audit",
}


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    return found


def test_every_route_has_its_roles(world):
    """A route that nobody thought about is open to nobody, and the table names no route that is gone."""
    routes = {rule.endpoint for rule in world.app.url_map.iter_rules()}
    ours = {each for each in routes if each.split(".")[0] not in MACHINE_BLUEPRINTS}
    assert ours == set(ROUTES)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_its_pages_and_no_others(world, role):
    """The table decides, and the server keeps to it."""
    client = world.client(role)
    seen = {name: client.get(url).status_code for name, url in PAGES.items()}
    assert seen == {name: 200 if role in ROUTES[name] else 403 for name in PAGES}


def test_what_changes_something_asks_for_the_role_too(world):
    """A viewer who knows the address and has a token still changes nothing."""
    client = world.client("viewer")
    for url in ("/people/EMP001/consent", "/people/EMP001/resign", "/reports/now", "/cameras/join-code"):
        assert post(client, url).status_code == 403
    assert post(world.client("hr"), "/cameras/join-code").status_code == 403


def test_a_stranger_is_sent_to_the_login_and_back(world):
    """The page asked for is remembered; the page's own script is told plainly instead."""
    reply = world.stranger().get("/people/?q=budi")
    assert reply.status_code == 302
    assert reply.location == "/login?next=/people/?q%3Dbudi"
    assert world.stranger().get("/board", headers={"X-Requested-With": "hadir"}).status_code == 401


def test_a_supervisor_sees_only_their_own_team(world):
    """Not on the board, not in the lists, not by typing the address, not in the exports."""
    alert = open_alert(world, "EMP003")
    client = world.client("supervisor")
    for url in ("/", "/people/", "/attendance/", "/attendance/day.csv"):
        text = client.get(url).text
        assert "Budi Santoso" in text
        assert "Ahmad Hidayat" not in text
    assert client.get("/people/EMP003").status_code == 404
    assert client.get(f"/alerts/{alert}").status_code == 404
    assert post(client, f"/alerts/{alert}/acknowledge").status_code == 404


def test_a_supervisor_without_an_employee_sees_nobody(world):
    """An account that belongs to no employee leads no team."""
    with UnitOfWork(world.engine) as work:
        work.session.query(models.User).filter_by(username="supervisor").one().employee_id = None
    assert "Budi Santoso" not in world.client("supervisor").get("/").text


def test_no_form_works_without_its_token(world):
    """Every address that changes something refuses a request that another site could have forged."""
    client = world.client("admin")
    for rule in world.app.url_map.iter_rules():
        if "POST" not in (rule.methods or ()) or rule.endpoint.split(".")[0] in MACHINE_BLUEPRINTS:
            continue
        values = {
            name: 1 if name.endswith("_id") and name != "employee_id" else "x" for name in rule.arguments
        }
        url = world.app.url_map.bind("localhost").build(rule.endpoint, values, method="POST")
        browser = client if ROUTES[rule.endpoint] is not PUBLIC else world.stranger()
        assert browser.post(url, data={"name": "x"}).status_code == 400, url


def test_agents_need_no_form_token(world):
    """Machines have no session that could be abused; they are refused for what they lack, in JSON."""
    reply = world.stranger().post("/agent/v1/join", json={"code": "AAAA-AAAA"})
    assert reply.is_json
    assert "CSRF" not in reply.text


def test_pages_may_run_and_load_only_what_is_ours(world):
    """The policy names no other host and allows nothing inline; nobody may put us into a frame."""
    headers = world.client("hr").get("/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


def sign_in(client, username, password, target="/login"):
    token = token_on(client.get("/login").text)
    return client.post(target, data={"csrf_token": token, "username": username, "password": password})


def test_signing_in_and_out(world):
    """The right password opens the board, signing out closes it, and the log knows about it."""
    client = world.stranger()
    assert sign_in(client, "HR", PASSWORD).location == "/"
    assert client.get("/").status_code == 200
    assert post(client, "/logout").status_code == 302
    assert client.get("/").status_code == 302
    assert [each.action for each in world.rows(models.AuditLog)] == ["login"]


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"]
)
def test_signing_in_leads_only_to_our_own_pages(world, target):
    """A link with another host in it ends on the board."""
    assert sign_in(world.stranger(), "hr", PASSWORD, f"/login?next={target}").location == "/"


def test_the_session_cookie_is_out_of_reach(engine, tmp_path):
    """Scripts and other sites do not get it, and plain HTTP does not carry it."""
    world = a_web_world(engine, tmp_path, HADIR_COOKIE_SECURE="yes", HADIR_BASE_URL="https://hadir.example")
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hadir.example"}
    reply = world.stranger().get("/login", headers=proxied)
    cookie = reply.headers["Set-Cookie"]
    assert all(each in cookie for each in ("Secure", "HttpOnly", "SameSite=Lax"))
    assert "max-age" in reply.headers["Strict-Transport-Security"]


def test_guessing_passwords_is_slow_work(world):
    """After eight wrong ones the name is closed for a while from there; another name is not."""
    client = world.stranger()
    codes = [sign_in(client, "hr", f"guess {number}").status_code for number in range(9)]
    assert codes == [401] * 8 + [429]
    assert sign_in(client, "admin", PASSWORD).status_code == 302
    refused = [each for each in world.rows(models.AuditLog) if each.action == "login.refused"]
    assert len(refused) == 8


def test_an_unknown_name_takes_as_long_as_a_wrong_password(world):
    """Nobody can find out who has an account by watching the clock."""
    with UnitOfWork(world.engine) as work:
        work.session.query(models.User).filter_by(username="hr").one().password_hash = hash_password(PASSWORD)

    def seconds(name: str) -> float:
        client = world.stranger()
        token = token_on(client.get("/login").text)
        started = time.perf_counter()
        reply = client.post("/login", data={"csrf_token": token, "username": name, "password": "wrong"})
        assert reply.status_code == 401
        return time.perf_counter() - started

    known = min(seconds("hr") for _ in range(3))
    unknown = min(seconds(f"nobody{number}") for number in range(3))
    assert 0.5 < unknown / known < 2


def test_a_locked_account_is_out_at_once(world):
    """Its open sessions end with the next request."""
    client = world.client("hr")
    assert client.get("/").status_code == 200
    with UnitOfWork(world.engine) as work:
        work.session.query(models.User).filter_by(username="hr").one().disabled_at = datetime.now(UTC)
    assert client.get("/").status_code == 302


def test_a_new_password_ends_every_other_session(world):
    """Whoever still sits at the old one has to sign in; whoever changed it goes on."""
    here, elsewhere = world.client("hr"), world.client("hr")
    change = {"old": PASSWORD, "new": "sebuah kalimat yang baru"}
    assert post(here, "/settings/password", change).status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


def test_there_is_always_an_administrator(world):
    """The last one can neither be locked nor made something else."""
    admin = next(each for each in world.rows(models.User) if each.role == "admin")
    client = world.client("admin")
    post(client, f"/settings/users/{admin.user_id}", {"role": "viewer"})
    post(client, f"/settings/users/{admin.user_id}", {"role": "admin", "disabled": "yes"})
    after = next(each for each in world.rows(models.User) if each.user_id == admin.user_id)
    assert (after.role, after.disabled_at) == ("admin", None)


def test_errors_are_pages_too(world):
    """They say what happened in plain words, in the reader's language, and keep the status."""
    assert "There is no such page" in world.client("hr").get("/nothing").text
    reply = world.client("viewer").get("/settings/users")
    assert reply.status_code == 403
    assert "This page is not for you" in reply.text


def test_everybody_may_sign_out(world):
    """Nobody is kept in by their role."""
    assert ROUTES["auth.logout"] == EVERYONE


@pytest.mark.parametrize("number", ["9" * 10, "9" * 30])
@pytest.mark.parametrize(
    "page", ["/alerts/{}", "/people/?page={}", "/settings/audit?page={}", "/working-time/?page={}"]
)
def test_a_number_that_no_row_can_have_leads_nowhere(world, page, number):
    """Not to an error of the database, which would be logged as one of ours."""
    assert world.client("admin").get(page.format(number)).status_code == 404
    address = f"/attendance/2026-11-20/EMP001/dispute/{number}"
    client = world.client("hr")
    assert post(client, address, {"answer": "x"}).status_code == 404

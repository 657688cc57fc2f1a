"""What the pages show, on a real database."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from tests import builders
from tests.integration.test_web_security import PAGES
from tests.web_world import PageReader, WebWorld, a_web_world, inhabit, open_alert, post, put_presence

MORE_PAGES = ("/login", "/alerts/1", "/nothing", "/people/EMP003", "/attendance/?date=2026-11-20")
MORE_PAGES += ("/cameras/agents/plant-agent/", "/cameras/agents/plant-agent/camera")
MORE_PAGES += (
    "/organisation/sites/plant",
    "/organisation/sites/plant/zones/add",
    "/organisation/zones/plant-gate",
)


@pytest.fixture
def empty(engine, tmp_path) -> WebWorld:
    return a_web_world(engine, tmp_path)


@pytest.fixture
def world(empty) -> WebWorld:
    inhabit(empty)
    open_alert(empty, "EMP003")
    return empty


def add_events(world: WebWorld, count: int, **values) -> None:
    at = datetime.now(UTC)
    with UnitOfWork(world.engine) as work:
        for number in range(count):
            fields = {
                "event_id": f"plant-agent-e-{values.get('employee_id')}-{number}",
                "agent_id": "plant-agent",
                "epoch": f"e{values.get('employee_id')}",
                "seq": number,
                "site_id": "plant",
                "zone_id": "plant-gate",
                "camera_id": "plant-cam",
                "track_id": f"t{number}",
                "kind": "seen",
                "ts": at,
                "last_seen": at,
                "received_at": at,
                "business_date": at.date(),
            }
            work.session.add(models.Event(**fields | values))


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_page_is_sound(world, language):
    """One heading, the language told, a label for every field, no id twice, nothing inline, tags closed."""
    with UnitOfWork(world.engine) as work:
        for user in work.session.query(models.User):
            user.language = language
    client = world.client("admin")
    for url in (*PAGES.values(), *MORE_PAGES):
        browser = world.stranger() if url == "/login" else client
        reply = browser.get(url, headers={"Accept-Language": language})
        if reply.mimetype != "text/html":
            continue
        page = PageReader(reply.text)
        assert not page.problems, (url, page.problems)
        assert not page.unlabelled, (url, page.unlabelled)
        assert not page.repeated_ids, (url, page.repeated_ids)
        if "<html" in reply.text:
            assert page.headings == 1, url
            assert page.language == (language if url != "/login" else "id"), url


def test_an_empty_system_says_what_to_do_next(empty):
    """No page of a system without a site, people or agents fails; the board lists the first steps."""
    client = empty.client("admin")
    for name, url in PAGES.items():
        expected = 404 if "EMP001" in url or name == "attendance.pdf_file" else 200
        assert client.get(url).status_code == expected, url
    board = client.get("/").text
    assert "Four steps to the first name" in board
    assert board.split('<ol class="steps">')[1].split("</ol>")[0].count("<a href=") == 6
    assert "worker is not running" in board


def test_the_board_says_who_is_where_in_words(world):
    """Name, status, how long ago, and where; and one sentence for those who listen to it."""
    text = world.client("hr").get("/").text
    assert "Budi Santoso" in text
    assert "2 min ago" in text
    assert "Entrance Zone" in text
    assert "1 in area, 1 out of area, 1 not arrived" in text
    assert text.index("Ahmad Hidayat") < text.index("Budi Santoso"), "what needs attention comes first"


def test_the_board_can_be_narrowed(world):
    """By a part of the name, by status, by zone, by department."""
    client = world.client("hr")

    def shown(query: str) -> set[str]:
        text = client.get(f"/board?{query}").text
        return {name for name in ("Budi Santoso", "Sari Dewi", "Ahmad Hidayat") if name in text}

    assert shown("q=BUDI") == {"Budi Santoso"}
    assert shown("group=out") == {"Ahmad Hidayat"}
    assert shown("zone=plant-gate") == {"Budi Santoso", "Ahmad Hidayat"}
    assert shown("department=Gudang&sort=name") == {"Budi Santoso", "Sari Dewi", "Ahmad Hidayat"}
    assert shown("q=nobody-at-all") == set()


def test_the_board_is_sent_again_only_when_it_has_changed(world):
    """Unchanged: 304 and no body. A change of presence: the new board."""
    client = world.client("hr")
    tag = client.get("/board").headers["ETag"]
    same = client.get("/board", headers={"If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    with UnitOfWork(world.engine) as work:
        put_presence(work.session, "EMP001", "off", "out_of_area", datetime.now(UTC) - timedelta(minutes=6))
    changed = client.get("/board", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert "0 in area, 2 out of area" in changed.text
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Lease, "broker").until = datetime.now(UTC) - timedelta(seconds=1)
    silent = client.get("/board", headers={"If-None-Match": changed.headers["ETag"]})
    assert silent.status_code == 200, "a worker that hears no broker is news too"


def test_a_dead_camera_or_agent_or_worker_is_said_aloud(world):
    """HR reads why the board cannot tell, in words a technician can act on."""
    with UnitOfWork(world.engine) as work:
        camera = work.session.get_one(models.Camera, "plant-cam")
        camera.state, camera.reason = "offline", "auth"
    assert "refused the user name or password" in world.client("hr").get("/").text
    with UnitOfWork(world.engine) as work:
        agent = work.session.get_one(models.Agent, "plant-agent")
        agent.heartbeat_at = datetime.now(UTC) - timedelta(minutes=5)
        work.session.query(models.Lease).filter_by(name="worker").delete()
    text = world.client("hr").get("/").text
    assert "does not report" in text
    assert "does not change at the moment" in text


def test_the_number_of_questions_does_not_grow_with_the_people(world):
    """Board, lists and attendance ask the database as often for 200 people as for three."""
    client = world.client("hr")
    asked: list[str] = []
    event.listen(
        world.app.extensions["hadir"].engine, "before_cursor_execute", lambda *each: asked.append(each[2])
    )

    def questions() -> dict[str, int]:
        counts = {}
        for url in ("/", "/people/", "/attendance/", "/alerts/", "/events"):
            asked.clear()
            assert client.get(url).status_code == 200
            counts[url] = len(asked)
        return counts

    before = questions()
    with UnitOfWork(world.engine) as work:
        for number in range(100, 300):
            builders.an_employee(work.session, f"EMP{number}")
            put_presence(work.session, f"EMP{number}", "available", "in_area", datetime.now(UTC))
    add_events(world, 60, employee_id="EMP100")
    assert questions() == before
    assert before.pop("/attendance/") <= 24, "it looks into the calendar of those without a row"
    assert max(before.values()) <= 16


def test_turning_the_pages_shows_each_event_once(world):
    """Also when all of them happened at the same instant."""
    add_events(world, 120, employee_id="EMP001")
    client = world.client("hr")
    url, seen = "/events?kind=seen", 0
    for _ in range(5):
        text = client.get(url).text
        seen += text.count("Came into view</span>")
        if 'rel="next"' not in text:
            break
        url = text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert seen == 120
    assert client.get("/events?older=nonsense").status_code == 200


def test_events_can_be_narrowed_by_camera_kind_person_and_time(world):
    """What is still in view is left out unless asked for; unknown faces have no name."""
    add_events(world, 1, employee_id="EMP001", kind="still")
    add_events(world, 1, employee_id=None, kind="unknown", sim_score=0.21)
    client = world.client("hr")
    assert "Still in view</span>" not in client.get("/events").text
    assert "Still in view</span>" in client.get("/events?kind=all").text
    text = client.get("/events?kind=unknown").text
    assert "Unknown" in text
    assert "similarity 0.21" not in text, "of an unknown it would only confuse"
    assert "Unknown face</span>" not in client.get("/events?q=budi").text
    assert "No events match" in client.get("/events?from=2020-01-01&to=2020-01-02").text
    assert "No events match" in client.get("/events?camera=other").text


def test_a_doubt_about_liveness_is_shown_and_nonsense_is_not(world):
    """HR sees the score, and a badge where the face may have been a picture; a person's page has it too."""
    add_events(world, 1, employee_id="EMP001", extra={"liveness": {"score": 0.12, "looks": 3}})
    add_events(world, 1, employee_id="EMP002", extra={"liveness": {"score": 0.93, "looks": 3}})
    add_events(world, 1, employee_id="EMP003", extra={"liveness": {"score": "high"}})
    add_events(world, 1, employee_id=None, kind="unknown", extra={"liveness": 7})
    client = world.client("hr")
    text = client.get("/events").text
    assert "liveness 0.12" in text and "liveness 0.93" in text
    assert text.count("liveness ") == 2 and text.count("Maybe a picture") == 1
    assert "Maybe a picture" in client.get("/people/EMP001").text
    assert "Maybe a picture" not in client.get("/people/EMP002").text


def test_the_named_part_of_a_picture_goes_with_the_place(world):
    """A camera that watches a counter and a door tells which of them; what is no name is left out."""
    add_events(world, 1, employee_id="EMP001", extra={"zone": "Counter <3"})
    add_events(world, 1, employee_id="EMP002", extra={"zone": 7})
    text = world.client("hr").get("/events").text
    assert ", Counter &lt;3" in text and ", 7" not in text


def test_an_export_computes_nothing(world):
    """A name that a spreadsheet would run as a formula arrives as plain text, in both exports."""
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Employee, "EMP001").name = '=HYPERLINK("http://evil","x")'
        work.session.get_one(models.Employee, "EMP002").name = "@SUM(A1)"
    add_events(world, 1, employee_id="EMP001")
    for url in ("/events.csv", "/attendance/day.csv"):
        reply = world.client("hr").get(url)
        assert reply.mimetype == "text/csv"
        assert "attachment" in reply.headers["Content-Disposition"]
        cells = [cell for row in csv.reader(io.StringIO(reply.data.decode("utf-8-sig"))) for cell in row]
        assert any("HYPERLINK" in cell for cell in cells)
        assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))]


def test_every_download_is_there_as_a_workbook(world):
    """Excel opens it in whatever language; another ending is not found."""
    client = world.client("hr")
    for url in ("/events", "/attendance/day", "/attendance/days", "/exchange/leaves/empty"):
        reply = client.get(f"{url}.xlsx?from=2026-01-01&to=2026-01-31&ending=csv")
        assert reply.data.startswith(b"PK"), url
        assert 'filename="' in reply.headers["Content-Disposition"] and ".xlsx" in str(reply.headers)
        assert client.get(f"{url}.exe").status_code == 404
    assert client.get("/events?ending=csv").status_code == 200


def test_an_alert_tells_its_whole_story(world):
    """The words as sent, who was told and what became of it; and who takes care of it, once."""
    client = world.client("hr")
    text = client.get("/alerts/1").text
    assert "Status: OUT OF AREA (last seen 6 min ago)" in text
    assert "Sari Dewi" in text
    assert "The provider refused the message." in text
    assert "131026" in text
    assert post(client, "/alerts/1/acknowledge").status_code == 302
    post(world.client("admin"), "/alerts/1/acknowledge")
    assert [each.acknowledged_by for each in world.rows(models.Alert)] == ["Hr"]
    assert "Hr takes care of it" in client.get("/alerts/1").text
    assert "alert.acknowledge" in [each.action for each in world.rows(models.AuditLog)]


def test_a_correction_lies_over_what_the_cameras_saw(world):
    """It needs a reason, the day is computed again, and who did it is on the page."""
    client, day = world.client("hr"), date(2026, 11, 20)
    url = f"/attendance/{day}/EMP001/correct"
    assert "This is needed." in post(client, url, {"first_in": "08:01", "last_out": "17:02"}).text
    for last_out in ("08:00", "17:30"):
        times = {"first_in": "17:30", "last_out": last_out, "reason": "mistyped"}
        assert "must be after" in post(client, url, times).text, (
            "no shift of that day reaches the next morning"
        )
    times = {"first_in": "08:01", "last_out": "17:02", "reason": "Worked at a client"}
    assert post(client, url, times).status_code == 302
    row = next(each for each in world.rows(models.Attendance) if each.business_date == day)
    assert (row.status, row.first_in_ts) == ("present", datetime(2026, 11, 20, 1, 1, tzinfo=UTC))
    assert "Worked at a client" in client.get(url).text
    assert "corrected by HR" in client.get(f"/attendance/?date={day}").text
    corrections = [each for each in world.rows(models.AuditLog) if each.action == "attendance.correct"]
    assert {each.actor for each in corrections} == {"user:hr"}


def test_a_correction_of_the_status_can_be_taken_back(world):
    """Absent has no hours; back to what follows from the times, the hours are there again."""
    client, day = world.client("hr"), date(2026, 11, 20)
    url = f"/attendance/{day}/EMP001/correct"
    times = {"first_in": "08:01", "last_out": "17:02"}

    def row():
        return next(each for each in world.rows(models.Attendance) if each.business_date == day)

    assert post(client, url, times | {"reason": "client visit"}).status_code == 302
    worked = row().work_seconds
    assert worked
    assert post(client, url, times | {"status": "absent", "reason": "wrong person"}).status_code == 302
    assert (row().status, row().first_in_ts, row().work_seconds) == ("absent", None, None)
    assert '<option selected value="absent">' in client.get(url).text
    assert post(client, url, {"status": "", "reason": "it was him"}).status_code == 302
    assert (row().status, row().work_seconds) == ("present", worked)


def test_a_correction_cannot_be_of_a_time_to_come(world):
    """Tomorrow's hours are nobody's yet."""
    client = world.client("hr")
    day = datetime.now(UTC).date() + timedelta(days=2)
    times = {"first_in": "08:00", "last_out": "17:00", "reason": "early"}
    assert "has not come yet" in post(client, f"/attendance/{day}/EMP001/correct", times).text


def test_a_half_typed_year_is_no_error(world):
    """A date box sends year 1 while somebody types."""
    client = world.client("hr")
    for moment in ("0001-01-01T00:00", "9999-12-31", "0002-02-02"):
        assert client.get(f"/events?from={moment}&to={moment}").status_code == 200


def test_addresses_are_checked_and_listed_once(world):
    """A mistyped e-mail address or a second entry is refused beside its field."""
    client = world.client("hr")
    entry = {"name": "Ana", "role": "hr", "site_id": "plant", "language": "id", "phone": ""}
    assert "not an e-mail address" in post(client, "/reports/recipients", entry | {"email": "nope"}).text
    entry |= {"email": "ana@example.co.id"}
    assert post(client, "/reports/recipients", entry).status_code == 302
    assert "on the list already" in post(client, "/reports/recipients", entry).text
    person = {"name": "Ana", "employee_id": "emp001"}
    assert "That code is taken." in post(client, "/people/add", person).text


def test_nobody_leaves_before_they_came(world):
    """The last day is not before the first, and nothing is erased by the mistake."""
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Employee, "EMP001").started_on = date(2026, 5, 1)
    client = world.client("hr")
    answer = post(client, "/people/EMP001/resign", {"last_day": "2020-01-01", "sure": "y"})
    assert "cannot be before the first day" in answer.text
    with UnitOfWork(world.engine) as work:
        assert work.session.get_one(models.Employee, "EMP001").resigned_on is None


def test_a_report_can_be_made_now_and_fetched(world):
    """PDF and CSV, each fetch noted; a recipient needs an address."""
    client = world.client("hr")
    assert post(client, "/reports/now").status_code == 302
    run = world.rows(models.ReportRun)[0]
    assert client.get(f"/reports/{run.id}.pdf").data.startswith(b"%PDF")
    assert b"Budi Santoso" in client.get(f"/reports/{run.id}.csv").data
    assert client.get(f"/reports/{run.id}.xlsx").data.startswith(b"PK")
    assert client.get(f"/reports/{run.id}.exe").status_code == 404
    assert [each.action for each in world.rows(models.AuditLog)].count("report.download") == 3
    somebody = {"name": "Ibu Ratna", "role": "hr", "site_id": "plant", "language": "id"}
    assert "Give a phone number" in post(client, "/reports/recipients", somebody).text
    assert post(client, "/reports/recipients", somebody | {"phone": "0811 222 333"}).status_code == 302
    assert [each.phone for each in world.rows(models.ReportRecipient)] == ["62811222333"]


def test_a_join_code_is_shown_once_and_never_kept(world):
    """With the exact command; the database has only its hash."""
    client = world.client("admin")
    reply = post(client, "/cameras/join-code", {"agent_name": "Lobby", "site_id": "plant"})
    assert (reply.status_code, reply.headers["Location"]) == (302, "/cameras/#join-code")
    shown = client.get("/cameras/")
    code = shown.text.split('class="big-code">')[1].split("<")[0]
    assert f"sudo hadir agent join --start &#39;http://127.0.0.1:8080/{code}&#39;" in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert "<svg" in shown.text.split("qr-frame")[1]
    kept = world.rows(models.JoinCode)
    assert code.replace("-", "") not in repr(vars(kept[0]))
    assert code not in client.get("/cameras/").text
    assert len(world.rows(models.JoinCode)) == 1


def test_static_files_may_be_kept_by_the_browser(world):
    """Their address changes with their content, so they need not be asked for again."""
    page = world.client("hr").get("/").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    reply = world.stranger().get(address)
    assert reply.status_code == 200
    assert "max-age=31536000" in reply.headers["Cache-Control"]


def test_a_user_who_is_called_like_the_account_is_named_once(world):
    """My settings does not repeat itself."""
    assert "Admin · admin · Administrator" in world.client("admin").get("/settings/").text
    with UnitOfWork(world.engine) as work:
        work.session.query(models.User).filter_by(username="admin").one().name = "admin"
    text = world.client("admin").get("/settings/").text
    assert "admin · Administrator" in text and "admin · admin" not in text

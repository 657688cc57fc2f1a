"""The page and the command that explain a person-day; objections, overtime, and the days in need."""

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from central_server import cli
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.build_report import daily_report
from central_server.services.recompute_attendance import recompute_days
from tests import builders
from tests.web_world import PageReader, WebWorld, a_web_world, inhabit, open_alert, post

JAKARTA = ZoneInfo("Asia/Jakarta")
NOW = datetime.now(UTC)
DAY = NOW.astimezone(JAKARTA).date() - timedelta(days=4)  # every day of the week is a working day
URL = f"/attendance/{DAY}/EMP001"


def at(text: str, day: date = DAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), JAKARTA).astimezone(UTC)


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    """The gate's camera is `Gate`; lunch is not paid."""
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with UnitOfWork(engine) as work:
        work.session.get_one(models.Camera, "plant-cam").name = "Gate"
        lunch = models.BreakWindow(site_id="plant", name="Lunch", starts=time(12), ends=time(13))
        work.session.add(lunch)
    return found


def see(world: WebWorld, *times: str, employee_id: str = "EMP001", day: date = DAY, **fields) -> None:
    """Record sightings, and compute the day as closed."""
    with UnitOfWork(world.engine) as work:
        for moment in times:
            seen_at = at(moment, day)
            name = f"{employee_id}-{day}-{moment}-{fields.get('kind', '')}"
            row = {
                "event_id": name, "agent_id": "plant-agent", "epoch": name[:32],
                "seq": work.session.query(models.Event).count() + 1, "site_id": "plant",
                "zone_id": "plant-gate", "camera_id": "plant-cam", "track_id": "t", "kind": "seen",
                "employee_id": employee_id, "ts": seen_at, "last_seen": seen_at, "received_at": seen_at,
                "business_date": day,
            }  # fmt: skip
            work.session.add(models.Event(**row | fields))
    compute(world, employee_id, day)


def compute(world: WebWorld, employee_id: str = "EMP001", day: date = DAY) -> None:
    with UnitOfWork(world.engine) as work:
        recompute_days(work, [(employee_id, day)], builders.the_rules(), now=NOW)


def blind(world: WebWorld, start: str, end: str, reason: str = "agent") -> None:
    """The gate's camera did not watch."""
    with UnitOfWork(world.engine) as work:
        gap = models.CoverageGap(
            camera_id="plant-cam", site_id="plant", zone_id="plant-gate",
            starts_at=at(start), ends_at=at(end), reason=reason,
        )  # fmt: skip
        work.session.add(gap)


def row(world: WebWorld, employee_id: str = "EMP001", day: date = DAY) -> models.Attendance:
    return next(
        each
        for each in world.rows(models.Attendance)
        if (each.employee_id, each.business_date) == (employee_id, day)
    )


def a_holiday(world: WebWorld) -> None:
    with UnitOfWork(world.engine) as work:
        work.session.add(models.Holiday(day=DAY, name="Hari Merdeka"))
    see(world, "09:00", "12:00")


def a_trip(world: WebWorld) -> None:
    with UnitOfWork(world.engine) as work:
        work.session.add(models.Leave(employee_id="EMP001", kind="trip", first_on=DAY, last_on=DAY))
    compute(world)


def uncertain(world: WebWorld) -> None:
    blind(world, "08:05", "08:11")
    see(world, "08:12", "17:00")


def unseen_and_unwatched(world: WebWorld) -> None:
    blind(world, "06:00", "16:00")
    compute(world)


def punched(world: WebWorld) -> None:
    with UnitOfWork(world.engine) as work:
        kiosk = models.Kiosk(
            kiosk_id="door", site_id="plant", name="Door tablet", token_hash="x",
            created_at=NOW, created_by="admin",
        )  # fmt: skip
        work.session.add(kiosk)
    see(world, "08:00", kind="in", camera_id="door")
    see(world, "17:00", kind="out", camera_id="door")


STATES = {
    "present": (lambda world: see(world, "08:00", "17:00"), ("There, and not late.", "Hadir tepat waktu")),
    "late": (lambda world: see(world, "08:30", "17:00"), ("30 min late.", "Terlambat 30 menit.")),
    "uncertain": (uncertain, ("watched the entrance 08:05–08:11", "Pintu masuk tidak terpantau 08:05–08:11")),
    "unwatched": (unseen_and_unwatched, ("nobody is called absent", "tidak ada yang dinyatakan tidak hadir")),
    "absent": (compute, ("Not seen by any camera", "Tidak terlihat kamera mana pun")),
    "once": (lambda world: see(world, "08:00"), ("Seen at one moment only", "Hanya terlihat pada satu saat")),
    "holiday": (a_holiday, ("Holiday: Hari Merdeka.", "Hari libur: Hari Merdeka.")),
    "trip": (a_trip, ("Business trip, ", "Perjalanan dinas, ")),
    "punched": (punched, ("Recorded at 08:00 at the kiosk Door", "Tercatat pukul 08:00 di kios Door")),
    "odd": (lambda world: see(world, "04:00", "08:00", "17:00"), ("that does not count", "tidak dihitung")),
    "nothing": (lambda world: None, ("No row is stored", "Tidak ada catatan tersimpan")),
}  # fmt: skip


@pytest.mark.parametrize("language", ["en", "id"])
@pytest.mark.parametrize("state", STATES)
def test_every_kind_of_day_is_explained_in_both_languages(world, state, language):
    """What it was and why; the page is sound, and says nothing as a code."""
    make, words = STATES[state]
    make(world)
    with UnitOfWork(world.engine) as work:
        for user in work.session.query(models.User):
            user.language = language
    text = world.client("hr").get(URL).text
    assert words[language == "id"] in text
    page = PageReader(text)
    assert (page.problems, page.unlabelled, page.repeated_ids, page.headings) == ([], [], set(), 1)
    assert page.language == language
    assert "%(" not in text


def test_the_page_shows_the_day_and_leads_on(world):
    """The line, the cameras, the rules; to the events, the days around it, and the form."""
    uncertain(world)
    text = world.client("hr").get(URL).text
    for words in (
        "So the person may have come at 08:05 already",
        "08:12",
        "Lunch, 12:00–13:00: 1 h 00 min taken off.",
        "Who is seen between 06:00 and 21:00 is seen for this shift.",
        "Together 7 h 48 min.",
        f"/attendance/{DAY - timedelta(days=1)}/EMP001",
        f"/attendance/{DAY + timedelta(days=1)}/EMP001",
        f"{URL}/correct",
        f"from={DAY}",
    ):
        assert words in text, words
    assert URL in world.client("hr").get(f"/attendance/?date={DAY}").text


def test_a_supervisor_sees_their_team_and_nobody_else(world):
    """Nor may they correct, approve or settle; a viewer sees no person's day at all."""
    see(world, "08:00", "17:00")
    client = world.client("supervisor")
    assert client.get(URL).status_code == 200
    other = f"/attendance/{DAY}/EMP003"
    assert client.get(other).status_code == 404
    assert post(client, f"{other}/dispute", {"words": "no"}).status_code == 404
    for path in ("correct", "overtime", "dispute/1"):
        assert post(client, f"{URL}/{path}").status_code == 403
    assert world.client("viewer").get(URL).status_code == 403
    assert world.rows(models.Dispute) == []


@pytest.mark.parametrize("day", ["soon", "1999-12-31", "9999-12-31", "2026-02-30", "0001-01-01"])
def test_a_day_that_is_none_is_not_found(world, day):
    """Whatever is typed into the address."""
    assert world.client("hr").get(f"/attendance/{day}/EMP001").status_code == 404
    assert world.client("hr").get(f"/attendance/{DAY}/EMP777").status_code == 404


def test_an_objection_is_noted_by_the_supervisor_and_settled_by_hr(world):
    """It stands on the page, among the days in need, and in the log; it is answered once."""
    see(world, "08:30", "17:00")
    supervisor, hr = world.client("supervisor"), world.client("hr")
    assert post(supervisor, f"{URL}/dispute", {"words": "  "}, follow_redirects=True).text.count("Write down")
    post(supervisor, f"{URL}/dispute", {"words": "I was at the gate  at <b>eight</b>."})
    [dispute] = world.rows(models.Dispute)
    assert (dispute.noted_by, dispute.words) == ("supervisor", "I was at the gate at <b>eight</b>.")
    text = hr.get(URL).text
    assert "&lt;b&gt;eight&lt;/b&gt;" in text
    assert "Disputed" in hr.get("/attendance/attention").text
    post(hr, f"/attendance/{DAY}/EMP003/dispute/{dispute.id}", {"answer": "of another day"})
    assert world.rows(models.Dispute)[0].settled_at is None, "it is about somebody else's day"
    post(hr, f"{URL}/dispute/{dispute.id}", {"answer": "Corrected: the lamp was off."})
    again = post(hr, f"{URL}/dispute/{dispute.id}", {"answer": "No."}, follow_redirects=True)
    assert "answered already" in again.text
    [settled] = world.rows(models.Dispute)
    assert (settled.answer, settled.settled_by) == ("Corrected: the lamp was off.", "hr")
    assert "Corrected: the lamp was off." in hr.get(URL).text
    assert "Nothing waits" in hr.get("/attendance/attention?need=dispute").text
    log = [each for each in world.rows(models.AuditLog) if each.action.startswith("dispute.")]
    assert [(each.action, each.actor) for each in log] == [
        ("dispute.note", "user:supervisor"),
        ("dispute.settle", "user:hr"),
    ]


def test_overtime_counts_once_it_is_approved(world):
    """As far as it was worked; a reason is needed; it can be taken back, and everything is on the page."""
    see(world, "08:00", "19:00")
    client = world.client("hr")
    assert (row(world).overtime_min, row(world).work_seconds) == (120, 8 * 3600)
    assert "Overtime waits" in client.get("/attendance/attention").text
    for data in ({"minutes": "90"}, {"minutes": "-5", "reason": "x"}, {"minutes": "1500", "reason": "x"}):
        post(client, f"{URL}/overtime", data)
    assert world.rows(models.AttendanceCorrection) == []
    post(client, f"{URL}/overtime", {"minutes": "90", "reason": "Stock taking"})
    assert (row(world).overtime_paid_min, row(world).work_seconds) == (90, 8 * 3600 + 90 * 60)
    assert "1 h 30 min approved by hr" in client.get(URL).text
    assert "Nothing waits" in client.get("/attendance/attention?need=overtime").text
    post(client, f"{URL}/overtime", {"minutes": "600", "reason": "All of it"})
    assert row(world).overtime_paid_min == 120, "never more than was worked"
    post(client, f"{URL}/overtime", {"minutes": "", "reason": "A mistake"})
    assert row(world).overtime_paid_min == 0
    log = [each for each in world.rows(models.AuditLog) if each.action == "attendance.overtime"]
    assert [each.detail["minutes"] for each in log] == [["", "90"], ["90", "600"], ["600", ""]]


def test_the_caps_of_the_law_are_said_before_and_after(world):
    """Five hours on one day: said on the form, when it is saved, on the page, and among the days in need."""
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Shift, "day").late_out_min = 400
    see(world, "08:00", "22:00")
    client = world.client("hr")
    assert "The law leaves 4 h 00 min for this day" in client.get(URL).text
    saved = post(client, f"{URL}/overtime", {"minutes": "300", "reason": "Fire"}, follow_redirects=True).text
    words = "5 h 00 min of overtime on one day: the law allows 4 h 00 min (PP 35/2021, article 26)."
    assert saved.count(words) == 2, "told once as the answer, and once on the page"
    assert row(world).overtime_paid_min == 300, "a warning, not a ban"
    assert "Too much overtime" in client.get("/attendance/attention").text


def test_a_recomputation_never_loses_what_hr_said(world):
    """Late sightings, new rules, and a person who has left: corrections and approvals lie over it all."""
    see(world, "09:00", "19:00")
    client = world.client("hr")
    post(client, f"{URL}/correct", {"first_in": "08:00", "last_out": "19:00", "reason": "Asked the foreman"})
    post(client, f"{URL}/overtime", {"minutes": "60", "reason": "Ordered"})
    see(world, "08:40", "20:30")
    post(client, "/people/EMP001/resign", {"last_day": str(DAY + timedelta(days=3)), "sure": "y"})
    compute(world)
    kept = row(world)
    assert (kept.first_in_ts, kept.late_min, kept.overtime_paid_min) == (at("08:00"), 0, 60)
    assert len(world.rows(models.AttendanceCorrection)) == 2
    assert "Asked the foreman" in client.get(URL).text
    post(
        client, f"{URL}/correct", {"first_in": "08:00", "last_out": "20:30", "status": "late", "reason": "r"}
    )
    assert row(world).status == "late", "the day of somebody who has left can be set right too"


def test_the_table_and_its_csv_say_what_is_not_certain(world):
    """Beside the row with the time nobody watched; leave by its kind; overtime with what counts."""
    uncertain(world)
    with UnitOfWork(world.engine) as work:
        work.session.add(models.Leave(employee_id="EMP003", kind="trip", first_on=DAY, last_on=DAY))
    compute(world, "EMP003")
    client = world.client("hr")
    text = client.get(f"/attendance/?date={DAY}").text
    assert "not certain: Nobody watched the entrance 08:05–08:11." in text
    assert "business trip" in text
    table = client.get(f"/attendance/day.csv?date={DAY}").data.decode("utf-8-sig")
    lines = {each["Code"]: each for each in csv.DictReader(io.StringIO(table))}
    assert (lines["EMP001"]["Certain"], lines["EMP001"]["Minutes from first to last"]) == ("No", "528")
    assert (lines["EMP003"]["Leave"], lines["EMP003"]["Certain"]) == ("business trip", "Yes")
    with UnitOfWork(world.engine) as work:
        report = daily_report(work, "plant", DAY, builders.the_rules(), now=NOW)
    told = {each.employee_id: (each.is_verified, each.leave_kind) for each in report.rows}
    assert (told["EMP001"], told["EMP003"]) == ((False, ""), (True, "trip"))


def test_an_alert_that_was_wrong_says_so_on_every_page(world):
    """In the list, on its own page with the camera, and in the day's explanation."""
    see(world, "08:00", "10:02", "17:00")
    alert_id = open_alert(world, "EMP001")
    with UnitOfWork(world.engine) as work:
        alert = work.session.get_one(models.Alert, alert_id)
        alert.dedupe_key = f"out_of_area:EMP001:{DAY}:1"
        alert.ts, alert.last_seen, alert.contradicted_by = at("10:05"), at("09:59"), at("10:02")
        alert.state, alert.closed_at, alert.close_reason = "closed", at("13:00"), "contradicted"
    client = world.client("hr")
    assert "Late news: seen at 10:02, so this alert was wrong." in client.get("/alerts/").text
    page = client.get(f"/alerts/{alert_id}").text
    assert "Late news: seen at 10:02:00 by Gate, so this alert was wrong." in page
    assert "Late news: the person was there after all." in page
    assert URL in page
    assert f"/alerts/{alert_id}" in client.get(URL).text


def test_the_days_in_need_are_the_teams_for_a_supervisor(world):
    """And a day that HR has decided about needs nobody any more."""
    see(world, "08:00", employee_id="EMP001")
    see(world, "08:00", employee_id="EMP003")
    shown = world.client("supervisor").get("/attendance/attention").text
    assert "Budi Santoso" in shown
    assert "Ahmad Hidayat" not in shown
    times = {"first_in": "08:00", "last_out": "17:00", "reason": "Asked the foreman"}
    post(world.client("hr"), f"{URL}/correct", times)
    assert "Nothing waits" in world.client("supervisor").get("/attendance/attention").text


def test_the_person_page_is_about_the_business_date_of_that_person(world):
    """Somebody of the night shift is still on yesterday's date in the small hours, as on the board."""
    with UnitOfWork(world.engine) as work:
        now = datetime.now(UTC)
        start = (now.astimezone(JAKARTA) - timedelta(hours=6)).replace(second=0, microsecond=0)
        ends = (start + timedelta(hours=9)).time()
        shift = models.Shift(
            shift_id="long", name="Long", starts=start.time(), ends=ends,
            weekdays="mon,tue,wed,thu,fri,sat,sun",
        )  # fmt: skip
        work.session.add(shift)
        work.session.flush()
        work.session.add(models.ShiftAssignment(site_id="plant", employee_id="EMP001", shift_id="long"))
    text = world.client("hr").get("/people/EMP001").text
    today = text[text.index('id="h-today"') :]
    assert f'href="/attendance/{start.date()}/EMP001"' in today[: today.index("</div>")]


def run(monkeypatch, capsys, world: WebWorld, *arguments: str) -> tuple[int, str, str]:
    """Run the command as the operator does; return its status and what it said."""
    monkeypatch.setenv("HADIR_HOME", str(world.home))
    monkeypatch.setenv("DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
    status = cli.main(["explain", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_the_command_tells_the_whole_day(world, monkeypatch, capsys):
    """In English, in the site's time, with a line of the day; and the look is written down."""
    uncertain(world)
    status, out, _ = run(monkeypatch, capsys, world, "EMP001", str(DAY))
    assert status == 0
    for words in (
        "EMP001  Budi Santoso",
        f"{DAY:%A}, {DAY}, times in WIB (Asia/Jakarta)",
        "PRESENT: Final",
        "no: nobody watched all of the time that matters",
        "So the person may have come at 08:05 already; in doubt that counts.",
        "08:05–08:11  Not watched: Gate",
    ):
        assert words in out, words
    shift = next(each for each in out.splitlines() if each.startswith("Shift "))
    assert shift.count("=") == 9 * 4, "nine hours, a quarter each"
    looks = [each for each in world.rows(models.AuditLog) if each.action == "attendance.explain"]
    assert [each.subject for each in looks] == [f"EMP001 {DAY}"]


def test_the_command_for_programs(world, monkeypatch, capsys):
    """Everything as JSON, with codes to rely on and words to read."""
    uncertain(world)
    _, out, _ = run(monkeypatch, capsys, world, "EMP001", str(DAY), "--json")
    found = json.loads(out)
    assert found["day"]["first_in_ts"] == f"{DAY}T08:12:00+07:00"
    late = next(each for each in found["figures"] if each["name"] == "late")
    assert [each["code"] for each in late["steps"]][-1] == "not_proven_late"
    assert found["doubts"][0]["values"]["start"] == f"{DAY}T08:05:00+07:00"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("EMP777", "2026-11-20"), 1, "Nobody has the code EMP777"),
        (("EMP001", "9999-12-31"), 1, "is not a day that can be explained"),
        (("EMP001", "0001-01-01"), 1, "is not a day that can be explained"),
    ],
)
def test_the_command_says_what_it_cannot_explain(world, monkeypatch, capsys, arguments, status, words):
    """One sentence, and a status."""
    found, out, err = run(monkeypatch, capsys, world, *arguments)
    assert (found, out) == (status, "")
    assert words in err


def test_a_date_that_is_none_is_a_misuse(world, monkeypatch, capsys):
    """The command is called wrongly then: status 2."""
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, capsys, world, "EMP001", "yesterday")
    assert ended.value.code == 2
    assert "is not a date like" in capsys.readouterr().err

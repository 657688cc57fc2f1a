"""Working time on the dashboard: HR makes, changes and removes it, sees who works when, and why."""

from datetime import date, time
from typing import Any

import pytest
from sqlalchemy import event, select

from central_server.blueprints.access import ROUTES
from central_server.blueprints.charts import WEEK_MINUTES, week_bars
from central_server.db import models
from central_server.db.stores import people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import Schedule
from tests import builders
from tests.web_world import PageReader, WebWorld, a_web_world, inhabit, post

BASE = "/working-time"
PAGES = {
    "roster.index": "/",
    "shifts.index": "/shifts/",
    "shifts.add": "/shifts/add",
    "shifts.edit": "/shifts/day",
    "rotations.index": "/rotations/",
    "rotations.add": "/rotations/add",
    "rotations.edit": "/rotations/two",
    "assignments.index": "/assignments/",
    "assignments.person": "/assignments/people/EMP001",
    "assignments.add": "/assignments/add?employee=EMP001",
    "assignments.edit": "/assignments/1",
    "breaks.index": "/breaks/",
    "breaks.add": "/breaks/add",
    "breaks.edit": "/breaks/1",
    "holidays.index": "/holidays/?year=2027",
    "holidays.add": "/holidays/add",
    "holidays.edit": "/holidays/1",
    "ramadan.plan": "/ramadan/",
}
SHIFT = {
    "name": "Malam",
    "shift_id": "night",
    "starts": "22:00",
    "ends": "06:00",
    "weekdays": ["mon", "tue", "wed"],
    "early_in_min": "60",
    "late_out_min": "120",
    "late_grace_min": "5",
    "early_leave_grace_min": "5",
}


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    """The inhabited plant, with a rotation, a break and a holiday."""
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with UnitOfWork(engine) as work:
        work.session.add_all(
            [
                models.Rotation(
                    rotation_id="two",
                    name="Two and two",
                    starts_on=date(2026, 1, 5),
                    pattern="day,day,off,off",
                ),
                models.BreakWindow(site_id="plant", name="Lunch", starts=time(12), ends=time(13)),
                models.Holiday(day=date(2027, 3, 10), name="Idulfitri", is_certain=False),
            ]
        )
    return found


@pytest.fixture
def hr(world):
    return world.client("hr")


def told(reply: Any) -> str:
    """Return what the page after a form says."""
    return reply.get_data(as_text=True)


def send(client, path: str, data: dict[str, Any], **more: Any) -> str:
    return told(post(client, BASE + path, data, follow_redirects=True, **more))


def schedule_of(world: WebWorld, employee_id: str = "EMP001") -> Schedule:
    with UnitOfWork(world.engine) as work:
        found = people.by_id(work.session, [employee_id])
        return shifts.schedules(work.session, found, day_cutoff=time(4))[employee_id]


def audited(world: WebWorld) -> list[str]:
    return [each.action for each in world.rows(models.AuditLog)]


def worked(world: WebWorld, day: date, employee_id: str = "EMP001") -> str:
    found = schedule_of(world, employee_id).shift_on(day)
    return found.shift.shift_id if found else ""


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_page_of_working_time_is_sound(world, language):
    """One heading, a label for every field, no id twice, nothing inline, tags closed; empty ones too."""
    with UnitOfWork(world.engine) as work:
        for user in work.session.query(models.User):
            user.language = language
    client = world.client("hr")
    for path in (*PAGES.values(), "/?q=nobody", "/holidays/?year=2031", "/breaks/?site=nowhere"):
        reply = client.get(BASE + path)
        page = PageReader(reply.text)
        assert reply.status_code == 200, path
        assert not page.problems, (path, page.problems)
        assert not page.unlabelled, (path, page.unlabelled)
        assert not page.repeated_ids, (path, page.repeated_ids)
        assert (page.headings, page.language) == (1, language), path


def test_the_pages_of_a_system_without_anything_say_what_to_do(engine, tmp_path):
    """No site, no shift, nobody: no page fails."""
    client = a_web_world(engine, tmp_path).client("hr")
    for name in ("roster.index", "shifts.index", "rotations.index", "assignments.index", "breaks.index",
                 "holidays.index", "shifts.add", "rotations.add", "breaks.add", "holidays.add",
                 "ramadan.plan"):  # fmt: skip
        assert client.get(BASE + PAGES[name]).status_code == 200, name
    assert "No shifts yet" in client.get(BASE + "/assignments/").text


@pytest.mark.parametrize("role", ["supervisor", "viewer", "admin"])
def test_only_hr_and_administrators_come_in(world, role):
    """To look, and to change."""
    client = world.client(role)
    expected = 200 if role == "admin" else 403
    assert {client.get(BASE + path).status_code for path in PAGES.values()} == {expected}
    changes = ("/shifts/day/remove", "/rotations/two/remove", "/breaks/1/remove", "/holidays/1/remove",
               "/assignments/1/remove", "/holidays/indonesia")  # fmt: skip
    if role != "admin":
        assert {post(client, BASE + path).status_code for path in changes} == {403}
    names = {name for name in ROUTES if name.split(".")[0] in {each.split(".")[0] for each in PAGES}}
    assert len(names) == len(PAGES) + len(changes)


def test_a_shift_is_made_changed_and_removed(world, hr):
    """Each is audited, and HR reads that closed days keep their numbers."""
    assert "ask your administrator to recompute" in send(hr, "/shifts/add", SHIFT)
    assert "There is one called" in send(hr, "/shifts/add", SHIFT)
    form = {**SHIFT, "name": "Malam baru", "weekdays": ["sun"]}
    assert "Saved." in send(hr, "/shifts/night", form)
    with UnitOfWork(world.engine) as work:
        row = work.session.get_one(models.Shift, "night")
        assert (row.name, row.weekdays, row.early_in_min) == ("Malam baru", "sun", 60)
    assert "Removed." in send(hr, "/shifts/night/remove", {})
    assert [each.shift_id for each in world.rows(models.Shift)] == ["day"]
    assert audited(world) == ["shifts.import", "shifts.import", "shifts.remove"]


def test_what_is_wrong_with_a_shift_stands_beside_its_field(world, hr):
    """In words, with what was typed still there; nothing is kept."""
    text = send(hr, "/shifts/add", {**SHIFT, "starts": "late", "shift_id": "Malam!", "late_out_min": "9999"})
    for words in ("That is not a time.", "Use only a-z", "not a whole number of minutes", 'value="9999"'):
        assert words in text
    assert "Choose at least one day." in send(hr, "/shifts/add", {**SHIFT, "weekdays": []})
    assert "This is needed." in send(hr, "/shifts/add", {**SHIFT, "name": " "})
    assert len(world.rows(models.Shift)) == 1
    assert audited(world) == []


def test_what_is_used_is_not_removed(world, hr):
    """A shift of a rotation or a site stays, and the page says where it is used."""
    assert "Two and two" in send(hr, "/shifts/day/remove", {})
    send(hr, "/assignments/add?employee=EMP001", {"shift_id": "rotation:two", "valid_from": "2026-12-01"})
    assert "EMP001" in send(hr, "/rotations/two/remove", {})
    assert len(world.rows(models.Shift)) == len(world.rows(models.Rotation)) == 1


def test_a_rotation_is_put_together_day_by_day(world, hr):
    """A day more, a day less, drawn anew without being kept; then saved."""
    form = {"name": "Tiga", "rotation_id": "three", "starts_on": "2026-11-30", "pattern": ["day", "off"]}
    text = send(hr, "/rotations/add", {**form, "do": "more"})
    assert text.count('name="pattern"') == 3
    assert send(hr, "/rotations/add", {**form, "do": "less"}).count('name="pattern"') == 1
    assert "The coming four weeks" in send(hr, "/rotations/add", {**form, "do": "preview"})
    assert len(world.rows(models.Rotation)) == 1
    assert "Saved." in send(hr, "/rotations/add", {**form, "do": "save"})
    assert "There is no shift gone" in send(hr, "/rotations/three", {**form, "pattern": ["gone"]})
    send(hr, "/rotations/three", {**form, "pattern": ["off", "day"]})
    with UnitOfWork(world.engine) as work:
        assert work.session.get_one(models.Rotation, "three").pattern == "off,day"


def test_a_persons_own_working_time_counts_from_its_day_and_is_explained(world, hr):
    """From December a rotation: before it the site's default counts, and the page says why."""
    assert "EMP001" in hr.get("/people/EMP001").text
    form = {"shift_id": "rotation:two", "valid_from": "2026-12-01", "valid_to": "2026-12-31"}
    assert "Saved." in send(hr, "/assignments/add?employee=EMP001", form)
    days = {day: worked(world, date(2026, 12, day)) for day in (1, 2, 3, 4)}
    assert days == {1: "", 2: "", 3: "day", 4: "day"}
    page = f"{BASE}/assignments/people/EMP001?date="
    assert "the site&#39;s default, the newest that applies" in hr.get(page + "2026-11-30").text
    text = hr.get(page + "2026-12-03").text
    assert "from “Two and two”: the person&#39;s own" in text
    assert "Lunch 12:00–13:00" in text and "06:00 to 21:00" in text
    assert "A day off, from “Two and two”" in hr.get(page + "2026-12-01").text
    assert (
        "Budi Santoso"
        in hr.get(BASE + "/assignments/").text.split("People with working time of their own")[1]
    )


def test_moving_an_assignment_to_another_day_leaves_one(world, hr):
    """The old one goes, in the same step, and both are in the audit; a second of the same is refused."""
    form = {"shift_id": "rotation:two", "valid_from": "2026-12-01"}
    send(hr, "/assignments/add?employee=EMP001", form)
    [made] = [each for each in world.rows(models.ShiftAssignment) if each.employee_id]
    assert "There is one called" in send(hr, "/assignments/add?employee=EMP001", form)
    send(hr, f"/assignments/{made.id}", {**form, "valid_from": "2026-12-10"})
    [moved] = [each for each in world.rows(models.ShiftAssignment) if each.employee_id]
    assert moved.valid_from == date(2026, 12, 10)
    assert audited(world)[-2:] == ["assignments.remove", "assignments.import"]
    wrong = send(hr, f"/assignments/{moved.id}", {**form, "valid_to": "2026-11-01"})
    assert "The last day cannot be before the first day." in wrong
    assert "Removed." in send(hr, f"/assignments/{moved.id}/remove", {})
    assert [each.employee_id for each in world.rows(models.ShiftAssignment)] == [None]


def test_what_takes_the_place_of_another_is_audited_with_it(world, hr):
    """A default from the same day replaces the old default, and the audit shows what it was."""
    send(hr, "/shifts/add", SHIFT)
    send(hr, "/assignments/add?site=plant", {"shift_id": "shift:night", "valid_from": ""})
    assert [each.shift_id for each in world.rows(models.ShiftAssignment)] == ["night"]
    [replaced] = [each for each in world.rows(models.AuditLog) if each.action == "assignments.replace"]
    assert (replaced.actor, replaced.detail["row"]["shift_id"]) == ("user:hr", "day")


def test_a_break_is_made_changed_and_removed(world, hr):
    """The Friday prayer beside lunch, and a break with dates."""
    form = {"name": "Salat Jumat", "site_id": "plant", "shift_id": "", "starts": "11:30", "ends": "13:00"}
    assert "Saved." in send(hr, "/breaks/add", {**form, "weekdays": ["fri"], "is_paid": "y"})
    [made] = [each for each in world.rows(models.BreakWindow) if each.name != "Lunch"]
    assert (made.weekdays, made.is_paid) == ("fri", True)
    send(hr, f"/breaks/{made.id}", {**form, "weekdays": ["fri", "sat"]})
    [made] = [each for each in world.rows(models.BreakWindow) if each.name != "Lunch"]
    assert (made.weekdays, made.is_paid) == ("fri,sat", False)
    assert "Choose at least one day." in send(hr, f"/breaks/{made.id}", form)
    assert "Removed." in send(hr, f"/breaks/{made.id}/remove", {})
    assert hr.get(BASE + "/breaks/99").status_code == 404


def test_holidays_come_one_by_one_or_as_indonesias_list(world, hr):
    """Without collective leave if it is not wanted; what is only foreseen is marked and said."""
    assert "17 days were taken over." in send(hr, "/holidays/indonesia", {"year": "2026"})
    text = send(hr, "/holidays/indonesia", {"year": "2027", "collective": "yes"})
    assert "26 days were taken over. 18 of them are foreseen" in text
    assert "18 days are foreseen, not announced" in text and "foreseen: check it" in text
    form = {"day": "2026-12-31", "name": "Tutup buku", "kind": "company", "site_id": "plant"}
    assert "Saved." in send(hr, "/holidays/add", {**form, "is_certain": "y"})
    assert "There is one called" in send(hr, "/holidays/add", form)
    assert schedule_of(world).is_holiday(date(2026, 12, 31))
    [own] = [each for each in world.rows(models.Holiday) if each.kind == "company"]
    send(hr, f"/holidays/{own.id}", {**form, "day": "2026-12-30"})
    assert not schedule_of(world).is_holiday(date(2026, 12, 31))
    assert "Removed." in send(hr, f"/holidays/{own.id}/remove", {})
    for bad in ({"year": "2031"}, {"year": "x"}, {}, {"year": "2026", "site_id": "moon"}):
        assert post(hr, BASE + "/holidays/indonesia", bad).status_code == 404


RAMADAN = {
    "site_id": "plant",
    "valid_from": "2027-02-08",
    "valid_to": "2027-03-09",
    "starts": "07:30",
    "ends": "15:00",
    "weekdays": ["mon", "tue", "wed", "thu", "fri"],
    "pause": "Lunch",
    "pause_starts": "12:00",
    "pause_ends": "12:30",
    "friday_starts": "11:30",
    "friday_ends": "12:30",
}


def test_ramadan_is_one_form(world, hr):
    """Other hours and another lunch on those dates, a longer one on Fridays; before and after as ever."""
    assert "The Ramadan hours are planned." in send(hr, "/ramadan/", RAMADAN)
    schedule = schedule_of(world)

    def day(month: int, number: int) -> tuple[str, list[str]]:
        found = schedule.shift_on(date(2027, month, number))
        return found.shift.shift_id, [
            f"{each.time.start.astimezone(schedule.timezone):%H:%M} {each.time.length}"
            for each in found.pauses
        ]

    assert day(2, 5) == ("day", ["12:00 1:00:00"])
    assert day(2, 9) == ("ramadan-2027-plant", ["12:00 0:30:00"])
    assert day(2, 12) == ("ramadan-2027-plant", ["11:30 1:00:00"]), "a Friday"
    assert day(3, 10) == ("day", ["12:00 1:00:00"])
    again = send(hr, "/ramadan/", {**RAMADAN, "ends": "15:30", "valid_to": "2027-03-10"})
    assert "The Ramadan hours are planned." in again
    assert len(world.rows(models.ShiftAssignment)) == 2, "the second time it is changed, not doubled"
    assert len(world.rows(models.BreakWindow)) == 3
    assert {"shifts.import", "assignments.import", "breaks.import"} <= set(audited(world))


def test_a_ramadan_that_moves_replaces_what_was_planned(world, hr):
    """The dates as announced take the place of the foreseen ones, with their breaks, and that is said."""
    first = send(hr, "/ramadan/", RAMADAN)
    assert "recompute" not in first, "no day that is over changes"
    moved = {**RAMADAN, "valid_from": "2027-02-09", "valid_to": "2027-03-10", "pause": ""}
    again = send(hr, "/ramadan/", moved)
    assert f"planned before, from {RAMADAN['valid_from']} to {RAMADAN['valid_to']}." in again
    dated = [each for each in world.rows(models.ShiftAssignment) if each.valid_from]
    assert [str(each.valid_from) for each in dated] == ["2027-02-09"]
    assert not [each for each in world.rows(models.BreakWindow) if each.valid_from]
    assert {"assignments.remove", "breaks.remove"} <= set(audited(world))


def test_a_short_saturday_goes_on_in_ramadan(world, hr):
    """The new hours are for the week; what the site works on other days stays."""
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Shift, "day").weekdays = "mon,tue,wed,thu,fri"
        builders.a_shift(work.session, "short", weekdays="sat", starts=time(8), ends=time(13))
    assert 'value="sat" checked' not in hr.get(BASE + "/ramadan/").text
    send(hr, "/ramadan/", RAMADAN)
    assert [worked(world, date(2027, 2, day)) for day in (12, 13, 14)] == ["ramadan-2027-plant", "short", ""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"valid_to": ""}, "This is needed."),
        ({"valid_to": "2027-01-01"}, "The last day cannot be before the first day."),
        ({"starts": "early"}, "That is not a time."),
        ({"friday_ends": ""}, "This is needed."),
        ({"weekdays": []}, "Choose at least one day."),
        ({"site_id": "moon"}, "There is no site moon."),
    ],
)
def test_ramadan_is_all_or_nothing(world, hr, change, words):
    """With one mistake there is no new shift, no assignment and no break."""
    assert words in send(hr, "/ramadan/", {**RAMADAN, **change})
    assert len(world.rows(models.Shift)) == len(world.rows(models.ShiftAssignment)) == 1
    assert len(world.rows(models.BreakWindow)) == 1
    assert audited(world) == []


def test_the_roster_shows_shifts_holidays_leave_and_who_is_not_employed(world, hr):
    """A week of three people, each day in words."""
    with UnitOfWork(world.engine) as work:
        work.session.add(
            models.Leave(
                employee_id="EMP001", kind="annual", first_on=date(2026, 12, 1), last_on=date(2026, 12, 2)
            )
        )
        work.session.add(models.Holiday(day=date(2026, 12, 4), name="Ulang tahun", site_id="plant"))
        work.session.get_one(models.Employee, "EMP003").resigned_on = date(2026, 12, 2)
    text = hr.get(BASE + "/?date=2026-12-03").text
    assert text.count("Annual leave") == 2 and "Ulang tahun" in text
    assert text.count("08:00–17:00") == 3 * 7 - 2 - 2 - 4, "less leave, holidays, and after the last day"
    assert text.count("Not employed on this day") == 4
    assert "Ahmad" not in hr.get(BASE + "/?date=2026-12-03&q=budi").text
    assert "Nobody matches" in hr.get(BASE + "/?department=None").text


def test_the_roster_asks_the_same_however_many_people_there_are(world, hr):
    """A page of fifty, with a fixed number of questions."""
    asked: list[str] = []
    event.listen(
        world.app.extensions["hadir"].engine, "before_cursor_execute", lambda *each: asked.append(each[2])
    )

    def questions() -> dict[str, int]:
        counts = {}
        for path in ("/?date=2026-12-03", "/assignments/"):
            asked.clear()
            assert hr.get(BASE + path).status_code == 200
            counts[path] = len(asked)
        return counts

    before = questions()
    with UnitOfWork(world.engine) as work:
        for number in range(100, 220):
            builders.an_employee(work.session, f"EMP{number}")
            own = {"site_id": "plant", "employee_id": f"EMP{number}", "rotation_id": "two"}
            work.session.add(models.ShiftAssignment(**own))
    assert hr.get(BASE + "/").text.count('<tr>\n      <th scope="row">') == 50
    assert questions() == before
    assert max(before.values()) <= 22


def test_the_bars_of_a_week_go_round_on_sunday_night():
    """A night from Sunday to Monday has its end at the left edge."""
    bars = week_bars(time(22), time(6), [0, 6])
    assert [(each.offset, each.length) for each in bars] == [
        (22 * 60, 8 * 60),
        (WEEK_MINUTES - 120, 120),
        (0, 360),
    ]
    assert sum(each.length for each in week_bars(time(7), time(7), range(7))) == WEEK_MINUTES


def test_nothing_typed_into_a_name_becomes_markup(world, hr):
    """A shift called like a script is only a name, on every page that shows it."""
    name = '<script>alert("x")</script>'
    send(hr, "/shifts/day", {**SHIFT, "name": name, "shift_id": "day"})
    with UnitOfWork(world.engine) as work:
        assert work.session.scalar(select(models.Shift.name)) == name
    for path in PAGES.values():
        assert "<script>alert" not in hr.get(BASE + path).text

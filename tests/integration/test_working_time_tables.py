"""Shifts, rotations, assignments, breaks and holidays come and go as tables, and never double."""

from datetime import UTC, date, datetime, time

import pytest
from sqlalchemy import select

from central_server.db import models
from central_server.db.stores import people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import Schedule
from central_server.services.exchange.every import TABLES
from central_server.services.exchange.table import Imported, import_rows
from central_server.services.set_shift import ShiftRefused, set_site_shift
from central_server.services.take_holidays import UnknownYear, has_doubts, listed, take_indonesias, years
from tests import builders

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
ROWS = {
    "shifts": [
        {"shift_id": "day", "name": "Pagi", "starts": "8.00", "ends": "17:00", "weekdays": "Mon-Fri"},
        {
            "shift_id": "night",
            "name": "Malam",
            "starts": "22:00",
            "ends": "06:00",
            "weekdays": "sat-thu",
            "early_in_min": "60",
            "late_out_min": "180",
            "late_grace_min": "0",
            "early_leave_grace_min": "5",
        },
        {"shift_id": "short", "name": "Sabtu", "starts": "08:00", "ends": "13:00", "weekdays": "sat"},
    ],
    "rotations": [
        {"rotation_id": "two", "name": "2-2", "starts_on": "5/1/2026", "pattern": "day, day night night off"}
    ],
    "assignments": [
        {"site_id": "plant", "shift_id": "day"},
        {"site_id": "plant", "shift_id": "short"},
        {"site_id": "plant", "employee_id": "EMP001", "rotation_id": "two", "valid_from": "01/02/2026"},
        {
            "site_id": "plant",
            "employee_id": "EMP001",
            "shift_id": "day",
            "valid_from": "2026-05-01",
            "valid_to": "2026-05-31",
        },
    ],
    "breaks": [
        {"site_id": "plant", "name": "Lunch", "starts": "12:00", "ends": "13:00", "weekdays": "mon-thu"},
        {"site_id": "plant", "name": "Lunch", "starts": "11:30", "ends": "13:00", "weekdays": "fri"},
        {"site_id": "plant", "name": "Asar", "starts": "15:00", "ends": "15:15", "is_paid": "ya"},
        {"site_id": "plant", "shift_id": "night", "name": "Sahur", "starts": "03:30", "ends": "04:00"},
    ],
    "holidays": [
        {"day": "17/08/2026", "name": "Proklamasi Kemerdekaan"},
        {"day": "2026-08-18", "name": "Company day", "kind": "company", "site_id": "plant"},
        {"day": "2027-03-10", "name": "Idulfitri", "is_certain": "tidak"},
    ],
}


@pytest.fixture
def plant(engine):
    """A site with one person, and no working hours."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.an_employee(work.session, "EMP001")
    return engine


def take(engine, table: str, *rows: dict[str, str], dry_run: bool = False) -> Imported:
    with UnitOfWork(engine) as work:
        return import_rows(TABLES[table], rows, work, site_id="plant", now=NOW, actor="test", dry_run=dry_run)


def exported(engine, table: str) -> list[dict[str, str]]:
    with UnitOfWork(engine) as work:
        return [dict(row) for row in TABLES[table].read(work)]


@pytest.fixture
def furnished(plant):
    """The same with all that ROWS say."""
    for table, rows in ROWS.items():
        assert take(plant, table, *rows).bad == ()
    return plant


def schedule_of(engine, employee_id: str = "EMP001") -> Schedule:
    with UnitOfWork(engine) as work:
        found = people.by_id(work.session, [employee_id])
        return shifts.schedules(work.session, found, day_cutoff=time(4))[employee_id]


def codes(done: Imported) -> set[tuple[str, str]]:
    return {(each.problem.column, each.problem.code) for each in done.bad}


@pytest.mark.parametrize("table", ROWS)
def test_what_was_exported_changes_nothing_when_it_comes_back(furnished, table):
    """Nor does what was typed by hand, however it was spelt; and no row is lost or doubled."""
    rows = exported(furnished, table)
    assert len(rows) == len(ROWS[table])
    for again in (rows, ROWS[table]):
        done = take(furnished, table, *again)
        assert (done.added, done.changed, done.unchanged, done.bad) == (0, 0, len(rows), ())
    assert exported(furnished, table) == rows
    assert set(rows[0]) == {each.name for each in TABLES[table].columns}


@pytest.mark.parametrize("table", ROWS)
def test_a_dry_run_tells_what_would_be_and_does_nothing(plant, table):
    """The same numbers, and an empty table still."""
    for before, rows in ROWS.items():
        if before == table:
            break
        take(plant, before, *rows)
    assert take(plant, table, *ROWS[table], dry_run=True).added == len(ROWS[table])
    assert exported(plant, table) == []


@pytest.mark.parametrize(
    ("table", "row", "problem"),
    [
        ("shifts", {"shift_id": "Day One"}, ("shift_id", "no_slug")),
        ("shifts", {"shift_id": "off"}, ("shift_id", "off_is_taken")),
        ("shifts", {"starts": "8 am"}, ("starts", "no_time")),
        ("shifts", {"ends": ""}, ("ends", "empty")),
        ("shifts", {"weekdays": "moonday"}, ("weekdays", "no_weekdays")),
        ("shifts", {"late_grace_min": "241"}, ("late_grace_min", "no_number")),
        ("shifts", {"late_out_min": "-1"}, ("late_out_min", "no_number")),
        ("shifts", {"late_out_min": "721"}, ("late_out_min", "no_number")),
        ("rotations", {"pattern": "day,evening"}, ("pattern", "no_shift")),
        ("rotations", {"pattern": ","}, ("pattern", "empty")),
        ("rotations", {"starts_on": "soon"}, ("starts_on", "no_date")),
        ("assignments", {"shift_id": "evening"}, ("shift_id", "no_shift")),
        ("assignments", {"shift_id": ""}, ("shift_id", "one_of_two")),
        ("assignments", {"rotation_id": "two"}, ("shift_id", "one_of_two")),
        ("assignments", {"shift_id": "", "rotation_id": "x"}, ("rotation_id", "no_rotation")),
        ("assignments", {"employee_id": "EMP999"}, ("employee_id", "no_employee")),
        ("assignments", {"site_id": "moon"}, ("site_id", "no_site")),
        ("assignments", {"valid_from": "2026-02-01", "valid_to": "2026-01-31"}, ("valid_to", "order")),
        ("breaks", {"shift_id": "evening"}, ("shift_id", "no_shift")),
        ("breaks", {"site_id": "moon"}, ("site_id", "no_site")),
        ("breaks", {"is_paid": "maybe"}, ("is_paid", "no_yes_or_no")),
        ("breaks", {"weekdays": "friday"}, ("weekdays", "no_weekdays")),
        ("breaks", {"ends": "25:00"}, ("ends", "no_time")),
        ("holidays", {"kind": "bank"}, ("kind", "no_choice")),
        ("holidays", {"site_id": "moon"}, ("site_id", "no_site")),
    ],
)
def test_a_wrong_row_is_refused_with_its_reason_and_takes_the_others_with_it(furnished, table, row, problem):
    """All rows or none, and the line is told."""
    before = exported(furnished, table)
    done = take(furnished, table, *ROWS[table][1:], {**ROWS[table][0], **row})
    lines = [each.line for each in done.bad if (each.problem.column, each.problem.code) == problem]
    assert lines == [len(ROWS[table]) + 1]
    assert exported(furnished, table) == before


def test_a_changed_row_changes_what_is_there(furnished):
    """Another time, another end, another shift from the same day: never a second row beside the first."""
    take(furnished, "shifts", {**ROWS["shifts"][0], "starts": "07:45"})
    take(furnished, "breaks", {**ROWS["breaks"][0], "ends": "12:45"})
    take(furnished, "assignments", {"site_id": "plant", "shift_id": "night", "valid_from": ""})
    take(furnished, "holidays", {"day": "2026-08-17", "name": "HUT RI"})
    assert {table: len(exported(furnished, table)) for table in ROWS} == {
        **{table: len(rows) for table, rows in ROWS.items()},
        "assignments": 3,  # the night works on Saturdays too, so it took the places of both defaults
    }
    assert exported(furnished, "shifts")[0]["starts"] == "07:45"


def test_two_words_about_the_same_day_in_one_table_are_refused(furnished):
    """Which of them would count? A short Saturday beside Monday to Friday is no such case."""
    same = [{"site_id": "plant", "employee_id": "EMP001", "valid_from": "2026-12-01"}]
    done = take(furnished, "assignments", {**same[0], "shift_id": "day"}, {**same[0], "rotation_id": "two"})
    assert codes(done) == {("valid_from", "same_start")}
    done = take(furnished, "assignments", {**same[0], "shift_id": "day"}, {**same[0], "shift_id": "short"})
    assert done.added == 2
    lunch = {**ROWS["breaks"][0], "weekdays": "thu-fri"}
    assert codes(take(furnished, "breaks", ROWS["breaks"][1], lunch)) == {("name", "same_name")}


def test_a_short_saturday_lies_beside_the_week(furnished):
    """Two defaults from the same day, each on its own weekdays."""
    schedule = schedule_of(furnished)
    assert schedule.shift_on(date(2026, 1, 9)).shift.shift_id == "day"
    assert schedule.shift_on(date(2026, 1, 10)).shift.shift_id == "short"
    assert schedule.shift_on(date(2026, 1, 11)) is None


def test_a_dated_default_replaces_the_old_one_whole_and_ends(furnished):
    """During Ramadan the site begins earlier, Saturdays are free, and afterwards all is as before."""
    take(
        furnished,
        "shifts",
        {"shift_id": "fast", "name": "Ramadan", "starts": "07:30", "ends": "15:00"},
    )
    dates = {"valid_from": "2026-01-12", "valid_to": "2026-01-25"}
    take(furnished, "assignments", {"site_id": "plant", "shift_id": "fast", **dates})
    schedule = schedule_of(furnished)
    worked = {day: schedule.shift_on(date(2026, 1, day)) for day in (9, 12, 17, 23, 26)}
    assert {day: each.shift.shift_id if each else None for day, each in worked.items()} == {
        9: "day",
        12: "fast",
        17: None,
        23: "fast",
        26: "day",
    }


def test_breaks_of_one_name_replace_each_other_in_ramadan(furnished):
    """The dated lunch counts instead of the old one, on Fridays too; the paid prayer stays."""
    dates = {"valid_from": "2026-01-12", "valid_to": "2026-01-25"}
    lunch = {"site_id": "plant", "name": "Lunch", "starts": "12:00", "ends": "12:30", **dates}
    take(furnished, "breaks", lunch)

    def pauses(day: int) -> list[tuple[str, str, bool]]:
        shift_day = schedule_of(furnished).shift_on(date(2026, 1, day))
        local = [
            (each, each.time.start.astimezone(schedule_of(furnished).timezone)) for each in shift_day.pauses
        ]
        return [(each.name, f"{start:%H:%M} {each.time.length}", each.is_paid) for each, start in local]

    prayer = ("Asar", "15:00 0:15:00", True)
    assert pauses(15) == [("Lunch", "12:00 0:30:00", False), prayer]
    assert pauses(16) == [("Lunch", "12:00 0:30:00", False), prayer], "a Friday"
    assert pauses(26) == [("Lunch", "12:00 1:00:00", False), prayer]
    assert pauses(30) == [("Lunch", "11:30 1:30:00", False), prayer]


def test_the_break_of_a_shift_comes_before_the_one_of_all(furnished):
    """The late shift has its lunch later, and not a second one."""
    take(furnished, "breaks", {**ROWS["breaks"][0], "shift_id": "day", "starts": "13:00", "ends": "13:30"})
    monday = schedule_of(furnished).shift_on(date(2026, 1, 5))
    assert {(each.name, str(each.time.length)) for each in monday.pauses} == {
        ("Asar", "0:15:00"),
        ("Lunch", "0:30:00"),
    }


def test_the_command_follows_the_same_rules_and_takes_the_default_over(furnished):
    """`shift set` makes the shift the site's, refuses what the table refuses, and says what it did."""
    hours = {"shift_id": "new", "name": "New", "starts": "07:00", "ends": "15:00", "early_in_min": "30"}
    with UnitOfWork(furnished) as work:
        assert set_site_shift(work, "plant", hours, now=NOW, actor="test") is True
    with UnitOfWork(furnished) as work:
        assert set_site_shift(work, "plant", {**hours, "name": "Newer"}, now=NOW, actor="test") is False
    with UnitOfWork(furnished) as work, pytest.raises(ShiftRefused, match="early_in_min '900'"):
        set_site_shift(work, "plant", {**hours, "early_in_min": "900"}, now=NOW, actor="test")
    defaults = [each["shift_id"] for each in exported(furnished, "assignments") if not each["employee_id"]]
    assert defaults == ["short", "new"]
    with UnitOfWork(furnished) as work:
        audited = list(work.session.scalars(select(models.AuditLog.action)))
    done = ["shifts.import", "assignments.replace", "assignments.import", "shifts.import"]
    assert audited[-4:] == done


DECREE_2026 = {
    "national": "01-01 01-16 02-17 03-19 03-21 03-22 04-03 04-05 05-01 05-14 05-27 05-31 06-01 06-16 08-17 "
    "08-25 12-25",
    "collective": "02-16 03-18 03-20 03-23 03-24 05-15 05-28 12-24",
}
FORESEEN_2027 = {
    "national": "01-01 01-05 02-06 03-08 03-10 03-11 03-26 03-28 05-01 05-06 05-17 05-20 06-01 06-06 08-15 "
    "08-17 12-25 12-26",
    "collective": "02-05 03-09 03-12 03-15 03-25 05-18 05-19 12-24",
}
KNOWN_WITHOUT_A_DECREE = {"01-01", "03-26", "03-28", "05-01", "05-06", "06-01", "08-17", "12-25"}


@pytest.mark.parametrize(("year", "days"), [(2026, DECREE_2026), (2027, FORESEEN_2027)])
def test_indonesias_days_are_the_right_ones(year, days):
    """17 national holidays and 8 days of collective leave in 2026; 2027 as far as anybody can know."""
    for kind, expected in days.items():
        found = {row["day"] for row in listed(year) if row["kind"] == kind}
        assert found == {f"{year}-{each}" for each in expected.split()}
    certain = {row["day"][5:] for row in listed(year) if row["is_certain"] == "yes"}
    assert certain == (KNOWN_WITHOUT_A_DECREE if year == 2027 else {row["day"][5:] for row in listed(year)})
    assert has_doubts(year) is (year == 2027)


def test_indonesias_days_are_taken_over_once(plant):
    """Again changes nothing; without collective leave it is only the national days; no list, no guess."""
    assert years() == (2026, 2027)
    with UnitOfWork(plant) as work:
        done = take_indonesias(work, 2026, with_collective=False, now=NOW, actor="test")
    assert (done.added, done.changed) == (17, 0)
    with UnitOfWork(plant) as work:
        done = take_indonesias(work, 2026, now=NOW, actor="test")
    assert (done.added, done.changed, done.unchanged) == (8, 0, 17)
    with UnitOfWork(plant) as work, pytest.raises(UnknownYear, match="there are: 2026, 2027"):
        take_indonesias(work, 2031, now=NOW, actor="test")
    assert schedule_of(plant).is_holiday(date(2026, 3, 21))


def test_what_hr_has_checked_is_not_put_in_doubt_again(plant):
    """A day of 2027 that the decree confirmed stays certain, and keeps the name it was given."""
    confirmed = {"day": "2027-03-10", "name": "Idulfitri 1448 H", "is_certain": "yes"}
    take(plant, "holidays", confirmed)
    with UnitOfWork(plant) as work:
        take_indonesias(work, 2027, now=NOW, actor="test")
    assert {**confirmed, "kind": "national", "site_id": ""} in exported(plant, "holidays")


def test_indonesian_words_and_headings_are_kept_as_the_codes(furnished):
    """Who types `cuti tahunan` under `Jenis` means annual leave; exports say what they always say."""
    row = {"nik": "EMP001", "jenis": "Cuti tahunan", "mulai": "29/12/26", "selesai": "30/12/26"}
    assert not take(furnished, "leaves", row).bad
    kept = next(each for each in exported(furnished, "leaves") if each["first_on"] == "2026-12-29")
    assert (kept["employee_id"], kept["kind"], kept["last_on"]) == ("EMP001", "annual", "2026-12-30")
    assert not take(furnished, "shifts", {**ROWS["shifts"][0], "weekdays": "Senin-Kamis; sab"}).bad
    assert exported(furnished, "shifts")[0]["weekdays"] == "mon,tue,wed,thu,sat"
    assert not take(furnished, "holidays", {"tanggal": "01/06/27", "nama": "X", "jenis": "cuti bersama"}).bad
    assert not take(furnished, "rotations", {**ROWS["rotations"][0], "pattern": "day, libur"}).bad


def test_words_that_can_stand_there_are_told(furnished):
    """A word that is none of a list is answered with the list."""
    done = take(furnished, "leaves", {"employee_id": "EMP001", "kind": "piknik",
                                      "first_on": "2027-01-04", "last_on": "2027-01-04"})  # fmt: skip
    assert "leave, annual, sick" in done.bad[0].problem.words


def test_without_a_needed_column_only_that_is_told(furnished):
    """Of rows that cannot be told apart nothing else makes sense."""
    rows = [{"number": str(n), "name": "Budi"} for n in range(30)]
    told = [each.problem.words for each in take(furnished, "employees", *rows).bad]
    assert told == ["there is no column number in this table", "the column employee_id is missing"]


def test_a_file_without_rows_is_no_success(plant):
    """Its headings are judged nevertheless."""
    with UnitOfWork(plant) as work:
        more = {"site_id": "plant", "now": NOW, "actor": "test"}
        nonsense = import_rows(TABLES["employees"], [], work, heading=("hellohello",), **more)
        only_headings = import_rows(TABLES["employees"], [], work, heading=("employee_id", "name"), **more)
    assert {each.problem.code for each in nonsense.bad} == {"unknown_column", "missing_column", "no_rows"}
    assert [each.problem.code for each in only_headings.bad] == ["no_rows"]


def test_a_role_without_a_time_has_none_of_its_own(furnished):
    """Emptying its cell takes a role's own time away."""
    role = {"role": "Porter", "threshold_s": "900"}
    assert not take(furnished, "roles", role).bad
    assert not take(furnished, "roles", {**role, "threshold_s": ""}).bad
    assert role not in exported(furnished, "roles")


def test_nobody_is_given_working_time_at_another_site(furnished):
    """Somebody of one site in the rows of another is a slip, and is told."""
    with UnitOfWork(furnished) as work:
        builders.a_site(work.session, "mks")
    row = {"site_id": "mks", "employee_id": "EMP001", "shift_id": "day", "valid_from": "2027-05-01"}
    problem = take(furnished, "assignments", row).bad[0].problem
    assert (problem.code, problem.value) == ("other_site", "plant")

"""Tables that come and go as spreadsheets: what is taken, what is refused, that nothing is lost."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from central_server.adapters.spreadsheet import csv_bytes, xlsx_bytes
from central_server.adapters.table_files import read_table
from central_server.db import models
from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.stores import attendance
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange.every import TABLES
from central_server.services.exchange.export_rows import example, export_rows, heading
from central_server.services.exchange.one_row import keep_row, remove_row
from central_server.services.exchange.table import Imported, import_rows
from central_server.services.manage_people import PersonDetails, change_employee
from central_server.services.recompute_attendance import recompute_days, recompute_days_due
from tests import builders
from tests.postgres import binaries, postgres_server

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def database(request, tmp_path_factory) -> Iterator[Engine]:
    """An empty database with every table, on both kinds."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('tables') / 'hadir.db'}")
        Base.metadata.create_all(engine)
        yield engine
        engine.dispose()
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres_server(port) as address:
        engine = open_engine(address)
        Base.metadata.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def work(database: Engine) -> Iterator[UnitOfWork]:
    """A transaction over two sites and four people, of which nothing stays."""
    with UnitOfWork(database) as work:
        builders.a_site(work.session)
        builders.a_site(work.session, "depot", "Asia/Makassar", name="Depot")
        for code in ("E1", "E2", "E3", "E4"):
            builders.an_employee(work.session, code, phone="6281234567890")
        yield work
        work.session.rollback()


def take(work: UnitOfWork, kind: str, *rows: dict[str, str], **options) -> Imported:
    options = {"site_id": "plant", "now": NOW, "actor": "test"} | options
    return import_rows(TABLES[kind], rows, work, **options)


def codes(done: Imported) -> list[tuple[int, str, str]]:
    return [(each.line, each.problem.column, each.problem.code) for each in done.bad]


def in_full(work: UnitOfWork) -> None:
    """Fill every table with something of each kind."""
    session = work.session
    session.add_all(
        [
            models.RoleThreshold(role="Satpam", threshold_s=95),
            models.EmployeeZone(employee_id="E1", zone_id="plant-gate"),
            models.EmployeeZone(employee_id="E1", zone_id="depot-gate"),
            models.OrgHierarchy(employee_id="E1", supervisor_id="E2", valid_to=date(2025, 12, 31)),
            models.OrgHierarchy(employee_id="E1", supervisor_id="E3", valid_from=date(2026, 1, 1)),
            models.OrgHierarchy(employee_id="E2", supervisor_id="E3", level=2),
            models.Leave(employee_id="E1", kind="sick", first_on=date(2026, 3, 1), last_on=date(2026, 3, 2)),
            models.Leave(
                employee_id="E1",
                kind="trip",
                first_on=date(2026, 4, 1),
                last_on=date(2026, 4, 1),
                note='=to "Makassar", Mon; 1+1',
            ),
            models.Holiday(day=date(2026, 8, 17), name="Hari Kemerdekaan"),
            models.Holiday(day=date(2026, 8, 18), name="Ours", site_id="depot", kind="company"),
        ]
    )
    session.add_all(
        [
            models.Shift(shift_id="day", name="Pagi", starts=time(8), ends=time(17)),
            models.Shift(shift_id="night", name="Malam", starts=time(22), ends=time(6), weekdays="sun,mon"),
            models.Shift(shift_id="short", name="Sabtu", starts=time(8), ends=time(13), weekdays="sat"),
            models.Rotation(
                rotation_id="2-2", name="Dua-dua", starts_on=date(2026, 1, 5), pattern="day,day,off,night"
            ),
        ]
    )
    session.flush()
    session.add_all(
        [
            models.ShiftAssignment(site_id="plant", shift_id="day"),
            models.ShiftAssignment(site_id="plant", shift_id="short"),
            models.ShiftAssignment(site_id="plant", shift_id="night", valid_from=date(2026, 2, 1)),
            models.ShiftAssignment(
                site_id="plant",
                employee_id="E1",
                rotation_id="2-2",
                valid_from=date(2026, 2, 1),
                valid_to=date(2026, 3, 1),
            ),
            models.BreakWindow(site_id="plant", name="Lunch", starts=time(12), ends=time(13)),
            models.BreakWindow(
                site_id="depot", shift_id="night", name="Sahur", starts=time(3), ends=time(4), is_paid=True
            ),
        ]
    )
    gate = session.get_one(models.Zone, "plant-gate")
    gate.threshold_s, gate.is_entrance = 600, True
    leaver = builders.an_employee(session, "E5", name='-Ahmad; "Mad" \'Hid', role="Satpam")
    leaver.resigned_on, leaver.status, leaver.started_on = date(2026, 1, 31), "resigned", date(2020, 1, 1)
    leaver.is_watched = False
    session.flush()


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("write", [csv_bytes, xlsx_bytes])
def test_what_went_out_comes_back_as_it_was(work, kind, write):
    """Of every table: an export, read as a file and imported again, is understood and changes nothing."""
    in_full(work)
    table = TABLES[kind]
    content = write(heading(table), export_rows(table, work, now=NOW, actor="test"))
    done = take(work, kind, *read_table(content).rows, site_id="")
    assert (done.bad, done.added, done.changed) == ((), 0, 0)
    assert done.unchanged == len(list(table.read(work)))


@pytest.mark.parametrize("kind", [each.name for each in TABLES.values() if each.remove])
def test_what_went_out_makes_the_same_company_elsewhere(work, kind):
    """Of every table: its rows, taken away and imported from the file, are the same rows."""
    table = TABLES[kind]
    in_full(work)
    before = list(table.read(work))
    kept = [row for row in before if remove_row(table, row, work, now=NOW, actor="test")]
    assert list(table.read(work)) == kept
    done = take(work, kind, *before)
    assert (done.bad, done.added, done.unchanged) == ((), len(before) - len(kept), len(kept))
    assert list(table.read(work)) == before


@pytest.mark.parametrize("kind", TABLES)
def test_every_example_is_understood(work, kind):
    """The line in the empty table can be taken over, once the places and people that it names are there."""
    take(work, "zones", {"zone_id": "gate", "name": "G"}, {"zone_id": "hall", "name": "H"})
    for name in ("day", "night") if kind != "shifts" else ():
        take(work, "shifts", {"shift_id": name, "name": name, "starts": "08:00", "ends": "17:00"})
    for code in ("EMP001", "EMP002"):
        if kind != "employees" or code != "EMP001":
            builders.an_employee(work.session, code)
    row = dict(zip(heading(TABLES[kind]), example(TABLES[kind]), strict=True))
    done = take(work, kind, row)
    assert (codes(done), done.added + done.changed) == ([], 1)


@pytest.mark.parametrize(
    ("kind", "row", "problems"),
    [
        ("sites", {"site_id": "Big Site", "name": "x", "timezone": "WIB"}, [("site_id", "no_slug")]),
        ("sites", {"site_id": "b", "name": "x", "timezone": "Mars"}, [("timezone", "no_timezone")]),
        ("sites", {"site_id": "b", "name": "x", "timezone": "/etc/passwd"}, [("timezone", "no_timezone")]),
        (
            "sites",
            {"site_id": "b", "name": "x", "timezone": "WIB", "report_at": "5 pm"},
            [("report_at", "no_time")],
        ),
        ("zones", {"zone_id": "z", "name": "Z", "site_id": "moon"}, [("site_id", "no_site")]),
        ("zones", {"zone_id": "z", "name": "Z", "threshold_s": "5"}, [("threshold_s", "no_number")]),
        (
            "zones",
            {"zone_id": "z", "name": "Z", "is_public": "ya", "is_entrance": "ya"},
            [("is_entrance", "public_entrance")],
        ),
        ("zones", {"zone_id": "plant-gate", "name": "Z", "site_id": "depot"}, [("site_id", "zone_moves")]),
        ("roles", {"role": "Satpam", "threshold_s": "soon"}, [("threshold_s", "no_number")]),
        ("employees", {"employee_id": "a/b", "name": "x"}, [("employee_id", "no_code")]),
        ("employees", {"employee_id": "e1", "name": "x"}, [("employee_id", "taken")]),
        ("employees", {"employee_id": "E9", "name": "x" * 121}, [("name", "too_long")]),
        ("employees", {"employee_id": "E9", "name": "x", "phone": "6,28E+12"}, [("phone", "no_phone")]),
        ("employees", {"employee_id": "E9", "name": "x", "email": "me"}, [("email", "no_email")]),
        ("employees", {"employee_id": "E9", "name": "x", "zones": "plant-gate;moon"}, [("zones", "no_zone")]),
        (
            "employees",
            {"employee_id": "E1", "name": "x", "resigned_on": "2026-01-01"},
            [("resigned_on", "only_shown")],
        ),
        (
            "employees",
            {"employee_id": "E1", "name": "x", "supervisor_id": "E1"},
            [("supervisor_id", "own_superior")],
        ),
        (
            "employees",
            {"employee_id": "E1", "name": "x", "supervisor_id": "E9"},
            [("supervisor_id", "no_employee")],
        ),
        ("hierarchy", {"employee_id": "E1", "supervisor_id": "E1"}, [("supervisor_id", "own_superior")]),
        ("hierarchy", {"employee_id": "E1", "supervisor_id": "E9"}, [("supervisor_id", "no_employee")]),
        ("hierarchy", {"employee_id": "E1", "supervisor_id": "E2", "level": "0"}, [("level", "no_number")]),
        (
            "hierarchy",
            {"employee_id": "E1", "supervisor_id": "E2", "valid_from": "2026-02-01", "valid_to": "1/1/2026"},
            [("valid_to", "order")],
        ),
        (
            "leaves",
            {"employee_id": "E9", "first_on": "2026-01-01", "last_on": "2026-01-01"},
            [("employee_id", "no_employee")],
        ),
        (
            "leaves",
            {"employee_id": "E1", "kind": "fishing", "first_on": "2026-01-01", "last_on": "2026-01-01"},
            [("kind", "no_choice")],
        ),
        (
            "leaves",
            {"employee_id": "E1", "first_on": "31/02/2026", "last_on": "2026-01-01"},
            [("first_on", "no_date")],
        ),
        ("leaves", {"employee_id": "E1", "first_on": "2026-01-01"}, [("last_on", "missing_column")]),
        ("leaves", {"employee_id": "E1", "first_on": "2026-01-01", "last_on": ""}, [("last_on", "empty")]),
        (
            "roles",
            {"role": "Satpam", "threshold_s": "300", None: "Budi"},
            [("", "too_many_values")],
        ),
        ("roles", {"role": "Satpam", "threshold_s": "300", "colour": "x"}, [("colour", "unknown_column")]),
    ],
)
def test_a_bad_row_is_told_and_nothing_happens(work, kind, row, problems):
    """The column, what is wrong with it in words, and no change beside it."""
    before = list(TABLES[kind].read(work))
    done = take(work, kind, row)
    assert [(each.problem.column, each.problem.code) for each in done.bad] == problems
    assert all(each.problem.words for each in done.bad)
    assert list(TABLES[kind].read(work)) == before
    assert not work.session.scalars(select(models.AuditLog)).all()


def test_one_bad_row_keeps_the_good_ones_out(work):
    """All rows or none; each bad row has its line, also below empty ones."""
    rows = ({"employee_id": "N1", "name": "New"}, {}, {"employee_id": "N2", "name": ""}, {"name": "x"})
    done = take(work, "employees", *rows, {"employee_id": "N1", "name": "Twice"})
    assert codes(done) == [
        (4, "name", "empty"),
        (5, "employee_id", "empty"),
        (6, "employee_id", "repeated"),
    ]
    assert work.session.get(models.Employee, "N1") is None


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_what_is_empty_hides_nothing_else_and_breaks_nothing(work, table):
    """Of a row without what it needs that is told of each value, and nothing falls over the others."""
    whole = {each.name: each.example for each in table.columns}
    needed = [each.name for each in table.columns if each.is_required]
    several = [needed] if len(needed) < len(whole) else []  # a line without anything is none
    for gone in (*([name] for name in needed), *several):
        done = take(work, table.name, whole | dict.fromkeys(gone, ""))
        assert [each.problem.column for each in done.bad if each.problem.code == "empty"] == gone
        assert len({(each.problem.column, each.problem.value) for each in done.bad}) == len(done.bad)


def test_of_a_bad_row_everything_is_told(work):
    """The name is missing, the phone is none, and the superior is unknown: one round of corrections."""
    row = {"employee_id": "N1", "name": "", "phone": "12", "supervisor_id": "nobody"}
    found = [each.column for each in (bad.problem for bad in take(work, "employees", row).bad)]
    assert found == ["name", "phone", "supervisor_id"]


def test_a_dry_run_tells_what_an_import_then_does(work):
    """The same differences, before and after; nothing is changed, and nothing is written down."""
    rows = (
        {"employee_id": "E1", "name": "Budi  S.", "phone": "0811 222 333", "department": ""},
        {"employee_id": "N1", "name": "New", "supervisor_id": "N2", "zones": "plant-gate, depot-gate"},
        {"employee_id": "N2", "name": "Boss", "is_watched": "tidak", "started_on": "31/01/2024"},
    )
    before = list(TABLES["employees"].read(work))
    tried = take(work, "employees", *rows, dry_run=True)
    assert list(TABLES["employees"].read(work)) == before
    assert (tried.added, tried.changed, tried.unchanged) == (2, 1, 0)
    assert tried.differences[0].changed == ("name", "phone")
    done = take(work, "employees", *rows)
    assert done == tried
    assert take(work, "employees", *rows).unchanged == 3
    new = {row["employee_id"]: row for row in TABLES["employees"].read(work)}
    assert new["N1"]["supervisor_id"] == "N2"
    assert new["N1"]["zones"] == "depot-gate;plant-gate"
    assert (new["N2"]["is_watched"], new["N2"]["started_on"]) == ("no", "2024-01-31")
    assert work.session.get_one(models.Employee, "N1").consent_at is None
    (line,) = work.session.scalars(select(models.AuditLog))
    assert line.action == "employees.import"
    assert line.detail["rows"][0]["changed"]["phone"] == ["***", "***"]
    assert "62811" not in str(line.detail)


def test_the_audit_keeps_no_illness_and_no_number(work):
    """It outlives the person's leave and phone: that they changed stands there, and who did it."""
    leave = {"employee_id": "E1", "kind": "sick", "first_on": "2026-12-21", "last_on": "2026-12-24"}
    keep_row(TABLES["leaves"], leave | {"note": "operasi"}, work, now=NOW, actor="user:hr")
    remove_row(TABLES["leaves"], leave, work, now=NOW, actor="user:hr")
    details = PersonDetails(name="Budi", phone="0812 9999 8888", email="budi@example.com")
    change_employee(work, "E1", details, now=NOW, actor="user:hr")
    work.session.flush()
    kept = list(work.session.scalars(select(models.AuditLog)))
    assert [each.action for each in kept] == ["leaves.import", "leaves.remove", "employee.change"]
    told = str([each.detail for each in kept])
    assert not [each for each in ("sick", "operasi", "9999", "budi@") if each in told]
    assert kept[1].detail["first_on"] == "2026-12-21"
    assert kept[2].detail["phone"][1] == "***"


def test_columns_that_are_missing_stay_as_they_are(work):
    """A table of names and phones takes nobody's department, zones or superior away; an empty cell does."""
    full = {"department": "Gudang", "role": "Satpam", "zones": "plant-gate", "supervisor_id": "E2"}
    take(work, "employees", {"employee_id": "E1", "name": "Budi", **full, "email": "b@example.com"})
    take(work, "employees", {"employee_id": "E1", "name": "Budi S."})
    (row,) = (each for each in TABLES["employees"].read(work) if each["employee_id"] == "E1")
    assert {name: row[name] for name in full} == full
    take(work, "employees", {"employee_id": "E1", "name": "Budi S.", "email": "", "zones": ""})
    (row,) = (each for each in TABLES["employees"].read(work) if each["employee_id"] == "E1")
    assert (row["email"], row["zones"], row["department"]) == ("", "", "Gudang")


def test_a_row_without_a_site_stays_where_it_is(work):
    """The site of the import is for new rows alone; without one, and with several, a new row is refused."""
    take(work, "employees", {"employee_id": "E1", "name": "Budi", "site_id": "depot"})
    take(work, "employees", {"employee_id": "E1", "name": "Budi S.", "site_id": ""})
    assert work.session.get_one(models.Employee, "E1").site_id == "depot"
    done = take(work, "employees", {"employee_id": "N1", "name": "New"}, site_id="")
    assert codes(done) == [(2, "site_id", "no_site_named")]


def test_nobody_leaves_by_a_table(work):
    """The last day is shown, also in a change of something else, and is neither set nor taken away."""
    in_full(work)
    (row,) = (each for each in TABLES["employees"].read(work) if each["employee_id"] == "E5")
    assert row["resigned_on"] == "2026-01-31"
    assert take(work, "employees", {**row, "department": "Old"}).changed == 1
    for last_day in ("", "2026-02-28"):
        done = take(work, "employees", {**row, "resigned_on": last_day})
        assert codes(done) == [(2, "resigned_on", "only_shown")]
    assert work.session.query(models.FaceTemplate).filter_by(employee_id="E5").count() == 1


def test_a_circle_is_refused_whoever_makes_it(work):
    """With what is there, within one table, on common days only, and by the column of the employees."""
    take(work, "hierarchy", {"employee_id": "E1", "supervisor_id": "E2"})
    take(work, "hierarchy", {"employee_id": "E2", "supervisor_id": "E3", "level": "2"})
    back = {"employee_id": "E3", "supervisor_id": "E1"}
    assert codes(take(work, "hierarchy", back)) == [(2, "supervisor_id", "circular")]
    done = take(work, "employees", {"employee_id": "E3", "name": "Ann", "supervisor_id": "E1"})
    assert codes(done) == [(2, "supervisor_id", "circular")]
    end = {"employee_id": "E1", "supervisor_id": "E2", "valid_to": "2026-06-30"}
    later = {**back, "valid_from": "2026-07-01"}
    assert not take(work, "hierarchy", end, later).bad
    two = ({"employee_id": "E4", "supervisor_id": "N1"}, {"employee_id": "N1", "supervisor_id": "E4"})
    builders.an_employee(work.session, "N1")
    assert [each[2] for each in codes(take(work, "hierarchy", *two))] == ["circular", "circular"]


def test_one_level_has_one_superior_at_a_time(work):
    """A new one begins when the other one ends; the two may stand in one table."""
    take(work, "hierarchy", {"employee_id": "E1", "supervisor_id": "E2", "valid_from": "2026-01-01"})
    new = {"employee_id": "E1", "supervisor_id": "E3", "valid_from": "2026-12-01"}
    assert codes(take(work, "hierarchy", new)) == [(2, "supervisor_id", "level_taken")]
    old = {"employee_id": "E1", "supervisor_id": "E2", "valid_from": "2026-01-01", "valid_to": "30/11/2026"}
    done = take(work, "hierarchy", new, old)
    assert (done.bad, done.added, done.changed) == ((), 1, 1)


def test_the_superior_of_a_list_of_people_counts_from_today(work):
    """Who it was until yesterday stays on record, so that an old day can still be explained."""
    take(work, "employees", {"employee_id": "E1", "name": "Budi", "supervisor_id": "E2"})
    take(work, "employees", {"employee_id": "E1", "name": "Budi", "supervisor_id": "E3"})
    links = work.session.scalars(select(models.OrgHierarchy).order_by(models.OrgHierarchy.id)).all()
    today = date(2026, 11, 25)
    told = [(each.supervisor_id, each.valid_from, each.valid_to) for each in links]
    assert told == [("E2", None, today - timedelta(days=1)), ("E3", today, None)]
    take(work, "employees", {"employee_id": "E1", "name": "Budi", "supervisor_id": ""})
    assert [each.supervisor_id for each in work.session.scalars(select(models.OrgHierarchy))] == ["E2"]


def test_two_leaves_of_one_person_do_not_overlap(work):
    """Neither with what is there nor within a table; another person's, or a change of the same one, may."""
    first = {"employee_id": "E1", "kind": "annual", "first_on": "2026-12-21", "last_on": "2026-12-24"}
    assert take(work, "leaves", first).added == 1
    inside = {**first, "first_on": "2026-12-24", "last_on": "2026-12-28"}
    assert codes(take(work, "leaves", inside)) == [(2, "first_on", "overlaps")]
    assert take(work, "leaves", {**inside, "employee_id": "E2"}).added == 1
    assert take(work, "leaves", {**first, "last_on": "2026-12-23"}, inside).added == 1
    pair = ({**first, "employee_id": "E3"}, {**inside, "employee_id": "E3"})
    assert len(take(work, "leaves", *pair).bad) == 2


def test_a_leave_that_is_told_of_afterwards_counts(work):
    """Who was absent was on leave, once HR says so; and absent again when the leave is taken away."""
    builders.a_shift(work.session)
    monday, rules = builders.MONDAY, builders.the_rules()
    recompute_days(work, {("E1", monday)}, rules, now=NOW)

    def status() -> str:
        recompute_days_due(work, rules, now=NOW)
        return attendance.of_day(work.session, monday)["E1"].status

    assert status() == "absent"
    leave = {"employee_id": "E1", "kind": "sick", "first_on": monday.isoformat()}
    take(work, "leaves", {**leave, "last_on": monday.isoformat()})
    assert status() == "leave"
    earlier = {**leave, "first_on": "2026-11-20"}
    remove_row(TABLES["leaves"], leave, work, now=NOW, actor="test")
    assert status() == "absent"
    take(work, "leaves", {**earlier, "last_on": "2026-11-24"})
    assert status() == "leave"
    take(work, "leaves", {**earlier, "last_on": "2026-11-20"})
    assert status() == "absent"


def test_what_others_hang_on_cannot_be_removed(work):
    """A site with people, a zone with cameras: it is said what is in the way. A leave simply goes."""

    def remove(kind: str, **key: str) -> list[str]:
        return [each.value for each in remove_row(TABLES[kind], key, work, now=NOW, actor="test")]

    (using,) = remove("sites", site_id="plant")
    assert {"Employee", "Zone", "Camera", "Agent"} <= set(using.split(", "))
    assert remove("zones", zone_id="plant-gate") == ["Camera"]
    take(work, "zones", {"zone_id": "hall", "name": "Hall"})
    assert remove("zones", zone_id="hall") == []
    take(work, "leaves", {"employee_id": "E1", "first_on": "2026-12-21", "last_on": "2026-12-24"})
    assert remove("leaves", employee_id="E1", first_on="2026-12-21") == []
    assert remove("leaves", employee_id="E1", first_on="2026-12-21") == []
    assert work.session.query(models.Leave).count() == 0
    actions = [each.action for each in work.session.scalars(select(models.AuditLog))]
    assert actions == ["zones.import", "zones.remove", "leaves.import", "leaves.remove"]


def test_a_form_that_adds_does_not_change_what_is_there(work):
    """A second site with the code of the first is refused; a form that changes does change."""
    row = {"site_id": "plant", "name": "Other", "timezone": "WIT"}
    options = {"now": NOW, "actor": "user:hr"}
    assert [each.code for each in keep_row(TABLES["sites"], row, work, is_new=True, **options)] == ["taken"]
    assert keep_row(TABLES["sites"], row, work, **options) == ()
    assert work.session.get_one(models.Site, "plant").timezone == "Asia/Jayapura"


def test_an_export_of_one_site_leaves_the_others_out(work):
    """Its own rows, those of its people, and those of every site."""
    in_full(work)
    take(work, "employees", {"employee_id": "E2", "name": "Sari", "site_id": "depot"})

    def firsts(kind: str) -> list[str]:
        options = {"site_id": "depot", "now": NOW, "actor": "test"}
        return [line[0] for line in export_rows(TABLES[kind], work, **options)]

    assert firsts("employees") == ["E2"]
    assert firsts("hierarchy") == ["E2"]
    assert firsts("leaves") == []
    assert firsts("zones") == ["depot-gate"]
    assert firsts("holidays") == ["2026-08-17", "2026-08-18"]


names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Cn", "Co"]), min_size=1, max_size=40)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.dictionaries(st.from_regex(r"[A-Z]{1,4}[0-9]{1,4}", fullmatch=True), names, max_size=6))
def test_any_name_survives_the_way_through_a_spreadsheet(engine, people):
    """Quotes, semicolons, apostrophes, formulas, letters of every script: out and in changes nothing."""
    table = TABLES["employees"]
    with UnitOfWork(engine) as work:
        work.session.add(models.Site(site_id="plant", name="Plant", timezone="Asia/Jakarta"))
        work.session.flush()
        for code, name in people.items():
            text = " ".join(name.split())
            work.session.add(
                models.Employee(employee_id=code, site_id="plant", name=text, department=text, created_at=NOW)
            )
        work.session.flush()
        content = csv_bytes(heading(table), export_rows(table, work, now=NOW, actor="test"))
        done = take(work, "employees", *read_table(content).rows)
        work.session.rollback()
    assert (done.bad, done.added, done.changed, done.unchanged) == ((), 0, 0, len(people))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(leaves=st.lists(st.tuples(days, st.integers(0, 30), names), max_size=8))
def test_leaves_that_are_taken_over_never_overlap(engine, leaves):
    """Whatever is in the table: it is refused, or each day of the person lies in at most one leave."""
    rows = [
        {
            "employee_id": "E1",
            "first_on": f"{first:%d/%m/%Y}",
            "last_on": (first + timedelta(days=length)).isoformat(),
            "note": note,
        }
        for first, length, note in leaves
    ]
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.an_employee(work.session, "E1")
        done = take(work, "leaves", *rows)
        kept = sorted((each.first_on, each.last_on) for each in work.session.scalars(select(models.Leave)))
        work.session.rollback()
    assert len(kept) == (0 if done.bad else len(leaves))
    assert all(one[1] < other[0] for one, other in pairwise(kept))


def test_a_table_is_written_as_a_spreadsheet_reads_it(work):
    """No cell begins with what would be computed; the file carries the mark by which Excel knows UTF-8."""
    in_full(work)
    table = TABLES["employees"]
    content = csv_bytes(heading(table), export_rows(table, work, now=NOW, actor="t"))
    assert content.startswith(b"\xef\xbb\xbf")
    cells = [cell for line in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for cell in line]
    assert not [cell for cell in cells if cell.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r") and cell]

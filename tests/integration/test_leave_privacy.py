"""Why somebody is on leave can be illness: HR knows it, and nobody else."""

import csv
import io
from datetime import timedelta

import pytest

from central_server.adapters.spreadsheet import render_csv
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.leave_privacy import told_to_all
from central_server.domain.shifts import LeaveKind
from central_server.services.build_report import daily_report
from central_server.services.push_attendance import payload_of
from central_server.services.recompute_attendance import recompute_days
from tests.builders import EIGHT_IN_JAKARTA, MONDAY, the_rules
from tests.web_world import WebWorld, a_web_world, inhabit

SECRET = ("sick", "Sick", "sakit", "operasi", "maternity", "Maternity", "annual", "Annual")
DAY = f"/attendance/{MONDAY}/EMP001"
PAGES = (DAY, f"/attendance/?date={MONDAY}", f"/attendance/day.csv?date={MONDAY}", "/attendance/attention")


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    """EMP001 was ill on Monday, which was first put down as annual leave, and EMP003 travelled."""
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with UnitOfWork(engine) as work:
        for code, kind in (("EMP001", "annual"), ("EMP003", "trip")):
            work.session.add(
                models.Leave(
                    employee_id=code, kind=kind, first_on=MONDAY, last_on=MONDAY, note="operasi usus buntu"
                )
            )
        for each in work.session.query(models.Employee):
            each.created_at = EIGHT_IN_JAKARTA - timedelta(days=60)
    compute(found)
    with UnitOfWork(engine) as work:
        work.session.query(models.Leave).filter_by(employee_id="EMP001").update({"kind": "sick"})
    compute(found)
    return found


def compute(world: WebWorld) -> None:
    now = EIGHT_IN_JAKARTA + timedelta(days=1)
    with UnitOfWork(world.engine) as work:
        recompute_days(work, [("EMP001", MONDAY), ("EMP003", MONDAY)], the_rules(), now=now)
        for row in work.session.query(models.Attendance).filter_by(employee_id="EMP001"):
            if row.leave_kind == "sick":
                row.changes = {"leave_kind": ["annual", "sick"]}
                row.revision = 2


@pytest.mark.parametrize("role", ["supervisor", "viewer"])
def test_no_page_tells_others_than_hr_why_somebody_is_away(world, role):
    """Not the table, its CSV, the day with its steps and revisions, the person, or the board."""
    client = world.client(role)
    for page in (*PAGES, "/", "/board", "/people/EMP001", "/alerts/", "/events"):
        shown = client.get(page).data.decode("utf-8", "replace")
        assert not [each for each in SECRET if each in shown], page
    assert "On leave" in client.get(f"/attendance/?date={MONDAY}").text


def test_hr_sees_the_kind_on_every_page_of_the_day(world):
    """The table, its CSV, and the explanation."""
    client = world.client("hr")
    for page in PAGES[:3]:
        assert "sick leave" in client.get(page).data.decode("utf-8", "replace").lower(), page


def test_a_trip_is_told_to_everybody(world):
    """It is work, and whoever looks for the person should know."""
    assert "business trip" in world.client("viewer").get(f"/attendance/?date={MONDAY}").text


def test_neither_reports_nor_the_hris_are_told(world):
    """A report goes to many by e-mail, and an HRIS has its own record of leave."""
    with UnitOfWork(world.engine) as work:
        report = daily_report(work, "plant", MONDAY, the_rules(), now=EIGHT_IN_JAKARTA + timedelta(days=1))
        row = work.session.query(models.Attendance).filter_by(employee_id="EMP001").one()
        assert (row.leave_kind, row.changes["leave_kind"]) == ("sick", ["annual", "sick"])
        data = payload_of(row)["data"]
    assert (data["leave_kind"], data["changes"]) == ("leave", {})
    lines = csv.DictReader(io.StringIO(render_csv(report, "en").decode("utf-8-sig")))
    assert {each["Code"]: each["Leave"] for each in lines} | {"EMP002": ""} == {
        "EMP001": "On leave",
        "EMP002": "",
        "EMP003": "business trip",
    }


def test_only_a_trip_has_a_name():
    """Whatever kinds there will be: a new one is nobody's business until somebody says so."""
    kinds = [*map(str, LeaveKind), "a kind of the company's own", ""]
    assert {told_to_all(each) for each in kinds} == {"leave", "trip", ""}
    assert told_to_all(str(LeaveKind.TRIP)) == "trip"


def test_who_takes_a_days_attendance_away_is_written_down(world):
    """The CSV and the PDF of the day, with whose days are in it."""
    world.client("supervisor").get(f"/attendance/day.csv?date={MONDAY}")
    world.client("hr").get(f"/attendance/day.pdf?date={MONDAY}")
    kept = [each for each in world.rows(models.AuditLog) if each.action == "attendance.export"]
    told = [(each.actor, each.subject, each.detail["form"], each.detail["whose"]) for each in kept]
    assert told == [
        ("user:supervisor", f"{MONDAY}", "csv", "team"),
        ("user:hr", f"{MONDAY}", "pdf", "all"),
    ]

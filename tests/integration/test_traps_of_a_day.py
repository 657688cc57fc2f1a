"""The traps about what a day comes to; test_traps.py has the table and the others."""

from datetime import time, timedelta

import pytest
from sqlalchemy import Engine

from central_server.adapters.report_files import RENDERERS
from central_server.db.models import (
    Attendance,
    BreakWindow,
    CoverageGap,
    Event,
    Holiday,
    Leave,
    ReportRun,
    Site,
    Zone,
)
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.build_report import build_daily_report, daily_report
from central_server.services.send_due_reports import due_report
from tests import builders
from tests.builders import MONDAY, an_event
from tests.day_world import (
    MINUTE,
    a_plant,
    alerts,
    at,
    change,
    close,
    every,
    look_watched,
    put,
    record,
    see,
    the_day,
    where_is,
)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    return a_plant(engine)


def test_trap_duplicates(plant):
    """The same envelope three times: one row an event, the same day, one revision, one alert."""
    events = [an_event(n, at=at("08:00") + n * MINUTE) for n in range(1, 6)]
    for _ in range(3):
        record(plant, events, now=at("08:06"))
        look_watched(plant, at("08:12"))
    assert len(every(plant, Event)) == 5
    assert (the_day(plant).seconds, the_day(plant).revision) == (240, 1)
    assert len(alerts(plant)) == 1


@pytest.mark.parametrize(
    ("name", "day", "starts", "ends", "more"),
    [
        ("Lunch", 0, "12:00", "13:00", {}),
        ("Asr", 0, "15:15", "15:30", {"is_paid": True}),
        ("Friday prayer", 4, "11:30", "13:00", {"weekdays": "fri"}),
        ("Ramadan", 0, "16:00", "17:00", {"valid_from": MONDAY, "valid_to": MONDAY}),
    ],
)
def test_trap_lunch_prayers_ramadan(plant, name, day, starts, ends, more):
    """In a break nobody is missing; five minutes count from its end; unpaid ones come off the hours."""
    day = MONDAY + timedelta(days=day)
    begins, over = (at(clock, day=day) for clock in (starts, ends))
    row = BreakWindow(
        site_id="plant", name=name, starts=time.fromisoformat(starts), ends=time.fromisoformat(ends)
    )
    for key, value in more.items():
        setattr(row, key, value)
    put(plant, row)
    record(plant, [an_event(1, at=at("08:00", day=day)), an_event(2, at=begins)], now=begins)
    for now in (begins + 6 * MINUTE, over - MINUTE, over + 4 * MINUTE):
        look_watched(plant, now)
        assert where_is(plant) == (
            "off",
            "on_break" if over < at("17:00", day=day) or now < over else "off_shift",
        )
    assert alerts(plant) == []
    look_watched(plant, over + 6 * MINUTE)
    assert len(alerts(plant)) == (over < at("17:00", day=day))
    record(plant, [an_event(3, at=at("17:00", day=day))], now=at("17:01", day=day))
    unpaid = timedelta(0) if more.get("is_paid") else over - begins
    assert the_day(plant, day=day).work_seconds == (timedelta(hours=9) - unpaid).seconds


@pytest.mark.parametrize("why", ["leave", "trip", "holiday", "other branch"])
def test_trap_leave_holiday_trip_other_branch(plant, why):
    """Leave, holidays and trips call nobody missing; who is seen at another site is available there."""
    with UnitOfWork(plant) as work:
        builders.a_site(work.session, "depot")
    agent, camera = "plant-agent", "plant-cam"
    match why:
        case "leave" | "trip":
            put(plant, Leave(employee_id="EMP001", kind=why, first_on=MONDAY, last_on=MONDAY))
        case "holiday":
            put(plant, Holiday(day=MONDAY, name="Hari Guru"))
        case _:
            agent, camera = "depot-agent", "depot-cam"
    record(plant, [an_event(1, at=at("08:00"), agent_id=agent, camera_id=camera)], at("08:00"), agent)
    for site in ("plant", "depot"):
        look_watched(plant, at("08:04"), site_id=site)
    expected = ("available", "elsewhere" if why == "other branch" else "in_area")
    assert where_is(plant) == expected
    for site in ("plant", "depot"):
        look_watched(plant, at("08:30"), site_id=site)
    assert len(alerts(plant)) == (why == "other branch")  # there, they are on duty as at home
    close(plant, at("22:00"))
    statuses = {"leave": "leave", "trip": "leave", "holiday": "holiday", "other branch": "incomplete"}
    assert the_day(plant).status == statuses[why]


def test_trap_first_event_of_day(plant):
    """Not arrived until seen, without an alert; lateness is certain only if the entrance was watched."""
    look_watched(plant, at("08:30"))
    assert where_is(plant) == ("off", "not_arrived")
    assert alerts(plant) == []
    see(plant, "08:40", "17:00")
    close(plant, at("21:30"))
    assert (the_day(plant).status, the_day(plant).late_min, the_day(plant).is_verified) == ("late", 40, True)

    change(plant, Zone, "plant-gate", is_entrance=True)
    gap = {"starts_at": at("07:50"), "ends_at": at("08:20")}
    put(plant, CoverageGap(camera_id="plant-cam", site_id="plant", zone_id="plant-gate", **gap))
    see(plant, "17:01", first=9)
    assert (the_day(plant).status, the_day(plant).late_min, the_day(plant).is_verified) == (
        "present",
        0,
        False,
    )


def test_trap_never_seen_or_not_enrolled(plant):
    """Who has no face on record or gave no consent is left out and listed; only who can be seen is absent."""
    with UnitOfWork(plant) as work:
        builders.an_employee(work.session, "EMP002", is_enrolled=False)
        builders.an_employee(work.session, "EMP003", consent_at=None)
    look_watched(plant, at("09:00"))
    close(plant, at("21:30"))
    assert {each.employee_id: each.status for each in every(plant, Attendance)} == {"EMP001": "absent"}
    with UnitOfWork(plant) as work:
        report = daily_report(work, "plant", MONDAY, builders.the_rules(), now=at("21:30"))
    assert {"EMP002", "EMP003"} <= {each.employee_id for each in report.excluded}
    assert [row.employee_id for row in report.rows] == ["EMP001"]


def test_trap_absent_at_half_past_five(plant, tmp_path):
    """The report of 17:30 is provisional, and what the evening changes comes as a revision, once."""
    with UnitOfWork(plant) as work:
        builders.a_recipient(work.session, phone="62811", email="")
    builders.all_healthy(plant, at("17:30"))
    about = {"rules": builders.the_rules(), "renderers": RENDERERS}
    first = build_daily_report(plant, "plant", MONDAY, tmp_path, now=at("17:30"), **about)
    assert (first.totals["absent"], first.totals["is_provisional"]) == (1, True)
    record(plant, [an_event(1, at=at("08:00")), an_event(2, at=at("17:00"))], now=at("18:00"))
    close(plant, at("21:30"))
    for _ in range(2):
        build_daily_report(plant, "plant", MONDAY, tmp_path, now=at("21:31"), revise=True, **about)
    runs = every(plant, ReportRun)
    assert [(each.revision, each.totals["absent"], each.totals["present"]) for each in runs] == [
        (1, 1, 0),
        (2, 0, 1),
    ]


def test_trap_one_sighting(plant):
    """Seen once: incomplete, no hours, no time of leaving made up; a sighting more makes it whole."""
    see(plant, "08:05")
    close(plant, at("21:30"))
    day = the_day(plant)
    assert (day.status, day.work_seconds, day.early_leave_min) == ("incomplete", None, 0)
    assert (day.first_in_ts, day.last_out_ts) == (at("08:05"), at("08:05"))
    record(plant, [an_event(9, at=at("16:55"))], now=at("22:00"))
    assert (the_day(plant).status, the_day(plant).revision) == ("present", 2)


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
def test_trap_day_boundary(engine, zone):
    """A night is one row on the date it began; without a shift the local day turns at four, in every zone."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, timezone=zone)
        builders.an_employee(work.session)
        builders.an_employee(work.session, "EMP002")
        builders.a_shift(work.session, "night", starts=time(22), ends=time(6), weekdays="mon")
    night = [at("22:00", zone), at("23:59", zone), at("06:00", zone, MONDAY + timedelta(days=1))]
    record(engine, [an_event(n, at=moment) for n, moment in enumerate(night, 1)], now=night[-1])
    [day] = every(engine, Attendance)
    assert (day.business_date, day.work_seconds) == (MONDAY, 8 * 3600)
    sunday = MONDAY - timedelta(days=1)
    around_four = [at("03:59", zone, sunday), at("04:00", zone, sunday)]
    record(engine, [an_event(9 + n, "EMP002", moment) for n, moment in enumerate(around_four)], now=night[-1])
    found = {each.business_date for each in every(engine, Event, employee_id="EMP002")}
    assert found == {sunday - timedelta(days=1), sunday}


def test_trap_daylight_saving(engine):
    """Half past five is local, at three different instants in Indonesia; a night the clock changes is as long
    as it really was.
    """
    sites = {"jkt": "Asia/Jakarta", "mks": "Asia/Makassar", "djj": "Asia/Jayapura"}
    due = [
        due_report(Site(site_id=key, timezone=zone, report_at=time(17, 30)), at("23:00", "Asia/Jayapura"))
        for key, zone in sites.items()
    ]
    assert [each[1].astimezone(at("00:00").tzinfo).strftime("%H:%M") for each in due] == [
        "10:30",
        "09:30",
        "08:30",
    ]
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, timezone="America/New_York")
        builders.an_employee(work.session, consent_at=at("00:00", day=MONDAY.replace(month=10)))
        builders.a_shift(work.session, "night", starts=time(22), ends=time(6), weekdays="sat")
    saturday = MONDAY.replace(month=10, day=31)  # the clock goes back in that night
    night = [
        at("22:00", "America/New_York", saturday),
        at("06:00", "America/New_York", saturday + timedelta(days=1)),
    ]
    record(engine, [an_event(n, at=moment) for n, moment in enumerate(night, 1)], now=night[-1])
    assert the_day(engine, day=saturday).work_seconds == 9 * 3600


def test_trap_person_moves_between_zones(plant):
    """The clock of the site that saw them first decides the day: eight in Makassar is seven in Jakarta."""
    with UnitOfWork(plant) as work:
        builders.a_site(work.session, "depot", "Asia/Makassar")
    there = {"agent_id": "depot-agent", "camera_id": "depot-cam"}
    record(plant, [an_event(1, at=at("08:20", "Asia/Makassar"), **there)], at("07:20"), "depot-agent")
    see(plant, "17:00", first=5)
    close(plant, at("22:00"))
    day = the_day(plant)
    assert (day.timezone, day.status, day.late_min) == ("Asia/Makassar", "late", 20)
    assert day.overtime_min == 60  # five in Jakarta is six there

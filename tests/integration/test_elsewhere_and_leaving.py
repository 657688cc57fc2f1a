"""What cannot have been seen is held against nobody: at other sites, after consent ended, on the last day."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.correct_attendance import DayValues, correct_day
from central_server.services.manage_people import record_consent
from central_server.services.recompute_attendance import recompute_days
from central_server.services.resign_employee import resign_employee, withdraw_consent
from tests import builders, day_world
from tests.builders import MONDAY
from tests.day_world import at, the_day

FRIDAY = MONDAY - timedelta(days=3)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """Budi belongs to the plant, and is often at the depot, which has a camera of its own."""
    day_world.a_plant(engine)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, "depot")
    return engine


def dark(engine: Engine, site_id: str, start: str, end: str) -> None:
    """No camera watched at a site, from one clock time of Monday to another."""
    gap = models.CoverageGap(
        camera_id=f"{site_id}-cam", site_id=site_id, zone_id=f"{site_id}-gate", starts_at=at(start),
        ends_at=at(end), reason="offline",
    )  # fmt: skip
    day_world.put(engine, gap)


def seen_at_depot(engine: Engine, *moments) -> None:
    for seq, moment in enumerate(moments, start=1):
        event = builders.an_event(
            seq, at=moment, agent_id="depot-agent", camera_id="depot-cam", epoch="depot"
        )
        with UnitOfWork(engine) as work:
            envelope = builders.an_envelope(event, epoch="depot")
            day_world.record_events("depot-agent", envelope, work, builders.the_rules(), now=moment)


def test_gaps_of_the_site_that_saw_somebody_count_too(plant):
    """The depot was dark until twenty past eight; seen there at 08:30, he may have come in time."""
    dark(plant, "depot", "07:30", "08:20")
    seen_at_depot(plant, at("08:30"), at("17:00"))
    day_world.close(plant, at("22:00"))
    assert (the_day(plant).status, the_day(plant).late_min) == ("present", 0)


def test_gaps_of_their_own_site_count_for_who_was_seen_elsewhere(plant):
    """He may have come to the plant first, which was dark."""
    dark(plant, "plant", "07:30", "08:20")
    seen_at_depot(plant, at("08:30"), at("17:00"))
    day_world.close(plant, at("22:00"))
    assert (the_day(plant).status, the_day(plant).late_min) == ("present", 0)


def test_a_dark_site_proves_nobodys_absence_who_was_there_lately(plant):
    """On Friday he was at the depot, which is dark all Monday: he may be there again."""
    seen_at_depot(plant, at("09:00", day=FRIDAY))
    dark(plant, "depot", "05:00", "22:00")
    day_world.close(plant, at("22:00"))
    assert (the_day(plant).status, the_day(plant).is_verified) == ("incomplete", False)


def test_a_dark_site_where_somebody_never_was_excuses_nobody(plant):
    """Nobody saw him at the depot within a fortnight."""
    seen_at_depot(plant, at("09:00", day=MONDAY - timedelta(days=14)))
    dark(plant, "depot", "05:00", "22:00")
    day_world.close(plant, at("22:00"))
    assert (the_day(plant).status, the_day(plant).is_verified) == ("absent", True)


def test_who_withdraws_consent_at_noon_has_not_left_at_noon(plant, tmp_path):
    """No camera may name him in the afternoon: no early leave, and the day is marked."""
    day_world.see(plant, "07:55", "11:59")
    with UnitOfWork(plant) as work:
        withdraw_consent(work, "EMP001", tmp_path, now=at("12:00"), actor="user:hr")
    day_world.close(plant, at("22:00"))
    row = the_day(plant)
    assert (row.status, row.early_leave_min, row.is_verified) == ("present", 0, False)
    assert not row.is_provisional


def test_who_goes_from_the_record_on_the_last_day_has_not_left_early(plant, tmp_path):
    """The face is erased at noon, as HR enters the last day; the afternoon proves nothing."""
    day_world.see(plant, "07:55", "11:59")
    with UnitOfWork(plant) as work:
        resign_employee(work, "EMP001", MONDAY, tmp_path, now=at("12:00"), actor="user:hr")
    day_world.close(plant, at("22:00"))
    row = the_day(plant)
    assert (row.status, row.early_leave_min, row.is_verified) == ("present", 0, False)


def test_what_hr_says_last_counts_though_the_clock_was_set_back(plant):
    """The server was an hour fast when the first correction was made."""
    nothing = DayValues(first_in=None, last_out=None, status="")
    for status, said_at in (("absent", at("19:00")), ("leave", at("18:05"))):
        with UnitOfWork(plant) as work:
            correct_day(
                work, "EMP001", MONDAY, before=nothing,
                after=DayValues(first_in=None, last_out=None, status=status),
                reason="He was ill", by="hr", now=said_at,
            )  # fmt: skip
            recompute_days(work, {("EMP001", MONDAY)}, builders.the_rules(), now=said_at)
    assert the_day(plant).status == "leave"


def test_nobody_was_absent_or_late_before_the_face_was_enrolled(plant):
    """On record and with consent since Monday; an agent took the photo on Wednesday at ten."""
    wednesday = MONDAY + timedelta(days=2)
    with UnitOfWork(plant) as work:
        builders.an_employee(work.session, "NEW", is_enrolled=False)
    day_world.close(plant, at("22:00"))
    with UnitOfWork(plant) as work:
        builders.a_template(work.session, "NEW", created_at=at("10:00", day=wednesday))
    for seq, clock in enumerate(("10:05", "17:05"), start=1):
        moment = at(clock, day=wednesday)
        day_world.record(plant, [builders.an_event(seq, "NEW", moment)], now=moment)
    day_world.close(plant, at("22:00", day=wednesday))
    [row] = day_world.every(plant, models.Attendance, employee_id="NEW")
    assert (row.business_date, row.status, row.late_min) == (wednesday, "present", 0)


def test_consent_recorded_again_does_not_begin_anew(plant):
    """He came late; at noon HR records his consent once more, and he was late all the same."""
    day_world.see(plant, "08:45", "17:00")
    with UnitOfWork(plant) as work:
        record_consent(work, "EMP001", text="…", language="id", now=at("12:00"), by="hr")
    day_world.close(plant, at("22:00"))
    assert (the_day(plant).status, the_day(plant).late_min) == ("late", 45)

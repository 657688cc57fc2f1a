"""Recomputing days that are over: shown first, written in portions, and never stale. On either database."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.models import Agent, Attendance, AuditLog, Event, Holiday, HrisPush, Shift, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.await_agents import awaited_for_day
from central_server.services.build_report import daily_report
from central_server.services.carry_out_recompute import Written, carry_out
from central_server.services.close_day import close_in_portions
from central_server.services.plan_recompute import Plan, plan_recompute, portions_of
from central_server.services.push_attendance import queue_day, queue_revisions
from central_server.services.record_event import record_events
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import MONDAY, an_envelope, an_event
from tests.postgres import binaries, postgres_server

RULES = builders.the_rules()
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = EIGHT + timedelta(days=2)  # Monday is over, and closed
TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Engine]:
    """A site with a day shift and three people, in a database of each kind."""
    if request.param == "sqlite":
        engine = _filled(f"sqlite:///{tmp_path / 'hadir.db'}")
        yield engine
        engine.dispose()
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with postgres_server(free_port()) as address:
        engine = _filled(address)
        yield engine
        engine.dispose()


def _filled(url: str) -> Engine:
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        for number in (1, 2, 3):
            builders.an_employee(work.session, f"EMP00{number}")
    return engine


def plan_of(engine: Engine, first: date = MONDAY, last: date = MONDAY, *, now=LATER, who=None) -> Plan:
    return plan_recompute(engine, first, last, RULES, now=now, employee_id=who)


def write(engine: Engine, plan: Plan, *, now=LATER) -> Written:
    return carry_out(engine, plan, RULES, actor="shell:test", now=lambda: now, pause=lambda: None)


def saw(engine: Engine, seq: int, at: datetime, who: str = "EMP001", *, now: datetime | None = None) -> None:
    event = an_event(seq, at=at, employee_id=who)
    with UnitOfWork(engine) as work:
        record_events("plant-agent", an_envelope(event, first=seq), work, RULES, now=now or at)


def day_of(engine: Engine, who: str = "EMP001", day: date = MONDAY) -> Attendance | None:
    with UnitOfWork(engine, writes=False) as work:
        wanted = select(Attendance).where(Attendance.employee_id == who, Attendance.business_date == day)
        return work.session.scalar(wanted)


def shift_starts(engine: Engine, starts: time, ends: time) -> None:
    with UnitOfWork(engine) as work:
        work.session.execute(update(Shift).values(starts=starts, ends=ends))


def test_planning_changes_nothing_and_tells_who_would_be_absent(plant):
    """Who came has a row; who did not, on a day that is over, would get one; a second plan is the same."""
    saw(plant, 1, EIGHT)
    saw(plant, 2, EIGHT + 9 * HOUR)
    for _ in range(2):
        plan = plan_of(plant)
        assert plan.new == {"absent": 2}
        assert [each.after.employee_id for each in plan.shown if each.before is None] == ["EMP002", "EMP003"]
        assert day_of(plant, "EMP002") is None

    assert write(plant, plan) == Written(days=3, otherwise=0)
    assert day_of(plant, "EMP002").status == "absent"
    assert plan_of(plant).is_empty


def test_a_day_that_is_not_over_makes_nobody_absent(plant):
    """At noon, and while a box still has to tell what it saw, nobody is marked for good."""
    noon, night = EIGHT + 4 * HOUR, EIGHT + 16 * HOUR
    with UnitOfWork(plant) as work:
        work.session.execute(update(Agent).values(reported_to=EIGHT, state="offline"))

    assert plan_of(plant, now=noon).is_empty
    assert plan_of(plant, now=night).is_empty
    assert plan_of(plant, now=EIGHT + 24 * HOUR + 13 * HOUR).new == {"absent": 3}


def test_days_close_once_every_box_has_told_what_it_saw(plant):
    """A box that is switched off holds them open, and the rest of the site does not close them without it."""
    with UnitOfWork(plant) as work:
        builders.an_agent(work.session, "gone", reported_to=EIGHT, state="offline")
    night = EIGHT + 14 * HOUR
    builders.all_healthy(plant, night)
    with UnitOfWork(plant) as work:
        work.session.execute(update(Agent).where(Agent.agent_id == "gone").values(reported_to=EIGHT))
    assert close_in_portions(plant, "plant", RULES, now=night) == []
    with UnitOfWork(plant) as work:
        work.session.execute(update(Agent).where(Agent.agent_id == "gone").values(revoked_at=night))
    assert MONDAY in close_in_portions(plant, "plant", RULES, now=night)


def test_a_report_of_a_day_that_is_over_names_the_box_it_waits_for(plant):
    """Until the box has told what it saw, or a day has passed."""
    saw(plant, 1, EIGHT)
    night = EIGHT + 14 * HOUR
    builders.all_healthy(plant, night)
    with UnitOfWork(plant) as work:
        builders.an_agent(work.session, "gone", name="Lobby", reported_to=EIGHT, state="offline")

    def waits_for(now: datetime) -> tuple[str, ...]:
        with UnitOfWork(plant) as work:
            return daily_report(work, "plant", MONDAY, RULES, now=now).waits_for

    assert waits_for(EIGHT + 4 * HOUR) == ()
    assert waits_for(night) == ("Lobby",)
    with UnitOfWork(plant) as work:
        assert [each.name for each in awaited_for_day(work, ["plant"], MONDAY, RULES, now=night)] == ["Lobby"]
    assert waits_for(night + 24 * HOUR) == ()


def test_an_event_whose_day_changes_leaves_one_and_comes_to_the_other_at_once(plant):
    """Also when the other lies beside the days asked for: both are shown, and both are written."""
    at = EIGHT + 24 * HOUR - 6 * HOUR  # Tuesday, 02:00
    saw(plant, 1, at)
    saw(plant, 2, at + HOUR)
    assert day_of(plant, day=MONDAY).seconds == 0
    with UnitOfWork(plant) as work:
        work.session.execute(update(Event).values(business_date=TUESDAY))
    write(
        plant, plan_of(plant, TUESDAY, TUESDAY, now=EIGHT + 96 * HOUR), now=EIGHT + 25 * HOUR
    )  # absent so far

    shift_starts(plant, time(22), time(6))
    with UnitOfWork(plant) as work:
        work.session.execute(update(Event).values(business_date=TUESDAY))
    plan = plan_of(plant, TUESDAY, TUESDAY, now=EIGHT + 96 * HOUR)

    assert plan.moved == 2
    assert {each.after.business_date for each in plan.shown} == {MONDAY, TUESDAY}
    assert write(plant, plan, now=EIGHT + 96 * HOUR).otherwise == 0
    assert day_of(plant, day=MONDAY).first_in_ts == at
    with UnitOfWork(plant, writes=False) as work:
        assert set(work.session.scalars(select(Event.business_date))) == {MONDAY}


def test_a_row_whose_day_has_nothing_left_stays_and_says_so(plant):
    """Whoever was told of the day is told that it is off: the row is a new revision, not gone."""
    saw(plant, 1, EIGHT)
    saw(plant, 2, EIGHT + 9 * HOUR)
    write(plant, plan_of(plant))
    with UnitOfWork(plant) as work:
        work.session.add(Holiday(day=MONDAY, name="Declared late"))
        work.session.execute(update(Event).values(clock="bad", clock_off_ms=0))  # no time can be told

    plan = plan_of(plant)

    assert plan.emptied == 1
    write(plant, plan)
    row = day_of(plant)
    assert (row.status, row.first_in_ts, row.seconds, row.revision) == ("holiday", None, 0, 2)
    assert row.changes["status"] == ["present", "holiday"]


def test_what_was_closed_and_pushed_becomes_a_new_revision_for_the_hris_once(plant):
    """The bulk way keeps revisions as a single day does: one more, with what changed, pushed once."""
    saw(plant, 1, EIGHT + 30 * MINUTE)
    saw(plant, 2, EIGHT + 9 * HOUR)
    write(plant, plan_of(plant))
    with UnitOfWork(plant) as work:
        assert queue_day(work, "webhook", "plant", MONDAY, now=LATER) == 3
    shift_starts(plant, time(9), time(17))

    for _ in range(2):
        write(plant, plan_of(plant))
        with UnitOfWork(plant) as work:
            queue_revisions(work, "webhook", now=LATER)

    row = day_of(plant)
    assert (row.revision, row.changes["status"], row.changes["late_min"]) == (2, ["late", "present"], [30, 0])
    with UnitOfWork(plant, writes=False) as work:
        pushed = work.session.scalars(select(HrisPush.revision).where(HrisPush.employee_id == "EMP001"))
        assert sorted(pushed) == [1, 2]


def test_what_happens_between_showing_and_writing_is_in_what_is_written(plant):
    """Never the stale outcome that was shown; and it is told that the day came out otherwise."""
    saw(plant, 1, EIGHT)
    saw(plant, 2, EIGHT + 9 * HOUR)
    plan = plan_of(plant)
    saw(plant, 3, EIGHT + 2 * HOUR, "EMP002", now=LATER)
    saw(plant, 4, EIGHT + 3 * HOUR, "EMP002", now=LATER)

    written = write(plant, plan)

    assert (written.days, written.otherwise) == (3, 1)
    assert day_of(plant, "EMP002").status == "late"
    assert plan_of(plant).is_empty


def test_moves_that_are_wrong_by_now_are_not_made(plant):
    """HR takes the change of the shift back while the operator still reads the table."""
    at = EIGHT + 18 * HOUR
    saw(plant, 1, at)
    with UnitOfWork(plant) as work:
        work.session.execute(update(Shift).values(early_in_min=480))
    plan = plan_of(plant, MONDAY, TUESDAY, now=EIGHT + 96 * HOUR)
    assert plan.moved == 1
    with UnitOfWork(plant) as work:
        work.session.execute(update(Shift).values(early_in_min=120))

    write(plant, plan, now=EIGHT + 96 * HOUR)

    assert day_of(plant, day=TUESDAY).first_in_ts is None
    with UnitOfWork(plant, writes=False) as work:
        assert work.session.scalars(select(Event.business_date)).one() == MONDAY


def test_one_persons_days_leave_everybody_elses_alone(plant):
    """With a code, only that person's rows are looked at and written."""
    plan = plan_of(plant, who="EMP002")

    assert [each.after.employee_id for each in plan.shown] == ["EMP002"]
    write(plant, plan)
    with UnitOfWork(plant, writes=False) as work:
        assert work.session.scalars(select(Attendance.employee_id)).all() == ["EMP002"]


def test_an_event_without_a_time_counts_for_nothing_and_is_not_moved(plant):
    """Nothing is known about when it was."""
    saw(plant, 1, EIGHT)
    saw(plant, 2, EIGHT + 9 * HOUR)
    with UnitOfWork(plant) as work:
        first = work.session.scalar(select(func.min(Event.id)))
        work.session.execute(
            update(Event).where(Event.id == first).values(clock="bad", business_date=TUESDAY)
        )

    plan = plan_of(plant, MONDAY, TUESDAY, now=EIGHT + 96 * HOUR)

    assert plan.moved == 0
    write(plant, plan, now=EIGHT + 96 * HOUR)
    assert day_of(plant).first_in_ts == EIGHT + 9 * HOUR


def test_a_stray_event_far_from_its_day_is_found(plant):
    """Dated years away from when it was, by a bug or by hand: it comes home, and leaves no trace behind."""
    saw(plant, 1, EIGHT)
    stray = date(2026, 12, 25)
    with UnitOfWork(plant) as work:
        work.session.execute(update(Event).values(business_date=stray))

    plan = plan_of(plant, stray, stray, now=EIGHT + timedelta(days=60))
    write(plant, plan, now=EIGHT + timedelta(days=60))

    assert day_of(plant).first_in_ts == EIGHT
    assert day_of(plant, day=stray).first_in_ts is None


def test_portions_never_part_a_person_and_hold_everything_once(plant):
    """Whoever reads meanwhile sees nobody half done."""
    plan = plan_of(plant, MONDAY, MONDAY + timedelta(days=3), now=EIGHT + timedelta(days=9))

    portions = [days for days, _ in portions_of(plan, 3)]

    assert sorted(each for days in portions for each in days) == sorted(plan.marks)
    assert len(portions) == 3
    assert all(len({who for who, _ in days}) == 1 for days in portions)


def test_others_write_between_two_portions(plant):
    """Another writer gets its turn while a long recompute is under way, and waits for one portion at most."""
    with UnitOfWork(plant) as work:
        for number in range(100, 160):
            builders.an_employee(work.session, f"EMP{number}")
    plan = plan_of(plant)
    turns: list[str] = []

    def write_too() -> None:
        with UnitOfWork(plant) as work:
            work.session.execute(update(Site).values(name="Renamed"))
        turns.append("other")

    def pause() -> None:
        other = threading.Thread(target=write_too)
        other.start()
        other.join(20)
        turns.append("portion")

    carry_out(plant, plan, RULES, actor="shell:test", now=lambda: LATER, pause=pause, most=20)

    assert turns.count("portion") >= 3
    assert turns == ["other", "portion"] * turns.count("portion")


def test_broken_off_half_way_it_is_begun_again(plant):
    """What was written stays whole; the next plan has the rest, and the log tells of both."""
    with UnitOfWork(plant) as work:
        for number in range(100, 160):
            builders.an_employee(work.session, f"EMP{number}")
    plan = plan_of(plant)
    pauses = iter([None, None])

    def pause() -> None:
        next(pauses)

    with pytest.raises(StopIteration):
        carry_out(plant, plan, RULES, actor="shell:test", now=lambda: LATER, pause=pause, most=20)

    rest = plan_of(plant)
    assert 0 < len(rest.marks) < len(plan.marks)
    write(plant, rest)
    assert plan_of(plant).is_empty
    with UnitOfWork(plant, writes=False) as work:
        logged = work.session.scalars(select(AuditLog.action).where(AuditLog.action.like("attendance.%")))
        assert logged.all() == ["attendance.recompute"] * 2


def test_nobody_knows_an_employee_who_was_deleted(plant):
    """Events of a code that is nobody's are left where they are."""
    with UnitOfWork(plant) as work:
        builders.an_employee(work.session, "GONE", is_enrolled=False)
    saw(plant, 1, EIGHT, "NOBODY", now=datetime(2026, 11, 23, 2, tzinfo=UTC))

    assert "NOBODY" not in {who for who, _ in plan_of(plant).marks}

"""Laws of attendance: the truth does not depend on how the news arrived."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from central_server.domain.attendance import DayFacts
from central_server.domain.day_figures import attendance_on, day_account
from central_server.domain.proof import arrival_at_best, departure_at_best
from central_server.domain.shifts import Assignment, Break, Schedule, Shift
from central_server.domain.stays import presence_intervals
from tests.random_days import days, gaps, instants

MONDAY = date(2026, 11, 23)
ZONES = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura", "America/New_York")
GAP = timedelta(minutes=5)
START = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
moments = st.integers(0, 16 * 3600).map(lambda second: START + timedelta(seconds=second))
seen = st.lists(moments, max_size=40)
shifts = st.builds(
    Shift,
    shift_id=st.just("s"),
    name=st.just("S"),
    starts=st.times().map(lambda at: at.replace(microsecond=0)),
    ends=st.times().map(lambda at: at.replace(microsecond=0)),
    weekdays=st.just(frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})),
)


def a_schedule(shift: Shift, zone: str = "Asia/Jakarta") -> Schedule:
    lunch = Break(name="Lunch", starts=time(12), ends=time(13))
    return Schedule(timezone=ZoneInfo(zone), assignments=(Assignment(shift=shift),), breaks=(lunch,))


def a_day(seen_at, shift: Shift, as_of: datetime = START + timedelta(days=3)):
    return attendance_on(
        DayFacts(
            employee_id="EMP001",
            site_id="plant",
            business_date=MONDAY,
            schedule=a_schedule(shift),
            seen_at=seen_at,
            as_of=as_of,
        )
    )


@settings(deadline=None)
@given(seen, shifts, st.randoms())
def test_order_and_repetition_do_not_matter(seen_at, shift, random):
    """Late, repeated and shuffled sightings give the same attendance as timely ones."""
    arrived = seen_at + seen_at[: len(seen_at) // 2]
    random.shuffle(arrived)
    assert a_day(arrived, shift) == a_day(seen_at, shift)


@settings(deadline=None)
@given(seen, moments)
def test_another_sighting_never_shortens_the_time_in_the_area(seen_at, one_more):
    """What was proven stays proven."""
    before, after = (presence_intervals(each, gap=GAP) for each in (seen_at, [*seen_at, one_more]))
    assert sum((each.end - each.start for each in after), timedelta(0)) >= sum(
        (each.end - each.start for each in before), timedelta(0)
    )


@settings(deadline=None)
@given(seen)
def test_stays_are_apart_and_hold_every_sighting(seen_at):
    """Intervals are in order, more than the gap apart, and each sighting lies in exactly one."""
    stays = presence_intervals(seen_at, gap=GAP)
    assert all(later.start - earlier.end > GAP for earlier, later in pairwise(stays))
    assert all(sum(stay.start <= moment <= stay.end for stay in stays) == 1 for moment in seen_at)


@settings(deadline=None)
@given(seen, shifts, moments)
def test_the_figures_of_a_day_fit_together(seen_at, shift, as_of):
    """Time seen is at most the span, and so are the hours worked; nothing is negative."""
    day = a_day(seen_at, shift, as_of)
    assert 0 <= day.seconds <= day.span_seconds
    assert day.work_seconds is None or 0 <= day.work_seconds <= day.span_seconds
    assert min(day.late_min, day.early_leave_min, day.overtime_min) >= 0


@settings(deadline=None)
@given(shifts, st.sampled_from(ZONES), st.integers(0, 1440))
def test_working_time_belongs_to_the_day_it_began(shift, zone, minute):
    """Any moment within a shift counts for the shift's first day, in every zone, over midnight too."""
    schedule = a_schedule(shift, zone)
    day = schedule.shift_on(MONDAY)
    moment = day.starts_at + timedelta(minutes=minute)
    if day.starts_at < moment < day.ends_at:
        assert schedule.business_date(moment) == MONDAY


@settings(deadline=None)
@given(days, st.randoms())
def test_no_fact_of_a_day_has_a_place_in_a_queue(facts, random):
    """Sightings, punches, corrections and gaps in any order and repeated: the same account of the day."""
    arrived = {}
    for name in ("seen_at", "punches", "corrections", "unwatched"):
        told = list(getattr(facts, name))
        arrived[name] = told + told[: len(told) // 2 + 1]
        random.shuffle(arrived[name])
    assert day_account(replace(facts, **arrived)) == day_account(facts)


@settings(deadline=None)
@given(days, instants)
def test_being_seen_once_more_never_costs_time_in_the_area(facts, one_more):
    """Whatever else a day holds: its time in the area only grows with what was seen."""
    more = replace(facts, seen_at=[*facts.seen_at, one_more])
    assert attendance_on(more).seconds >= attendance_on(facts).seconds


@settings(deadline=None)
@given(days)
def test_the_stays_of_a_day_never_overlap(facts):
    """Counted and odd stays and the gaps are each in order and apart, and no stay is both."""
    account = day_account(facts)
    for spans in (sorted([*account.stays, *account.odd_stays], key=lambda x: x.start), account.unwatched):
        assert all(one.end < following.start for one, following in pairwise(spans))


@settings(deadline=None)
@given(days, gaps)
def test_one_more_gap_is_never_held_against_anybody(facts, one_more):
    """Less watching can only lessen what a person is charged with: minutes late or early, and absence."""
    before = attendance_on(facts)
    after = attendance_on(replace(facts, unwatched=[*facts.unwatched, one_more]))
    assert after.late_min <= before.late_min
    assert after.early_leave_min <= before.early_leave_min
    assert after.status != "absent" or before.status == "absent"
    assert before.is_verified or not after.is_verified
    assert (after.seconds, after.work_seconds) == (before.seconds, before.work_seconds)


@settings(deadline=None)
@given(days, instants)
def test_gaps_never_make_a_day_longer_than_it_can_have_been(facts, moment):
    """Somebody came at best before they were seen and after the window opened; and went the other way."""
    gaps_in_order = day_account(facts).unwatched
    opens, closes = moment - timedelta(hours=3), moment + timedelta(hours=3)
    assert opens <= arrival_at_best(moment, gaps_in_order, since=opens) <= moment
    assert moment <= departure_at_best(moment, gaps_in_order, until=closes) <= closes

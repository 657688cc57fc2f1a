"""Laws of attendance: the truth does not depend on how the news arrived."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from central_server.domain.attendance import DayFacts, attendance_on, presence_intervals
from central_server.domain.shifts import Assignment, Break, Schedule, Shift

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

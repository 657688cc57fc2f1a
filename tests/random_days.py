"""Random person-days: shifts, also over midnight, breaks, rotations, sightings, punches, gaps, corrections.

Every instant lies on a half minute, as the slow reference wants it; many lie near the edges of a usual day.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from central_server.domain.attendance import (
    Correction,
    DayFacts,
    OvertimeRule,
    Punch,
    Status,
)
from central_server.domain.intervals import Interval
from central_server.domain.shifts import (
    WEEKDAYS,
    Assignment,
    Break,
    LeaveSpan,
    Rotation,
    Schedule,
    Shift,
)
from tests.reference_day import TICK

MONDAY = date(2026, 11, 23)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
ZONES = [ZoneInfo(f"Asia/{city}") for city in ("Jakarta", "Makassar", "Jayapura")]

clock_times = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
half_hours = st.integers(0, 47).map(lambda n: time(n // 2, 30 * (n % 2)))
moments = st.integers(-10 * 120, 44 * 120).map(lambda n: MIDNIGHT + n * TICK)
# Within the usual day of Jakarta, and to the half minute around its edges and their ten minutes of grace.
working_time = st.integers(30, 11 * 120).map(lambda n: MIDNIGHT + n * TICK)
edges = st.builds(
    lambda hour, off: MIDNIGHT + hour * timedelta(hours=1) + off * TICK,
    st.sampled_from((1, 1, 5, 10, 10)),
    st.sampled_from((-121, -120, -21, -20, -19, -1, 0, 1, 19, 20, 21, 22, 120, 121)),
)
instants = edges | working_time | edges | moments
minutes = st.sampled_from((0, 5, 10)).map(lambda n: timedelta(minutes=n))
weekdays = st.sampled_from((frozenset(WEEKDAYS), frozenset(WEEKDAYS[1:]), frozenset({"mon"})))
some_dates = st.none() | st.integers(-2, 2).map(lambda n: MONDAY + timedelta(days=n))
shifts = st.builds(
    Shift,
    shift_id=st.sampled_from("ab"),
    name=st.just("Shift"),
    starts=half_hours,
    ends=half_hours,
    weekdays=weekdays,
    late_grace=minutes,
    early_leave_grace=minutes,
    early_in=st.sampled_from((0, 30, 120)).map(lambda n: timedelta(minutes=n)),
    late_out=st.sampled_from((0, 60, 240)).map(lambda n: timedelta(minutes=n)),
)
rotations = st.builds(
    Rotation,
    rotation_id=st.just("r"),
    name=st.just("Rotation"),
    starts_on=st.integers(-20, 20).map(lambda n: MONDAY + timedelta(days=n)),
    pattern=st.lists(st.none() | shifts, min_size=1, max_size=4).map(tuple),
)
usual = st.builds(
    Shift,
    shift_id=st.just("a"),
    name=st.just("Usual"),
    starts=st.just(time(8)),
    ends=st.just(time(17)),
    weekdays=st.just(frozenset(WEEKDAYS)),
).map(lambda shift: (Assignment(shift=shift),))
dates = {"valid_from": some_dates, "valid_to": some_dates}
assignments = st.builds(Assignment, shift=shifts, is_own=st.booleans(), **dates) | st.builds(
    Assignment, rotation=rotations, is_own=st.booleans(), **dates
)
breaks = st.builds(
    Break,
    name=st.sampled_from(("Lunch", "Prayer")),
    starts=half_hours,
    ends=half_hours | clock_times,
    shift_id=st.sampled_from((None, "a", "b")),
    weekdays=weekdays,
    is_paid=st.booleans(),
    **dates,
)
schedules = st.builds(
    Schedule,
    timezone=st.just(ZONES[0]) | st.sampled_from(ZONES),
    assignments=usual | usual | st.lists(assignments, max_size=3).map(tuple),
    breaks=st.lists(breaks, max_size=3).map(tuple),
    holidays=st.sampled_from((frozenset(), frozenset(), frozenset(), frozenset(), frozenset({MONDAY}))),
    leaves=st.lists(
        st.builds(
            LeaveSpan,
            first_on=st.just(MONDAY) | st.just(MONDAY + timedelta(days=1)),
            last_on=st.just(MONDAY + timedelta(days=1)),
            kind=st.sampled_from(("annual", "trip")),
        ),
        max_size=1,
    ).map(tuple),
)
gaps = st.builds(
    lambda start, length: Interval(start, start + length * TICK),
    instants,
    st.integers(1, 30) | st.integers(1, 300) | st.integers(1, 1500),
)
corrections = st.builds(
    Correction,
    field=st.sampled_from(("first_in_ts", "last_out_ts")),
    after=instants.map(lambda at: at.isoformat()) | st.just(""),
    made_at=moments,
) | st.builds(
    Correction,
    field=st.just("overtime_min"),
    after=st.sampled_from(("", "0", "30", "600")),
    made_at=moments,
)
verdicts = st.builds(
    Correction, field=st.just("status"), after=st.sampled_from(("", *Status)), made_at=moments
)
days = st.builds(
    DayFacts,
    employee_id=st.just("EMP001"),
    site_id=st.just("plant"),
    business_date=st.just(MONDAY),
    schedule=schedules,
    seen_at=st.lists(instants, max_size=6),
    punches=st.just(()) | st.lists(st.builds(Punch, at=instants, is_in=st.booleans()), max_size=4),
    corrections=st.just(())
    | st.lists(corrections, max_size=2, unique_by=lambda x: x.made_at)
    | st.lists(verdicts, max_size=1),
    unwatched=st.lists(gaps, max_size=4),
    as_of=st.just(MIDNIGHT + timedelta(days=3)) | instants | st.just(MIDNIGHT + timedelta(days=3)),
    is_in_area=st.booleans(),
    merge_gap=st.sampled_from((2, 5, 90)).map(lambda n: timedelta(minutes=n)),
    overtime=st.sampled_from(OvertimeRule),
    known_at=st.none() | st.none() | instants,
    timezone=st.none() | st.none() | st.sampled_from(ZONES),
)

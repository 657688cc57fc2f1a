"""Laws of working time: to which day a moment belongs, what is expected, and how rotations go round."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from central_server.domain.shifts import (
    DAY,
    WEEKDAYS,
    Assignment,
    Break,
    LeaveSpan,
    Rotation,
    Schedule,
    Shift,
    Standing,
)

MONDAY = date(2026, 11, 23)
ZONES = ("Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura")
clock = st.integers(0, 24 * 4 - 1).map(lambda n: time(n // 4, n % 4 * 15))
margins = st.integers(0, 12 * 4).map(lambda n: timedelta(minutes=15 * n))
days = st.integers(-6, 6).map(lambda n: MONDAY + n * DAY)
some_weekdays = st.frozensets(st.sampled_from(WEEKDAYS), min_size=1)
shifts = st.builds(
    Shift,
    shift_id=st.sampled_from(("a", "b", "c")),
    name=st.just("S"),
    starts=clock,
    ends=clock,
    weekdays=some_weekdays,
    early_in=margins,
    late_out=margins,
)
rotations = st.builds(
    Rotation,
    rotation_id=st.just("r"),
    name=st.just("R"),
    starts_on=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    pattern=st.lists(st.none() | shifts, min_size=1, max_size=9).map(tuple),
)
dated = {"valid_from": st.none() | days, "valid_to": st.none() | days}
assignments = st.builds(Assignment, shift=shifts, is_own=st.booleans(), **dated) | st.builds(
    Assignment, rotation=rotations, is_own=st.booleans(), **dated
)
breaks = st.builds(
    Break,
    name=st.sampled_from(("Lunch", "Prayer")),
    starts=clock,
    ends=clock,
    shift_id=st.none() | st.sampled_from(("a", "b")),
    weekdays=some_weekdays,
    **dated,
)
schedules = st.builds(
    Schedule,
    timezone=st.sampled_from(ZONES).map(ZoneInfo),
    day_cutoff=st.sampled_from((time(0), time(4), time(5, 30))),
    assignments=st.lists(assignments, max_size=4).map(tuple),
    breaks=st.lists(breaks, max_size=4).map(tuple),
    holidays=st.frozensets(days, max_size=3),
    leaves=st.lists(days.map(lambda day: LeaveSpan(first_on=day, last_on=day + DAY)), max_size=2).map(tuple),
)
seconds = st.integers(0, 86_400_000 - 1)  # of a day, in thousandths


def at(day: date, zone, millisecond: int = 0) -> datetime:
    midnight = datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)
    return midnight + timedelta(milliseconds=millisecond)


def turned(schedule: Schedule, first: date, last: date, moment: datetime) -> date:
    return [day for start, day in schedule.turns(first, last) if start <= moment][-1]


ROUND_THE_CLOCK = Shift(
    shift_id="a",
    name="Guard",
    starts=time(23),
    ends=time(23),
    weekdays=frozenset(WEEKDAYS),
    late_out=timedelta(hours=6),
)


@settings(max_examples=400, deadline=None)
@given(schedules, days, st.integers(0, 3), st.integers(0, 3), seconds)
@example(
    Schedule(timezone=ZoneInfo("Asia/Jakarta"), assignments=(Assignment(shift=ROUND_THE_CLOCK),)),
    MONDAY,
    0,
    0,
    60_000,
)
def test_the_turns_of_many_days_say_the_same_as_asking_for_each_moment(
    schedule, first, more, chosen, millisecond
):
    """From the start of the first day to the end of the last."""
    last = first + more * DAY
    moment = at(first + min(chosen, more) * DAY, schedule.timezone, millisecond)
    assert turned(schedule, first, last, moment) == schedule.business_date(moment)


@settings(max_examples=400, deadline=None)
@given(schedules, days, st.lists(st.integers(0, 24 * 4 - 1), min_size=1, max_size=5), st.integers(-1, 1))
def test_the_turns_hold_at_the_very_edges(schedule, day, quarters, microsecond):
    """Where windows open and close on the quarter of an hour, and an instant before and after."""
    turns = schedule.turns(day, day)
    for quarter in quarters:
        moment = at(day, schedule.timezone, quarter * 900_000) + timedelta(microseconds=microsecond)
        if moment.astimezone(schedule.timezone).date() == day:
            assert [one for start, one in turns if start <= moment][-1] == schedule.business_date(moment)


@settings(max_examples=400, deadline=None)
@given(schedules, days, seconds, st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_the_next_change(schedule, day, millisecond, part):
    """What is expected, and the day that a moment counts for, stay until the instant that is told."""
    moment = at(day, schedule.timezone, millisecond)
    change = schedule.next_change(moment)
    assert moment < change
    between = min(moment + (change - moment) * part, change - timedelta(microseconds=1))
    assert schedule.duty_at(between) == schedule.duty_at(moment)
    assert schedule.business_date(between) == schedule.business_date(moment)


@given(rotations, st.integers(-2000, 2000), st.integers(-50, 50))
def test_a_rotation_goes_round_in_both_directions(rotation, offset, rounds):
    """The same shift as many patterns before and after; the first day of the pattern is its beginning."""
    day, length = rotation.starts_on + offset * DAY, len(rotation.pattern)
    assert rotation.shift_on(day) == rotation.shift_on(day + rounds * length * DAY)
    assert [rotation.shift_on(rotation.starts_on + n * DAY) for n in range(length)] == list(rotation.pattern)


@given(rotations, days)
def test_a_day_off_of_a_rotation_is_a_day_off(rotation, day):
    """Whatever weekday it is; and a shift of the pattern is worked also where its own weekdays say no."""
    schedule = Schedule(timezone=ZoneInfo("Asia/Jakarta"), assignments=(Assignment(rotation=rotation),))
    place = (day - rotation.starts_on).days % len(rotation.pattern)
    found = schedule.shift_on(day)
    assert (found.shift if found else None) == rotation.pattern[place]
    assert schedule.is_workday(day) is (rotation.pattern[place] is not None)


@given(
    st.sampled_from(ZONES), st.integers(0, 200), st.integers(22 * 3600_000, 30 * 3600_000 - 1), st.booleans()
)
def test_a_rotation_of_nights_is_one_day_each_over_midnight(zone, offset, millisecond, is_last):
    """From 22:00 to 06:00 everything belongs to the date on which the night began, in every zone."""
    night = Shift(shift_id="n", name="Night", starts=time(22), ends=time(6))
    pattern = (None, night) if is_last else (night, None)
    rotation = Rotation(rotation_id="r", name="R", starts_on=MONDAY, pattern=pattern)
    schedule = Schedule(timezone=ZoneInfo(zone), assignments=(Assignment(rotation=rotation),))
    day = MONDAY + (2 * offset + is_last) * DAY
    moment = at(day, schedule.timezone, millisecond)
    assert schedule.business_date(moment) == day
    assert schedule.duty_at(moment).standing is Standing.ON_DUTY
    assert schedule.shift_on(day + DAY) is None


@given(st.lists(assignments, min_size=1, max_size=5), days)
def test_the_newest_word_counts_and_ones_own_before_the_sites(given_ones, day):
    """No assignment that began earlier, and no default beside one's own, decides a day."""
    found = Schedule(timezone=UTC, assignments=tuple(given_ones)).assignment_on(day)
    valid = [
        each
        for each in given_ones
        if (each.valid_from or date.min) <= day and day <= (each.valid_to or date.max)
    ]
    if not valid:
        assert found is None
        return
    assert found is not None
    own = [each for each in valid if each.is_own]
    assert found.is_own is bool(own)
    newest = max(each.valid_from or date.min for each in own or valid)
    assert (found.valid_from or date.min) == newest

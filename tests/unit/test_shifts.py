"""To which day a moment belongs, and what is expected then."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from central_server.domain.shifts import (
    WEEKDAYS,
    Assignment,
    Break,
    LeaveSpan,
    Schedule,
    Shift,
    Standing,
)

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
DAY_SHIFT = Shift(shift_id="day", name="Day", starts=time(8), ends=time(17))
NIGHT = Shift(shift_id="night", name="Night", starts=time(22), ends=time(6))
LUNCH = Break(name="Lunch", starts=time(12), ends=time(13))
FRIDAY_PRAYER = Break(name="Friday prayer", starts=time(11, 30), ends=time(13), weekdays=frozenset({"fri"}))


def a_schedule(shift: Shift | None = DAY_SHIFT, zone: str = "Asia/Jakarta", **more) -> Schedule:
    assignments = (Assignment(shift=shift),) if shift else ()
    return Schedule(timezone=ZoneInfo(zone), **{"assignments": assignments} | more)


def local(day: date, at: str, zone: str = "Asia/Jakarta") -> datetime:
    return datetime.combine(day, time.fromisoformat(at), tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("day", "at", "belongs_to"),
    [
        (MONDAY, "07:00", MONDAY),
        (MONDAY, "20:59", MONDAY),
        (TUESDAY, "00:30", MONDAY),  # outside of any window: the cut-off is 04:00
        (TUESDAY, "04:00", TUESDAY),
        (TUESDAY, "06:00", TUESDAY),
    ],
)
def test_the_day_of_a_moment_in_a_day_shift(day, at, belongs_to):
    """The shift's window decides, and outside of it the local date with its cut-off."""
    assert a_schedule().business_date(local(day, at)) == belongs_to


@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
@pytest.mark.parametrize(
    ("day", "at"), [(MONDAY, "20:30"), (MONDAY, "22:00"), (TUESDAY, "05:59"), (TUESDAY, "09:59")]
)
def test_a_night_shift_is_one_day_in_every_zone(zone, day, at):
    """From 22:00 to 06:00, with its margins, everything belongs to the date on which the shift began."""
    assert a_schedule(NIGHT, zone).business_date(local(day, at, zone)) == MONDAY


def test_between_two_windows_the_nearer_working_time_wins():
    """23:30 on Monday can be Monday's late end or Tuesday's early start: it is nearer to the start."""
    early = Shift(shift_id="e", name="Early", starts=time(0, 30), ends=time(20), late_out=timedelta(hours=4))
    assert a_schedule(early).business_date(local(MONDAY, "23:30")) == TUESDAY
    assert a_schedule(early).business_date(local(MONDAY, "20:30")) == MONDAY


@pytest.mark.parametrize(
    ("at", "standing", "since", "before"),
    [
        ("07:59", Standing.OFF_SHIFT, None, Standing.OFF_SHIFT),
        ("08:00", Standing.ON_DUTY, "08:00", Standing.OFF_SHIFT),
        ("12:00", Standing.ON_BREAK, None, Standing.OFF_SHIFT),
        ("13:00", Standing.ON_DUTY, "13:00", Standing.ON_BREAK),
        ("17:00", Standing.OFF_SHIFT, None, Standing.OFF_SHIFT),
    ],
)
def test_what_is_expected_during_the_day(at, standing, since, before):
    """On duty counts from the start of the shift or the end of the break."""
    duty = a_schedule(breaks=(LUNCH,)).duty_at(local(MONDAY, at))
    assert (duty.standing, duty.before) == (standing, before)
    assert duty.since == (local(MONDAY, since) if since else None)


def test_breaks_leave_and_holidays_by_their_days():
    """Friday prayer is on Fridays; leave and holidays are whole business dates, night shifts included."""
    friday, schedule = date(2026, 11, 27), a_schedule(breaks=(FRIDAY_PRAYER,))
    assert schedule.duty_at(local(friday, "11:45")).standing is Standing.ON_BREAK
    assert schedule.duty_at(local(MONDAY, "11:45")).standing is Standing.ON_DUTY
    away = a_schedule(NIGHT, leaves=(LeaveSpan(first_on=MONDAY, last_on=MONDAY),))
    assert away.duty_at(local(TUESDAY, "03:00")).standing is Standing.ON_LEAVE
    holiday = a_schedule(holidays=frozenset({MONDAY}))
    assert holiday.duty_at(local(MONDAY, "10:00")).standing is Standing.OFF_SHIFT


def test_a_break_after_midnight_belongs_to_the_night_shift():
    """02:00 to 02:30 on Tuesday is a break of Monday's night."""
    schedule = a_schedule(NIGHT, breaks=(Break(name="Supper", starts=time(2), ends=time(2, 30)),))
    assert schedule.duty_at(local(TUESDAY, "02:10")).standing is Standing.ON_BREAK
    assert schedule.duty_at(local(TUESDAY, "02:40")).before is Standing.ON_BREAK


def test_ones_own_shift_comes_before_the_sites():
    """The latest of one's own assignments counts; on its days off the site's default does not."""
    own_old = Assignment(shift=NIGHT, valid_from=date(2026, 1, 1))
    own = Assignment(
        shift=Shift(shift_id="own", name="Own", starts=time(9), ends=time(15)), valid_from=date(2026, 11, 1)
    )
    site = Assignment(
        shift=Shift(shift_id="site", name="Site", starts=time(8), ends=time(17), weekdays=frozenset({"sat"})),
        is_own=False,
    )
    schedule = a_schedule(assignments=(site, own_old, own))
    assert schedule.shift_on(MONDAY).shift.shift_id == "own"
    assert schedule.shift_on(date(2026, 10, 5)).shift.shift_id == "night"
    assert schedule.shift_on(date(2026, 11, 28)) is None


@pytest.mark.parametrize(
    ("shift", "at", "days_later"),
    [
        (DAY_SHIFT, "05:00", 0),
        (DAY_SHIFT, "23:59", 0),
        (NIGHT, "22:10", 0),
        (NIGHT, "00:30", 1),
        (NIGHT, "06:15", 1),
        (Shift(shift_id="late", name="Late", starts=time(14), ends=time(22)), "00:30", 1),
        (None, "03:59", 1),
        (None, "04:00", 0),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
def test_a_clock_time_means_the_next_morning_only_where_the_day_reaches_there(shift, at, days_later, zone):
    """HR types 06:15 for a night that began at 22:00; after a day shift nobody can mean tomorrow."""
    moment = a_schedule(shift, zone).instant_on(MONDAY, time.fromisoformat(at))
    assert moment == local(MONDAY + timedelta(days=days_later), at, zone)


@pytest.mark.parametrize("cutoff", [time(1, 30), time(2, 30), time(4)])
@pytest.mark.parametrize("change", [date(2026, 3, 8), date(2026, 11, 1)], ids=["spring", "autumn"])
def test_a_business_date_begins_once_where_clocks_are_changed(change, cutoff):
    """New York, with the day's cut-off in the very hour that is left out or comes twice."""
    schedule = Schedule(timezone=ZoneInfo("America/New_York"), day_cutoff=cutoff)
    start = datetime.combine(change, time(0), tzinfo=UTC)
    moments = [start + timedelta(minutes=5 * n) for n in range(12 * 24)]
    dates = [schedule.business_date(each) for each in moments]
    assert dates == sorted(dates)
    turns = schedule.turns(change - timedelta(days=1), change + timedelta(days=1))
    assert dates == [max(turn for turn in turns if turn[0] <= each)[1] for each in moments]


def test_a_shift_does_not_end_before_it_begins_where_an_hour_is_left_out():
    """02:45 to 03:15 on the night when 02:45 is 03:45."""
    shift = Shift(shift_id="x", name="x", starts=time(2, 45), ends=time(3, 15), weekdays=frozenset(WEEKDAYS))
    zone = ZoneInfo("America/New_York")
    worked = Schedule(timezone=zone, assignments=(Assignment(shift=shift),)).shift_on(date(2026, 3, 8))
    assert worked.starts_at == worked.ends_at

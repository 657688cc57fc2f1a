"""One person-day from its facts."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from central_server.domain.attendance import Correction, DayFacts, Status
from central_server.domain.day_figures import attendance_on
from central_server.domain.shifts import Assignment, Break, LeaveSpan, Schedule, Shift

MONDAY = date(2026, 11, 23)
JAKARTA = ZoneInfo("Asia/Jakarta")
SHIFT = Shift(shift_id="day", name="Day", starts=time(8), ends=time(17))
LUNCH = Break(name="Lunch", starts=time(12), ends=time(13))
LONG_AFTER = datetime(2026, 11, 25, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.combine(MONDAY, time.fromisoformat(text), tzinfo=JAKARTA).astimezone(UTC)


def the_day(*seen: str, as_of: datetime = LONG_AFTER, shift: Shift | None = SHIFT, **more):
    assignments = (Assignment(shift=shift),) if shift else ()
    schedule = Schedule(
        timezone=JAKARTA,
        assignments=assignments,
        breaks=(LUNCH,),
        holidays=more.pop("holidays", frozenset()),
        leaves=more.pop("leaves", ()),
    )
    return attendance_on(
        DayFacts(
            employee_id="EMP001",
            site_id="plant",
            business_date=MONDAY,
            schedule=schedule,
            seen_at=[at(each) for each in seen],
            as_of=as_of,
            **more,
        )
    )


@pytest.mark.parametrize(
    ("seen", "more", "expected"),
    [
        (("08:00", "17:00"), {}, ("present", 0, 0, 0, 8 * 3600)),
        (("08:10", "17:00"), {}, ("present", 0, 0, 0, 8 * 3600 - 600)),  # within the grace
        (("08:11", "17:00"), {}, ("late", 11, 0, 0, 8 * 3600 - 660)),
        (("07:30", "17:45"), {}, ("present", 0, 0, 45, 8 * 3600)),  # clipped to the shift
        (("08:00", "16:30"), {}, ("present", 0, 30, 0, 7 * 3600 + 1800)),
        (("08:00", "12:30"), {}, ("present", 0, 270, 0, 4 * 3600)),  # the break begun is not worked
        (("09:00",), {}, ("incomplete", 60, 0, 0, None)),  # when they went, nobody knows
        ((), {}, ("absent", 0, 0, 0, None)),
        ((), {"leaves": (LeaveSpan(first_on=MONDAY, last_on=MONDAY),)}, ("leave", 0, 0, 0, None)),
        ((), {"holidays": frozenset({MONDAY})}, ("holiday", 0, 0, 0, None)),
        ((), {"shift": None}, ("off", 0, 0, 0, None)),
        (("10:00", "12:00"), {"shift": None}, ("present", 0, 0, 0, 7200)),
        (("10:00", "12:00"), {"holidays": frozenset({MONDAY})}, ("present", 0, 0, 120, 0)),
    ],
)
def test_what_a_day_comes_to(seen, more, expected):
    """Status, minutes late, early and over, and the hours worked."""
    day = the_day(*seen, **more)
    assert (day.status, day.late_min, day.early_leave_min, day.overtime_min, day.work_seconds) == expected


def test_while_somebody_is_in_the_area_the_day_has_no_end_yet():
    """last_out_ts comes when they go; hours are counted so far; nothing is final."""
    day = the_day("08:00", "10:00", as_of=at("10:00"), is_in_area=True)
    assert (day.first_in_ts, day.last_out_ts, day.is_provisional) == (at("08:00"), None, True)
    assert day.work_seconds == 7200
    gone = the_day("08:00", "10:00", as_of=at("10:06"))
    assert gone.last_out_ts == at("10:00")
    assert gone.early_leave_min == 0  # the shift goes on: they may be back


def test_the_first_sighting_of_the_day_is_not_incomplete():
    """Not while they are here; only a day that ends with one sighting is."""
    assert the_day("08:00", as_of=at("08:00"), is_in_area=True).status is Status.PRESENT
    assert the_day("08:00", as_of=at("08:06")).status is Status.INCOMPLETE


def test_a_day_is_final_when_its_window_closes():
    """17:00 and four hours; then it has an end even for who never left."""
    assert the_day("08:00", "17:00", as_of=at("20:59")).is_provisional
    closed = the_day("08:00", "20:59", as_of=at("21:00"), is_in_area=True)
    assert (closed.is_provisional, closed.last_out_ts) == (False, at("20:59"))


def test_time_in_the_area_is_what_was_seen():
    """Stays with less than five minutes between are one; seconds are their sum, span is first to last."""
    day = the_day("08:00", "08:04", "08:30", "08:35", "10:00")
    assert (day.seconds, day.span_seconds) == (4 * 60 + 5 * 60, 7200)


def correction(field: str, after: str, minute: int = 0) -> Correction:
    return Correction(field=field, after=after, made_at=LONG_AFTER + timedelta(minutes=minute))


def test_hr_has_the_last_word():
    """A correction lies over what was seen; the last one for a field counts; empty takes it back."""
    said = correction("last_out_ts", at("17:00").isoformat(timespec="minutes"))
    assert the_day("08:00", corrections=[said]).work_seconds == 8 * 3600
    sick = correction("status", "leave")
    assert the_day("08:00", corrections=[said, sick]).status is Status.LEAVE
    assert the_day("08:00", corrections=[sick, correction("status", "", 1)]).status is Status.INCOMPLETE
    came = correction("first_in_ts", "2026-11-23T08:00+07:00")
    assert the_day(corrections=[came, said]).status is Status.PRESENT

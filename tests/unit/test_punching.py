"""What a punch says, and for how long it holds."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.domain.alerts import alerts_for
from central_server.domain.attendance import DayFacts, Punch, Status
from central_server.domain.day_figures import attendance_on
from central_server.domain.people import Person
from central_server.domain.presence import Presence, Reason, Sighting, State, nobody_yet
from central_server.domain.punching import (
    locked_until,
    next_punch_check,
    presence_after_punch,
    presence_by_punches,
)
from central_server.domain.shifts import Assignment, Break, LeaveSpan, Schedule, Shift

MONDAY = date(2026, 11, 23)
JAKARTA = ZoneInfo("Asia/Jakarta")
DAY_SHIFT = Shift(shift_id="day", name="day", starts=time(8), ends=time(17))
SCHEDULE = Schedule(timezone=JAKARTA, assignments=(Assignment(shift=DAY_SHIFT),))
EVERY_DAY = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})
LUNCH = Break(name="lunch", starts=time(12), ends=time(13), weekdays=EVERY_DAY)
ANI = Person(
    employee_id="ANI", site_id="plant", name="Ani", has_consent=False, is_enrolled=False, has_badge=True
)
FACE = replace(ANI, has_consent=True, is_enrolled=True)


def at(hour: int, minute: int = 0, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour, minute), tzinfo=JAKARTA).astimezone(UTC)


def a_punch(when: datetime, site_id: str = "plant") -> Sighting:
    return Sighting(
        employee_id="ANI",
        site_id=site_id,
        zone_id=None,
        camera_id="kiosk-door",
        seen_at=when,
        business_date=SCHEDULE.business_date(when),
    )


def punched(*said: tuple[datetime, bool], person: Person = ANI) -> Presence:
    """Return the presence after some punches."""
    here = nobody_yet("ANI", "plant", at(5))
    for when, is_in in said:
        here = presence_after_punch(here, a_punch(when), person, is_in=is_in)
    return here


def judged(here: Presence, when: datetime, schedule: Schedule = SCHEDULE, person: Person = ANI) -> Presence:
    found = presence_by_punches(here, person, schedule, when)
    assert found is not None
    return found


def test_between_in_and_out_a_person_is_there():
    """No timer runs: four hours after the `in` nobody is missing."""
    here = punched((at(7, 58), True))
    later = judged(here, at(12))
    assert (later.state, later.reason, later.since) == (State.AVAILABLE, Reason.IN_AREA, at(7, 58))


def test_after_the_out_a_person_is_off_and_nobody_is_told():
    """They said so themselves; there is nothing to alarm a supervisor with."""
    gone = punched((at(7, 58), True), (at(11), False))
    later = judged(gone, at(11, 30))
    assert (later.state, later.reason, later.since) == (State.OFF, Reason.PUNCHED_OUT, at(11))
    assert alerts_for(later, None, is_watched=True, at=at(11, 30)) is None


def test_who_has_not_punched_has_not_arrived():
    """On duty without a punch of this day; before the shift they are only off."""
    nobody = nobody_yet("ANI", "plant", at(5))
    assert judged(nobody, at(7)).reason is Reason.OFF_SHIFT
    assert judged(nobody, at(8, 30)).reason is Reason.NOT_ARRIVED
    yesterday = punched((at(8), True), (at(17), False))
    assert judged(yesterday, at(8, 30, MONDAY + timedelta(days=1))).reason is Reason.NOT_ARRIVED


def test_a_forgotten_out_ends_with_the_window():
    """At the window's close the person is off, and stays so until the next `in`."""
    here = punched((at(8), True))
    closes_at = SCHEDULE.closes_at(MONDAY)
    assert judged(here, closes_at).state is State.AVAILABLE
    over = judged(here, closes_at + timedelta(seconds=1))
    assert (over.state, over.reason, over.is_punched_in) == (State.OFF, Reason.OFF_SHIFT, False)
    next_day = judged(over, at(9, 0, MONDAY + timedelta(days=1)))
    assert next_day.reason is Reason.NOT_ARRIVED


def test_who_comes_after_the_window_stays_until_the_day_turns():
    """Somebody called in at night is there, and not gone in the same moment."""
    here = punched((at(23, 30), True))
    assert judged(here, at(23, 45)).state is State.AVAILABLE
    assert judged(here, at(4, 30, MONDAY + timedelta(days=1))).state is State.OFF


def test_leave_and_breaks_are_said_as_of_everybody():
    """Off during a break is a break, on a day of leave it is leave."""
    out_for_lunch = punched((at(8), True), (at(12, 1), False))
    with_lunch = replace(SCHEDULE, breaks=(LUNCH,))
    assert judged(out_for_lunch, at(12, 30), with_lunch).reason is Reason.ON_BREAK
    assert judged(out_for_lunch, at(13, 30), with_lunch).reason is Reason.PUNCHED_OUT
    on_leave = replace(SCHEDULE, leaves=(LeaveSpan(first_on=MONDAY, last_on=MONDAY),))
    assert judged(nobody_yet("ANI", "plant", at(5)), at(9), on_leave).reason is Reason.ON_LEAVE


def test_at_another_site_they_are_elsewhere():
    """A kiosk of another site is as good; the next day they are looked for at home again."""
    here = presence_after_punch(nobody_yet("ANI", "plant", at(5)), a_punch(at(8), "branch"), ANI, is_in=True)
    assert judged(here, at(9)).reason is Reason.ELSEWHERE
    tomorrow = judged(here, at(9, 0, MONDAY + timedelta(days=1)))
    assert (tomorrow.site_id, tomorrow.reason) == ("plant", Reason.NOT_ARRIVED)


def test_the_cameras_go_on_watching_whom_they_recognise():
    """A punch of somebody enrolled is a sighting, and the rest is the cameras' to say."""
    here = punched((at(8), True), person=FACE)
    assert (here.state, here.last_seen, here.is_punched_in) == (State.AVAILABLE, at(8), False)
    assert presence_by_punches(here, FACE, SCHEDULE, at(9)) is None


def test_who_is_enrolled_while_punched_in_stays_so_until_the_out():
    """Enrolment at noon opens no alert about somebody no camera has seen yet; the next day they may."""
    here = punched((at(8), True))
    assert judged(here, at(12), person=FACE).state is State.AVAILABLE
    over = judged(here, at(8, 0, MONDAY + timedelta(days=1)), person=FACE)
    assert over.is_punched_in is False
    assert presence_by_punches(over, FACE, SCHEDULE, at(8, 1, MONDAY + timedelta(days=1))) is None


def test_without_a_badge_nothing_is_said():
    """Neither about somebody whose badge was taken away, nor about somebody who has left."""
    plain = replace(ANI, has_badge=False)
    assert presence_by_punches(nobody_yet("ANI", "plant", at(5)), plain, SCHEDULE, at(9)) is None
    resigned = replace(ANI, status="resigned")
    assert presence_by_punches(nobody_yet("ANI", "plant", at(5)), resigned, SCHEDULE, at(9)) is None


def test_a_badge_is_a_way_to_be_followed():
    """Who has one can be late and absent as everybody, and is not left out of the report."""
    assert ANI.is_followed_on(MONDAY) and ANI.can_be_absent_on(MONDAY) and ANI.punches_on(MONDAY)
    assert not ANI.is_recognised_on(MONDAY)
    assert FACE.is_followed_on(MONDAY) and not FACE.punches_on(MONDAY)
    since_tuesday = replace(ANI, badge_since=MONDAY + timedelta(days=1))
    assert not since_tuesday.punches_on(MONDAY)


@pytest.mark.parametrize(
    ("wrong", "minutes"), [(0, None), (4, None), (5, 5), (6, 10), (7, 20), (8, 40), (9, 60), (40, 60)]
)
def test_each_further_wrong_pin_doubles_the_wait(wrong, minutes):
    """Five are forgiven; from then on guessing takes longer than anybody has."""
    expected = None if minutes is None else at(8) + timedelta(minutes=minutes)
    assert locked_until(wrong, at(8)) == expected


PUNCHES = st.lists(
    st.tuples(st.integers(0, 14 * 60).map(lambda minutes: at(6) + timedelta(minutes=minutes)), st.booleans())
)


@given(PUNCHES, st.randoms())
def test_order_and_repetition_of_punches_change_no_day(said, random):
    """A punch that was sent again, or recorded late, is the same day."""
    punches = [Punch(when, is_in) for when, is_in in said]
    shuffled = punches + punches[: len(punches) // 2]
    random.shuffle(shuffled)

    def day(given):
        return attendance_on(
            DayFacts(
                employee_id="ANI",
                site_id="plant",
                business_date=MONDAY,
                schedule=SCHEDULE,
                seen_at=[],
                punches=given,
                as_of=SCHEDULE.closes_at(MONDAY),
            )
        )

    assert day(shuffled) == day(punches)


@given(PUNCHES, st.integers(0, 40 * 60))
def test_nobody_who_punches_is_ever_reported_out_of_area(said, minutes):
    """Whatever was punched and whenever one looks, there is no alert and no doubt."""
    here = punched(*sorted(said))
    found = judged(here, at(6) + timedelta(minutes=minutes))
    assert found.state is not State.UNKNOWN
    assert found.reason is not Reason.OUT_OF_AREA
    assert judged(found, at(6) + timedelta(minutes=minutes)) == found


def the_day(*punches: Punch, **more):
    """Return the attendance of a closed Monday."""
    return attendance_on(
        DayFacts(
            employee_id="ANI",
            site_id="plant",
            business_date=MONDAY,
            schedule=SCHEDULE,
            seen_at=more.pop("seen_at", []),
            punches=punches,
            as_of=SCHEDULE.closes_at(MONDAY),
            **more,
        )
    )


@given(PUNCHES, st.integers(0, 40 * 60), st.floats(0, 1))
def test_nothing_changes_before_the_next_look(said, minutes, part):
    """Whoever is not looked at until then is told no differently for it."""
    when = at(6) + timedelta(minutes=minutes)
    here = judged(punched(*sorted(said)), when)
    following = next_punch_check(SCHEDULE, when)
    assert following > when
    assert judged(here, when + (following - when) * part * 0.999) == here


def test_one_punch_alone_is_incomplete():
    """No 23:59 is invented for who forgot to clock out."""
    day = the_day(Punch(at(8), True))
    assert (day.status, day.work_seconds, day.is_provisional) == (Status.INCOMPLETE, None, False)


def test_the_wrong_button_in_the_evening_costs_nobody_a_day():
    """In at 08:00 and In again at 17:00: they were there at both ends."""
    day = the_day(Punch(at(8), True), Punch(at(17), True))
    assert (day.status, day.work_seconds) == (Status.PRESENT, 9 * 3600)


def test_a_camera_that_saw_them_later_knows_when_they_left():
    """For somebody who is recognised too, the last sighting is the end, as ever."""
    day = the_day(Punch(at(8), True), seen_at=[at(16, 59), at(17, 2)])
    assert (day.status, day.work_seconds) == (Status.PRESENT, 9 * 3600)

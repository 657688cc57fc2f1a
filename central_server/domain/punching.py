"""Who is not recognised by face punches at a kiosk: what a punch says, and for how long it holds.

Between an `in` and the `out` somebody is there; no camera's timer runs for them, and nobody is told that
they went out of the area. A forgotten `out` ends when the shift's window closes, and no time is invented.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from central_server.domain.people import Person
from central_server.domain.presence import Presence, Reason, Sighting, State, presence_after_sighting
from central_server.domain.shifts import Schedule, Standing

PIN_DIGITS = 6
MOST_WRONG = 5  # PINs in a row
SHORTEST_LOCK, LONGEST_LOCK = timedelta(minutes=5), timedelta(hours=1)


def locked_until(wrong: int, now: datetime) -> datetime | None:
    """Return until when a PIN is closed after so many wrong tries in a row: each further one doubles it."""
    if wrong < MOST_WRONG:
        return None
    return now + min(SHORTEST_LOCK * 2 ** min(wrong - MOST_WRONG, 10), LONGEST_LOCK)


def presence_after_punch(before: Presence, punch: Sighting, person: Person, *, is_in: bool) -> Presence:
    """Return the presence once a punch is known.

    Of somebody whom the cameras recognise it says no more than a sighting: the cameras go on watching.
    """
    after = presence_after_sighting(before, punch, person.site_id)
    if person.is_recognised_on(punch.business_date):
        return replace(after, is_punched_in=before.is_punched_in and is_in)
    if is_in:
        return replace(after, is_punched_in=True)
    return replace(
        after, is_punched_in=False, state=State.OFF, reason=Reason.PUNCHED_OUT, since=punch.seen_at
    )


def presence_by_punches(
    before: Presence, person: Person, schedule: Schedule, at: datetime
) -> Presence | None:
    """Return the presence at a moment of somebody who punches; None: it is the cameras' to say.

    at: the server's clock, for a kiosk is the server itself and needs no watermark. Who is enrolled while
    punched in stays so until the `out`.
    """
    if not person.has_badge and not before.is_punched_in:
        return None
    today = schedule.business_date(at)
    is_recognised = person.is_recognised_on(today)
    if is_recognised and not before.is_punched_in:
        return None
    if not (person.has_badge and person.is_employed_on(today)):
        return replace(before, is_punched_in=False) if before.is_punched_in else None
    if before.is_punched_in and not _is_over(before, schedule, at):
        reason = Reason.IN_AREA if before.site_id == person.site_id else Reason.ELSEWHERE
        return _moved(before, State.AVAILABLE, reason, before.last_seen or at)
    if is_recognised:
        return replace(before, is_punched_in=False)
    gone = replace(before, is_punched_in=False)
    reason = _why_off(gone, schedule, at)
    if reason is Reason.NOT_ARRIVED:  # a new day: back to where the person belongs
        gone = replace(gone, site_id=person.site_id)
    is_of_today = gone.business_date == today and gone.last_seen is not None
    return _moved(gone, State.OFF, reason, gone.last_seen if is_of_today and gone.last_seen else at)


def next_punch_check(schedule: Schedule, at: datetime) -> datetime:
    """Return the first instant after at at which time alone could change what presence_by_punches says."""
    closes_at = schedule.closes_at(schedule.business_date(at))
    following = schedule.next_change(at)
    return min(following, closes_at + timedelta(microseconds=1)) if at <= closes_at else following


def _is_over(before: Presence, schedule: Schedule, at: datetime) -> bool:
    """Tell whether nobody can still be at work on the strength of their last `in`."""
    day, came_at = before.business_date, before.last_seen
    if day is None or came_at is None:
        return True
    closes_at = schedule.closes_at(day)
    return at > closes_at if came_at <= closes_at else schedule.business_date(at) != day


def _why_off(before: Presence, schedule: Schedule, at: datetime) -> Reason:
    match schedule.duty_at(at).standing:
        case Standing.ON_LEAVE:
            return Reason.ON_LEAVE
        case Standing.OFF_SHIFT:
            return Reason.OFF_SHIFT
        case _ if before.last_seen is None or before.business_date != schedule.business_date(at):
            return Reason.NOT_ARRIVED
        case Standing.ON_BREAK:
            return Reason.ON_BREAK
    return Reason.PUNCHED_OUT


def _moved(before: Presence, state: State, reason: Reason, since: datetime) -> Presence:
    if (state, reason) == (before.state, before.reason):
        return before
    if state is before.state is State.AVAILABLE:
        return replace(before, reason=reason)
    return replace(before, state=state, reason=reason, since=since)

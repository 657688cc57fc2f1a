"""A person-day worked out the slow way: every half minute of three days is looked at, one after the other.

Written from what HR was promised, not from central_server/domain, whose figures it checks. It takes the same
facts, and calls none of their rules. Every instant among the facts must lie on a half minute.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from central_server.domain.attendance import DayFacts
from central_server.domain.shifts import Break, LeaveSpan, Schedule, Shift

TICK = timedelta(seconds=30)
DAY = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAY_BE_HERE_UNSEEN = timedelta(hours=1)


@dataclass(frozen=True)
class Moment:
    """Half a minute, and all that is the case at its beginning."""

    at: datetime
    is_window: bool  # a sighting now belongs to the shift
    is_work: bool  # the shift is on
    is_unpaid: bool  # a break that does not count as work
    is_unwatched: bool  # somebody could come or go unseen


@dataclass(frozen=True)
class Known:
    """What is known of the day before anything is counted."""

    facts: DayFacts
    shift: Shift | None
    moments: list[Moment]
    is_holiday: bool
    leave: LeaveSpan | None
    said: dict[str, str]  # by HR
    first: datetime | None
    last: datetime | None
    is_still_here: bool

    @property
    def is_workday(self) -> bool:
        return self.shift is not None and not self.is_holiday

    @property
    def is_expected(self) -> bool:
        return self.is_workday and self.leave is None

    @property
    def starts(self) -> datetime:
        return min(x.at for x in self.moments if x.is_work)

    @property
    def ends(self) -> datetime:
        return max(x.at for x in self.moments if x.is_work) + TICK

    @property
    def has_hours(self) -> bool:
        return self.first is not None and self.last is not None and self.first < self.last

    @property
    def is_at_work(self) -> bool:
        """Some of the time between first and last lies in the shift."""
        if self.first is None or self.last is None or not self.is_workday:
            return False
        return self.first < self.ends and self.last > self.starts

    @property
    def was_on_record(self) -> bool:
        grace = self.shift.late_grace if self.shift else timedelta(0)
        return self.facts.known_at is None or self.facts.known_at <= self.starts + grace


def reference_day(facts: DayFacts) -> dict[str, Any]:
    """Return the figures of a person-day by the names that Attendance gives them."""
    shift = assigned_shift(facts.schedule, facts.business_date)
    moments = every_moment(facts, shift)
    is_holiday = facts.business_date in facts.schedule.holidays
    leave = next((x for x in facts.schedule.leaves if x.first_on <= facts.business_date <= x.last_on), None)
    here = present_moments(facts, moments, is_windowed=shift is not None and not is_holiday)
    said = what_hr_said(facts)
    is_closed = facts.as_of >= closing_time(facts, shift)
    is_still_here = facts.is_in_area and not is_closed and not said.get("last_out_ts")
    first, last = min(here, default=None), max(here, default=None)
    if what_happened(facts, first) == {"out"} and next_punch(facts, first) != "out":
        first = None  # they punched out, and nobody knows when they had come
    if what_happened(facts, last) == {"in"} and punch_before(facts, last) != "in" and not is_still_here:
        last = None  # they punched in, and nobody knows when they went
    if said.get("first_in_ts"):
        first = datetime.fromisoformat(said["first_in_ts"])
    if said.get("last_out_ts"):
        last = datetime.fromisoformat(said["last_out_ts"])
    known = Known(facts, shift, moments, is_holiday, leave, said, first, last, is_still_here)
    day: dict[str, Any] = {
        "first_in_ts": first,
        "last_out_ts": None if is_still_here else last,
        "seconds": in_area_seconds(here),
        "span_seconds": max(0, seconds(last - first)) if first and last else 0,
        "break_seconds": 0,
        "work_seconds": None,
        "late_min": 0,
        "early_leave_min": 0,
        "overtime_min": 0,
        "overtime_paid_min": 0,
        "is_provisional": not is_closed,
        "leave_kind": leave.kind if leave else "",
        "is_verified": True,
    }
    if said.get("status") in ("absent", "leave"):
        day |= {"first_in_ts": None, "last_out_ts": None, "span_seconds": 0}
    elif here or first or last:
        day |= hours(known)
        late_min, is_late_certain = late(known)
        early_min, is_early_certain = early(known)
        day |= {"late_min": late_min, "early_leave_min": early_min}
        day["is_verified"] = is_late_certain and is_early_certain
    elif known.is_expected and known.was_on_record and not said.get("status") and not is_too_early(known):
        blind = [x for x in moments if x.is_work and x.is_unwatched]
        day["is_verified"] = TICK * len(blind) <= facts.merge_gap
    is_seen = bool(here or first or last)
    return day | {"status": said.get("status") or status_of(known, is_seen, day["late_min"])}


def status_of(known: Known, is_seen: bool, late_min: int) -> str:
    calm = "leave" if known.leave else "holiday" if known.is_holiday else "off"
    if not is_seen:
        return unseen_status(known) if known.is_expected and known.was_on_record else calm
    if not known.has_hours and not known.is_still_here:
        return "incomplete" if known.is_expected else calm
    if known.is_expected and known.facts.as_of >= known.ends and not known.is_at_work:
        return "incomplete"
    return "late" if late_min else "present"


def hours(known: Known) -> dict[str, int]:
    """Return what the day is worth: nothing but what can be told."""
    if not known.has_hours or known.first is None or known.last is None:
        return {}
    if known.is_workday:
        if not known.is_at_work:
            return {}
        worked = [x for x in known.moments if x.is_work and known.first <= x.at < known.last]
        unpaid = [x for x in worked if x.is_unpaid]
        over = whole_minutes(max(known.last - known.ends, timedelta(0)))
        paid = paid_minutes(known, over)
        return {
            "break_seconds": seconds(TICK * len(unpaid)),
            "work_seconds": seconds(TICK * (len(worked) - len(unpaid))) + 60 * paid,
            "overtime_min": over,
            "overtime_paid_min": paid,
        }
    if not known.facts.schedule.assignments:
        return {"work_seconds": seconds(known.last - known.first)}
    over = whole_minutes(known.last - known.first)  # nobody had to come: all of it is overtime
    paid = paid_minutes(known, over)
    return {"work_seconds": 60 * paid, "overtime_min": over, "overtime_paid_min": paid}


def late(known: Known) -> tuple[int, bool]:
    """Return the minutes, and whether they are certain."""
    if known.first is None or known.shift is None or not known.is_expected or not known.was_on_record:
        return 0, True
    deadline = known.starts + known.shift.late_grace
    if not deadline < known.first < known.ends:
        return 0, True
    came, is_certain = known.first, True
    if not known.said.get("first_in_ts"):
        came = earliest_arrival(known)
        is_certain = was_watched(known, known.starts - may_be_unseen(known), known.first)
    return (whole_minutes(came - known.starts) if came > deadline else 0), is_certain


def early(known: Known) -> tuple[int, bool]:
    """The same of leaving early."""
    if not known.has_hours or known.last is None or known.shift is None or not known.is_expected:
        return 0, True
    is_over = known.facts.as_of >= known.ends and not known.is_still_here
    excused_from = known.ends - known.shift.early_leave_grace
    if not is_over or not known.is_at_work or known.last >= excused_from:
        return 0, True
    left, is_certain = known.last, True
    if not known.said.get("last_out_ts"):
        left = latest_departure(known)
        is_certain = was_watched(known, known.last, known.ends + may_be_unseen(known))
    return (whole_minutes(known.ends - left) if left < excused_from else 0), is_certain


# -- the working time --------------------------------------------------------------------------------------


def assigned_shift(schedule: Schedule, day: date) -> Shift | None:
    """Return the shift of a day: the person's own before the site's; of those valid, what began last."""
    valid = [x for x in schedule.assignments if (x.valid_from or date.min) <= day <= (x.valid_to or date.max)]
    mine = [x for x in valid if x.is_own] or valid
    newest = [x for x in mine if all((x.valid_from or date.min) >= (y.valid_from or date.min) for y in mine)]
    for each in newest:
        if each.rotation is not None:
            days_since = (day - each.rotation.starts_on).days
            shift = each.rotation.pattern[days_since % len(each.rotation.pattern)]
        else:
            shift = each.shift if each.shift and WEEKDAYS[day.weekday()] in each.shift.weekdays else None
        if shift is not None:
            return shift
    return None


def every_moment(facts: DayFacts, shift: Shift | None) -> list[Moment]:
    zone = facts.timezone or facts.schedule.timezone
    day = facts.business_date
    at = datetime.combine(day, datetime.min.time(), tzinfo=UTC) - DAY / 2
    starts = datetime.combine(day, shift.starts) if shift else None
    ends = shift and datetime.combine(day + DAY if shift.ends <= shift.starts else day, shift.ends)
    found: list[Moment] = []
    while at < datetime.combine(day, datetime.min.time(), tzinfo=UTC) + 2 * DAY:
        wall = at.astimezone(zone).replace(tzinfo=None)
        is_work = is_window = is_unpaid = False
        if shift and starts and ends:
            is_work = starts <= wall < ends
            is_window = starts - shift.early_in <= wall <= ends + shift.late_out
            is_unpaid = is_work and any(not x.is_paid for x in breaks_at(facts.schedule, shift, wall))
        is_gap = any(x.start <= at < x.end for x in facts.unwatched)
        is_known = is_window and at < facts.as_of
        found.append(Moment(at, is_window, is_work, is_unpaid, is_gap and is_known))
        at += TICK
    return found


def breaks_at(schedule: Schedule, shift: Shift, wall: datetime) -> list[Break]:
    """Return the breaks that are on when the clocks on the wall say so."""
    found = []
    for begins_on in (wall.date(), wall.date() - DAY):
        today = [
            x
            for x in schedule.breaks
            if x.shift_id in (None, shift.shift_id)
            and WEEKDAYS[begins_on.weekday()] in x.weekdays
            and (x.valid_from or date.min) <= begins_on <= (x.valid_to or date.max)
        ]
        for each in today:
            namesakes = [x for x in today if x.name == each.name]
            newest = max(x.valid_from or date.min for x in namesakes)
            latest = [x for x in namesakes if (x.valid_from or date.min) == newest]
            counting = [x for x in latest if x.shift_id is not None] or latest  # the shift's own, if any
            is_replaced = not any(x is each for x in counting)
            starts = datetime.combine(begins_on, each.starts)
            ends = datetime.combine(begins_on + DAY if each.ends <= each.starts else begins_on, each.ends)
            if not is_replaced and starts <= wall < ends:
                found.append(each)
    return found


def closing_time(facts: DayFacts, shift: Shift | None) -> datetime:
    """Return when only late news can still change the day."""
    zone = facts.timezone or facts.schedule.timezone
    day = facts.business_date
    if shift is None:
        wall = datetime.combine(day + DAY, facts.schedule.day_cutoff)
    else:
        ends_on = day + DAY if shift.ends <= shift.starts else day
        wall = datetime.combine(ends_on, shift.ends) + shift.late_out
    return wall.replace(tzinfo=zone).astimezone(UTC)


# -- who was here ------------------------------------------------------------------------------------------


def present_moments(facts: DayFacts, moments: list[Moment], *, is_windowed: bool) -> list[datetime]:
    """Return every moment at which the person was in the area, first and last of a stay included."""
    seen = {*facts.seen_at, *(x.at for x in facts.punches)}
    ins = {x.at for x in facts.punches if x.is_in}
    outs = {x.at for x in facts.punches if not x.is_in}
    is_here = [False] * len(moments)
    last_seen: int | None = None
    punched_in: int | None = None
    for n, moment in enumerate(moments):
        if moment.at in seen:
            is_here[n] = True
            if last_seen is not None and TICK * (n - last_seen) <= facts.merge_gap:
                is_here[last_seen:n] = [True] * (n - last_seen)
            last_seen = n
        if moment.at in outs and punched_in is not None:
            is_here[punched_in:n] = [True] * (n - punched_in)
            punched_in = None
        if moment.at in ins and punched_in is None:
            punched_in = n
    if is_windowed:
        forget_odd_stays(facts, is_here, moments)
    return [moment.at for moment, here in zip(moments, is_here, strict=True) if here]


def what_happened(facts: DayFacts, at: datetime | None) -> set[str]:
    return {"seen" for x in facts.seen_at if x == at} | {
        "in" if x.is_in else "out" for x in facts.punches if x.at == at
    }


def punch_before(facts: DayFacts, at: datetime | None) -> str | None:
    """Return which way the punch before went, if it is not the same one pressed twice."""
    before = [(x.at, x.is_in) for x in facts.punches if at and at - x.at > facts.merge_gap]
    return ("in" if max(before)[1] else "out") if before else None


def next_punch(facts: DayFacts, at: datetime | None) -> str | None:
    after = [(x.at, x.is_in) for x in facts.punches if at and x.at - at > facts.merge_gap]
    return ("in" if min(after)[1] else "out") if after else None


def has_only_come(facts: DayFacts, at: datetime) -> bool:
    """The last punch of the day is `in`: who came before the shift's window may be here still."""
    if at != max((x.at for x in facts.punches), default=None):
        return False
    ways = {x.is_in for x in facts.punches if x.at == at}
    return ways == {True} and punch_before(facts, at) != "in"


def forget_odd_stays(facts: DayFacts, is_here: list[bool], moments: list[Moment]) -> None:
    """Take out the stays no moment of which belongs to the shift."""
    opens = min(x.at for x in moments if x.is_window)
    n = 0
    while n < len(moments):
        end = n
        while end < len(moments) and is_here[end]:
            end += 1
        is_before = end > n and moments[end - 1].at < opens
        is_early = is_before and any(has_only_come(facts, x.at) for x in moments[n:end])
        if not is_early and not any(x.is_window for x in moments[n:end]):
            is_here[n:end] = [False] * (end - n)
        n = end + 1


def in_area_seconds(here: list[datetime]) -> int:
    """Return the time in the area: each half minute at whose both ends the person was there."""
    there = set(here)
    return seconds(TICK * sum(at + TICK in there for at in there))


# -- what is proven ----------------------------------------------------------------------------------------


def is_too_early(known: Known) -> bool:
    """Tell whether somebody who comes now would still be in time."""
    assert known.shift is not None
    return known.facts.as_of < known.starts + known.shift.late_grace


def unseen_status(known: Known) -> str:
    """Return what to call the day of somebody who should have come and was not seen."""
    if is_too_early(known):
        return "not_started"
    so_far = [x for x in known.moments if x.is_work and x.at < known.facts.as_of]
    blind = [x for x in so_far if x.is_unwatched]
    return "incomplete" if 2 * len(blind) > len(so_far) else "absent"


def was_watched(known: Known, start: datetime, end: datetime) -> bool:
    return not any(x.is_unwatched for x in known.moments if start <= x.at < end)


def may_be_unseen(known: Known) -> timedelta:
    return max(MAY_BE_HERE_UNSEEN, known.facts.merge_gap)


def earliest_arrival(known: Known) -> datetime:
    """Walk back from the first sighting: every unwatched moment is a chance to have come."""
    assert known.first is not None
    best, unseen = known.first, timedelta(0)
    for moment in reversed([x for x in known.moments if x.is_window and x.at < known.first]):
        if not moment.is_unwatched:
            unseen += TICK
        elif unseen <= may_be_unseen(known):
            best = moment.at
    return best


def latest_departure(known: Known) -> datetime:
    """Walk on from the last sighting: every unwatched moment is a chance to have gone."""
    assert known.last is not None
    best, unseen = known.last, timedelta(0)
    for moment in [x for x in known.moments if x.is_window and x.at >= known.last]:
        if not moment.is_unwatched:
            unseen += TICK
        elif unseen <= may_be_unseen(known):
            best = moment.at + TICK
    return best


# -- words and numbers -------------------------------------------------------------------------------------


def what_hr_said(facts: DayFacts) -> dict[str, str]:
    said: dict[str, str] = {}
    for each in sorted(facts.corrections, key=lambda x: x.made_at):
        said[each.field] = each.after
    return said


def paid_minutes(known: Known, overtime_min: int) -> int:
    if known.facts.overtime == "counted":
        return overtime_min
    return min(overtime_min, int(known.said.get("overtime_min") or 0))


def seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)


def whole_minutes(duration: timedelta) -> int:
    return duration // timedelta(minutes=1)

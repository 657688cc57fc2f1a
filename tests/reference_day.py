"""A person-day worked out the slow way: every half minute of three days is looked at, one after the other.

Written from what HR was promised, not from central_server/domain, whose figures it checks. It takes the same
facts, and calls none of their rules. Every instant among the facts must lie on a half minute.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from central_server.domain.attendance import DayFacts
from central_server.domain.shifts import Break, Schedule, Shift

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
    if what_happened(facts, first) == {"out"}:
        first = None  # they punched out, and nobody knows when they had come
    if what_happened(facts, last) == {"in"} and not is_still_here:
        last = None  # they punched in, and nobody knows when they went
    if said.get("first_in_ts"):
        first = datetime.fromisoformat(said["first_in_ts"])
    if said.get("last_out_ts"):
        last = datetime.fromisoformat(said["last_out_ts"])
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
        return day | {"first_in_ts": None, "last_out_ts": None, "span_seconds": 0, "status": said["status"]}
    calm = "leave" if leave else "holiday" if is_holiday else "off"
    work = [x.at for x in moments if x.is_work]
    is_expected = bool(work) and not is_holiday and not leave
    if first is None and last is None and not here:
        if said.get("status") or not is_expected or not was_on_record(facts, work, shift):
            return day | {"status": said.get("status") or calm}
        blind = [x for x in moments if x.is_work and x.is_unwatched]
        day["is_verified"] = TICK * len(blind) <= facts.merge_gap
        return day | {"status": unseen_status(facts, moments)}

    has_hours = first is not None and last is not None and first < last
    if has_hours and (is_holiday or not work):
        if not facts.schedule.assignments:
            day["work_seconds"] = seconds(last - first)
        else:  # nobody had to come: all of it is overtime
            day["overtime_min"] = whole_minutes(last - first)
            day["overtime_paid_min"] = paid_minutes(facts, said, day["overtime_min"])
            day["work_seconds"] = 60 * day["overtime_paid_min"]
    is_at_work = False
    if work and not is_holiday and shift:
        starts, ends = work[0], work[-1] + TICK
        if (
            first
            and is_expected
            and was_on_record(facts, work, shift)
            and starts + shift.late_grace < first < ends
        ):
            came = first
            if not said.get("first_in_ts"):
                came = earliest_arrival(facts, moments, first)
                day["is_verified"] &= was_watched(moments, starts - may_be_unseen(facts), first)
            day["late_min"] = whole_minutes(came - starts) if came > starts + shift.late_grace else 0
        is_at_work = bool(first and last and first < ends and last > starts)
        if has_hours and is_at_work:
            worked = [x for x in moments if x.is_work and first <= x.at < last]
            unpaid = [x for x in worked if x.is_unpaid]
            day["break_seconds"] = seconds(TICK * len(unpaid))
            day["overtime_min"] = whole_minutes(max(last - ends, timedelta(0)))
            day["overtime_paid_min"] = paid_minutes(facts, said, day["overtime_min"])
            day["work_seconds"] = seconds(TICK * (len(worked) - len(unpaid))) + 60 * day["overtime_paid_min"]
            is_over = facts.as_of >= ends and not is_still_here
            if is_expected and is_over and last < ends - shift.early_leave_grace:
                left = last
                if not said.get("last_out_ts"):
                    left = latest_departure(facts, moments, last)
                    day["is_verified"] &= was_watched(moments, last, ends + may_be_unseen(facts))
                day["early_leave_min"] = (
                    whole_minutes(ends - left) if left < ends - shift.early_leave_grace else 0
                )
    status = "late" if day["late_min"] else "present"
    if not has_hours and not is_still_here:
        status = "incomplete" if is_expected else calm
    elif is_expected and facts.as_of >= work[-1] + TICK and not is_at_work:
        status = "incomplete"
    return day | {"status": said.get("status") or status}


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
            is_replaced = any(
                x.name == each.name and (x.valid_from or date.min) > (each.valid_from or date.min)
                for x in today
            )
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
        forget_odd_stays(is_here, moments)
    return [moment.at for moment, here in zip(moments, is_here, strict=True) if here]


def what_happened(facts: DayFacts, at: datetime | None) -> set[str]:
    return {"seen" for x in facts.seen_at if x == at} | {
        "in" if x.is_in else "out" for x in facts.punches if x.at == at
    }


def forget_odd_stays(is_here: list[bool], moments: list[Moment]) -> None:
    """Take out the stays no moment of which belongs to the shift."""
    n = 0
    while n < len(moments):
        end = n
        while end < len(moments) and is_here[end]:
            end += 1
        if not any(x.is_window for x in moments[n:end]):
            is_here[n:end] = [False] * (end - n)
        n = end + 1


def in_area_seconds(here: list[datetime]) -> int:
    """Return the time in the area: each half minute at whose both ends the person was there."""
    there = set(here)
    return seconds(TICK * sum(at + TICK in there for at in there))


# -- what is proven ----------------------------------------------------------------------------------------


def was_on_record(facts: DayFacts, work: list[datetime], shift: Shift | None) -> bool:
    grace = shift.late_grace if shift else timedelta(0)
    return facts.known_at is None or facts.known_at <= work[0] + grace


def unseen_status(facts: DayFacts, moments: list[Moment]) -> str:
    """Return what to call the day of somebody who should have come and was not seen."""
    so_far = [x for x in moments if x.is_work and x.at < facts.as_of]
    blind = [x for x in so_far if x.is_unwatched]
    return "incomplete" if 2 * len(blind) > len(so_far) else "absent"


def earliest_arrival(facts: DayFacts, moments: list[Moment], first: datetime) -> datetime:
    before = [x for x in reversed(moments) if x.is_window and x.at < first]
    return chance(before, facts, first, lambda x: x.at)


def latest_departure(facts: DayFacts, moments: list[Moment], last: datetime) -> datetime:
    after = [x for x in moments if x.is_window and x.at >= last]
    return chance(after, facts, last, lambda x: x.at + TICK)


def was_watched(moments: list[Moment], start: datetime, end: datetime) -> bool:
    return not any(x.is_unwatched for x in moments if start <= x.at < end)


def may_be_unseen(facts: DayFacts) -> timedelta:
    return max(MAY_BE_HERE_UNSEEN, facts.merge_gap)


def chance(
    path: list[Moment], facts: DayFacts, best: datetime, edge: Callable[[Moment], datetime]
) -> datetime:
    """Walk away from a sighting: every unwatched moment is a chance, until one was too long unseen."""
    unseen = timedelta(0)
    for moment in path:
        if moment.is_unwatched and unseen <= may_be_unseen(facts):
            best = edge(moment)
        if not moment.is_unwatched:
            unseen += TICK
    return best


# -- words and numbers -------------------------------------------------------------------------------------


def what_hr_said(facts: DayFacts) -> dict[str, str]:
    said: dict[str, str] = {}
    for each in sorted(facts.corrections, key=lambda x: x.made_at):
        said[each.field] = each.after
    return said


def paid_minutes(facts: DayFacts, said: dict[str, str], overtime_min: int) -> int:
    if facts.overtime == "counted":
        return overtime_min
    return min(overtime_min, int(said.get("overtime_min") or 0))


def seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)


def whole_minutes(duration: timedelta) -> int:
    return duration // timedelta(minutes=1)

"""How the figures of a person-day came about: the same rules as domain/day_figures.py, told step by step."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from central_server.domain.attendance import DayAccount, DayFacts, OvertimeRule, Status
from central_server.domain.day_view import View, minutes
from central_server.domain.evidence import CorrectionMade, Step
from central_server.domain.intervals import NOTHING, Interval, cut, total
from central_server.domain.proof import arrival_at_best, departure_at_best, unseen_at_most

MOST_STAYS = 40  # told one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of the day, and how it came about."""

    name: str  # first_in | last_out | late | early_leave | breaks | work | in_area | span | overtime
    value: datetime | timedelta | None
    steps: tuple[Step, ...]


def figures(view: View) -> tuple[Figure, ...]:
    """Return every figure with its steps."""
    day = view.day
    told = [
        ("first_in", day.first_in_ts, _first_in(view)),
        ("last_out", day.last_out_ts, _last_out(view)),
        ("late", timedelta(minutes=day.late_min), _late(view)),
        ("early_leave", timedelta(minutes=day.early_leave_min), _early_leave(view)),
        ("breaks", timedelta(seconds=day.break_seconds), _breaks(view)),
        ("work", None if day.work_seconds is None else timedelta(seconds=day.work_seconds), _work(view)),
        ("overtime", timedelta(minutes=day.overtime_min), _overtime(view)),
        ("in_area", timedelta(seconds=day.seconds), _in_area(view)),
        ("span", timedelta(seconds=day.span_seconds), _span(view)),
    ]
    return tuple(Figure(name=name, value=value, steps=tuple(steps)) for name, value, steps in told)


def _first_in(view: View) -> Iterator[Step]:
    if view.is_away:
        yield Step("no_times_when_away")
    elif said := view.said.get("first_in_ts"):
        yield _corrected(said)
    if view.stays and (view.first or view.is_away):
        yield _seen("first", view.stays[0].start, view)
    elif not view.is_away:
        yield view.why_no_time()
    if view.shift_day:
        for each in view.account.odd_stays:
            window = {"opens": view.shift_day.opens_at, "closes": view.shift_day.closes_at}
            yield Step("odd_stay", {"start": each.start, "end": each.end, **window})


def _last_out(view: View) -> Iterator[Step]:
    if view.is_away:
        yield Step("no_times_when_away")
    elif said := view.said.get("last_out_ts"):
        yield _corrected(said)
    if view.stays and (view.last or view.is_away):
        yield _seen("last", view.stays[-1].end, view)
    elif not view.is_away and not view.is_here:
        yield view.why_no_time()
    if view.is_here:
        yield Step("still_here")


def _seen(which: str, at: datetime, view: View) -> Step:
    """Return who told that the person was there: a camera, a kiosk, or nobody that is known any more."""
    look = view.look_at(at)
    if look is None or not look.camera:
        return Step(f"{which}_seen", {"at": at})
    return Step(f"{which}_{'punch' if look.is_punch else 'by_camera'}", {"at": at, "camera": look.camera})


def _corrected(said: CorrectionMade) -> Step:
    values = {"by": said.made_by, "made": said.made_at, "reason": said.reason}
    if said.field == "status":
        return Step("status_corrected", {"status": said.after, **values})
    if said.field == "overtime_min":
        return Step("overtime_approved", {"length": timedelta(minutes=int(said.after)), **values})
    return Step("time_corrected", {"at": datetime.fromisoformat(said.after), **values})


def _late(view: View) -> Iterator[Step]:
    shift_day = view.shift_day
    if shift_day is not None:
        grace = minutes(shift_day.shift.late_grace)
        yield Step("shift_begins", {"at": shift_day.starts_at, "grace": grace})
    if why := view.not_expected():
        yield why
        return
    assert shift_day is not None
    if view.first is None:
        yield view.why_no_time()
        return
    yield Step("came", {"at": view.first})
    deadline = shift_day.starts_at + shift_day.shift.late_grace
    if view.first <= deadline:
        yield Step("in_time")
        return
    if view.first >= shift_day.ends_at:
        yield Step("came_after_the_shift")
        return
    arrived = view.first
    if "first_in_ts" not in view.said:
        arrived = arrival_at_best(
            view.first,
            view.account.unwatched,
            since=shift_day.opens_at,
            unseen=unseen_at_most(view.facts.merge_gap),
        )
        yield from unwatched(view.account, Interval(shift_day.opens_at, view.first))
    if arrived != view.first:
        yield Step("at_best_came", {"at": arrived})
    is_late = arrived > deadline
    yield Step("late_by", {"minutes": view.day.late_min}) if is_late else Step("not_proven_late")


def _early_leave(view: View) -> Iterator[Step]:
    shift_day = view.shift_day
    if shift_day is None:
        yield Step("no_shift")
        return
    grace = shift_day.shift.early_leave_grace
    yield Step("shift_ends", {"at": shift_day.ends_at, "grace": minutes(grace)})
    if view.last is None:
        yield view.why_no_time()
        return
    yield Step("still_here") if view.is_here else Step("went", {"at": view.last})
    if not view.has_both_times:
        yield _why_no_hours(view)
        return
    if why := _not_leaving(view):
        yield why
        return
    left = view.last
    if "last_out_ts" not in view.said:
        left = departure_at_best(
            view.last,
            view.account.unwatched,
            until=shift_day.closes_at,
            unseen=unseen_at_most(view.facts.merge_gap),
        )
        yield from unwatched(view.account, Interval(view.last, shift_day.closes_at))
    if left != view.last:
        yield Step("at_best_went", {"at": left})
    is_early = left < shift_day.ends_at - grace
    yield Step("early_by", {"minutes": view.day.early_leave_min}) if is_early else Step("not_proven_early")


def _not_leaving(view: View) -> Step | None:
    """Return why nothing is held against when the person went, or None."""
    shift_day = view.shift_day
    assert shift_day is not None and view.last is not None
    if view.is_here or view.facts.as_of < shift_day.ends_at:
        return Step("shift_not_over")
    if view.is_holiday:
        return Step("is_holiday", {"name": view.evidence.holiday})
    if view.leave:
        return view.leave_step()
    if not view.was_at_work:
        return Step("not_there_in_the_shift")
    if view.last >= shift_day.ends_at - shift_day.shift.early_leave_grace:
        return Step("stayed_to_the_end")
    return None


def _breaks(view: View) -> Iterator[Step]:
    pauses = view.shift_day.pauses if view.shift_day else ()
    if not pauses:
        yield Step("no_breaks")
    there = _worked(view)
    for each in pauses:
        length = total(cut([each.time], there)) if there else NOTHING
        code = "paid_break" if each.is_paid else "less_break" if length else "break_not_reached"
        values = {"name": each.name, "start": each.time.start, "end": each.time.end}
        yield Step(code, {**values, "length": length})


def _worked(view: View) -> Interval | None:
    """Return what of the time from first to last lies within the shift."""
    if view.shift_day is None or view.first is None or view.last is None or view.last < view.first:
        return None
    whole = Interval(view.shift_day.starts_at, view.shift_day.ends_at)
    found = cut([Interval(view.first, view.last)], whole)
    return found[0] if found else None


def _work(view: View) -> Iterator[Step]:
    day = view.day
    if day.work_seconds is None or view.first is None or view.last is None:
        yield _why_no_hours(view)
        return
    there = _worked(view)
    if not view.is_working:
        has_hours = bool(view.facts.schedule.assignments)
        yield Step("only_overtime_counts") if has_hours else Step("no_hours_agreed")
    elif there:
        yield Step("within_the_shift", {"start": there.start, "end": there.end, "length": there.length})
        if day.break_seconds:
            yield Step("less_breaks", {"length": timedelta(seconds=day.break_seconds)})
    else:
        yield Step("not_there_in_the_shift")
    if day.overtime_paid_min:
        yield Step("plus_overtime", {"length": timedelta(minutes=day.overtime_paid_min)})
    yield Step("comes_to", {"length": timedelta(seconds=day.work_seconds)})


def _why_no_hours(view: View) -> Step:
    """Return why nothing can be counted."""
    if view.first is None or view.last is None:
        known = view.first or view.last
        return Step("one_time_only") if known and not view.stays else view.why_no_time()
    if view.first == view.last:
        return Step("seen_once")
    return Step("not_there_in_the_shift" if view.first < view.last else "times_do_not_fit")


def _overtime(view: View) -> Iterator[Step]:
    day = view.day
    if not day.overtime_min:
        yield Step("no_overtime")
    elif view.is_working and view.shift_day and view.last:
        yield Step("after_the_shift", {"start": view.shift_day.ends_at, "end": view.last})
    else:
        yield Step("day_off_is_overtime")
    said = view.said.get("overtime_min")
    if view.facts.overtime is OvertimeRule.COUNTED:
        yield Step("overtime_is_counted")
    elif said:
        yield _corrected(said)
    elif day.overtime_min:
        yield Step("overtime_waits")
    if day.overtime_min:
        yield Step("overtime_counts", {"length": timedelta(minutes=day.overtime_paid_min)})


def _in_area(view: View) -> Iterator[Step]:
    for each in view.stays[:MOST_STAYS]:
        yield Step("stay", {"start": each.start, "end": each.end, "length": each.length})
    if len(view.stays) > MOST_STAYS:
        yield Step("more_stays", {"count": len(view.stays) - MOST_STAYS})
    if not view.stays:
        yield view.why_no_time()


def _span(view: View) -> Iterator[Step]:
    if view.first and view.last:
        yield Step("from_first_to_last", {"start": view.first, "end": view.last})
    else:
        yield view.why_no_time()


def why_status(view: View) -> Iterator[Step]:
    """Yield what the status rests on."""
    if said := view.said.get("status"):
        yield _corrected(said)
        return
    match view.day.status:
        case Status.LEAVE if view.leave:
            yield view.leave_step()
        case Status.HOLIDAY:
            yield Step("is_holiday", {"name": view.evidence.holiday})
        case Status.OFF:
            yield view.not_expected() or Step("no_shift")
        case Status.NOT_STARTED:
            yield _why_not_started(view)
        case Status.ABSENT:
            yield from _why_absent(view)
        case Status.INCOMPLETE:
            yield from _why_incomplete(view)
        case Status.LATE:
            yield Step("late_by", {"minutes": view.day.late_min})
        case _:
            yield Step("was_there") if view.is_working else Step("came_on_a_day_off")


def _why_absent(view: View) -> Iterator[Step]:
    assert view.shift_day is not None
    yield view.why_no_time()
    yield _share("watched_enough", view)


def _why_not_started(view: View) -> Step:
    assert view.shift_day is not None
    if view.is_behind:
        return Step("nothing_told_yet", {"recorded": view.facts.as_of})
    if view.facts.as_of < view.shift_day.starts_at:
        return Step("shift_not_begun", {"at": view.shift_day.starts_at})
    grace = minutes(view.shift_day.shift.late_grace)
    return Step("shift_begins", {"at": view.shift_day.starts_at, "grace": grace})


def _why_incomplete(view: View) -> Iterator[Step]:
    if view.first is None and not view.stays:
        yield view.why_no_time()
        yield _share("watched_too_little", view)
    elif view.first is None or view.last is None or view.first >= view.last:
        yield _why_no_hours(view)
    else:
        yield Step("not_there_in_the_shift")


def _share(code: str, view: View) -> Step:
    """Return how much of the working time so far nobody watched."""
    assert view.shift_day is not None
    end = max(view.shift_day.starts_at, min(view.shift_day.ends_at, view.facts.as_of))
    so_far = Interval(view.shift_day.starts_at, end)
    blind = total(cut(view.account.unwatched, so_far))
    if not blind:
        return Step("watched_all_the_time")
    return Step(code, {"blind": minutes(blind), "whole": minutes(so_far.length)})


def doubts(account: DayAccount, facts: DayFacts) -> Iterator[Step]:
    """Yield the gaps in the watch that make the day uncertain; nothing for a day that is verified."""
    day, shift_day = account.attendance, account.shift_day
    if day.is_verified or shift_day is None:
        return
    if day.first_in_ts is None:
        yield from unwatched(account, Interval(shift_day.starts_at, shift_day.ends_at))
        return
    said = {each.field: each.after for each in sorted(facts.corrections, key=lambda one: one.made_at)}
    if not said.get("first_in_ts") and day.first_in_ts > shift_day.starts_at + shift_day.shift.late_grace:
        yield from unwatched(account, Interval(shift_day.opens_at, day.first_in_ts))
    last = day.last_out_ts
    excused_from = shift_day.ends_at - shift_day.shift.early_leave_grace
    if last and not said.get("last_out_ts") and last < excused_from and facts.as_of >= shift_day.ends_at:
        yield from unwatched(account, Interval(last, shift_day.closes_at))


def unwatched(account: DayAccount, span: Interval) -> Iterator[Step]:
    """Yield when nobody watched, as far as it lies in the span."""
    if span.start < span.end:
        for each in cut(account.unwatched, span):
            yield Step("nobody_watched", {"start": each.start, "end": each.end})


def closing(view: View) -> Step:
    if not view.day.is_provisional:
        return Step("is_final")
    closes_at = view.schedule.closes_at(view.facts.business_date)
    return Step("provisional_until", {"at": closes_at, "recorded": view.facts.as_of})

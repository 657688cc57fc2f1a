"""The rules that one person-day was judged by, told step by step."""

from collections.abc import Iterator

from central_server.domain.attendance import OvertimeRule
from central_server.domain.day_view import View, minutes
from central_server.domain.evidence import Step

KNOWN = {  # by what the person is on record
    "face": "known_since",
    "badge": "known_by_badge_since",
    "both": "known_by_both_since",
    "": "listed_since",
}


def rules(view: View) -> Iterator[Step]:
    """Yield the rules that the day was judged by."""
    yield Step("site", {"site": view.evidence.site_name, "timezone": str(view.timezone)})
    if view.facts.timezone:
        yield Step("elsewhere_that_day", {"timezone": str(view.facts.schedule.timezone)})
    yield from _shift_rules(view)
    if view.is_holiday:
        yield Step("is_holiday", {"name": view.evidence.holiday})
    if view.leave:
        yield view.leave_step()
    yield Step("merge_gap", {"minutes": minutes(view.facts.merge_gap)})
    counted = view.facts.overtime is OvertimeRule.COUNTED
    yield Step("overtime_is_counted" if counted else "overtime_needs_approval")
    if view.facts.known_at:
        yield Step(KNOWN[view.evidence.known_by], {"known": view.facts.known_at})


def _shift_rules(view: View) -> Iterator[Step]:
    shift_day = view.shift_day
    if shift_day is None:
        yield Step("no_shift")
        return
    shift = shift_day.shift
    yield Step("shift", {"name": shift.name, "start": shift_day.starts_at, "end": shift_day.ends_at})
    assignment = view.facts.schedule.assignment_on(view.facts.business_date)
    if assignment:
        by = "own" if assignment.is_own else "default"
        code = f"{by}_rotation" if assignment.rotation else f"{by}_shift"
        if assignment.valid_from:
            code += "_since"
        name = assignment.rotation.name if assignment.rotation else shift.name
        yield Step(code, {"name": name, "since": assignment.valid_from or ""})
    yield Step("window", {"start": shift_day.opens_at, "end": shift_day.closes_at})
    yield Step("graces", {"late": minutes(shift.late_grace), "early": minutes(shift.early_leave_grace)})
    for each in shift_day.pauses:
        code = "paid_break" if each.is_paid else "unpaid_break"
        yield Step(code, {"name": each.name, "start": each.time.start, "end": each.time.end})

"""`hadir server recompute`: show what recomputing some days would change, ask, and write it."""

import argparse
import sys
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from central_server.commands import CommandError, Misused, _actor, _now, _require_database
from central_server.config import ServerConfig
from central_server.db.engine import open_engine
from central_server.db.stores import people
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance, Status
from central_server.services.carry_out_recompute import Written, carry_out
from central_server.services.plan_recompute import Change, Plan, plan_recompute

LINES = 40  # person-days that are shown word for word
BESIDE = "(beside the days asked for)"
NAMES = {
    "site_id": "site",
    "shift_id": "shift",
    "timezone": "time zone",
    "first_in_ts": "first in",
    "last_out_ts": "last out",
    "seconds": "in the area",
    "span_seconds": "first to last",
    "break_seconds": "breaks taken off",
    "work_seconds": "work",
    "late_min": "late",
    "early_leave_min": "left early",
    "overtime_min": "overtime",
    "overtime_paid_min": "overtime that counts",
    "leave_kind": "kind of leave",
    "is_verified": "certain",
    "is_provisional": "provisional",
}


def recompute(config: ServerConfig, given: argparse.Namespace) -> int:
    """Return 0 also when nothing was written: then it says why. Raises CommandError."""
    if given.last < given.first:
        raise Misused("--to is before --from.")
    _require_database(config)
    engine = open_engine(config.database_url)
    try:
        if given.employee:
            _require_employee(engine, given.employee)
        plan = plan_recompute(
            engine, given.first, given.last, config.rules,
            now=_now(), employee_id=given.employee, progress=_show_day,
        )  # fmt: skip
        _clear_line()
        _show(plan)
        if plan.is_empty or not _may_write(plan, given):
            return 0
        written = carry_out(
            engine, plan, config.rules,
            actor=_actor(), now=_now, progress=_show_written,
        )  # fmt: skip
        _clear_line()
    finally:
        engine.dispose()
    _tell(written)
    return 0


def _require_employee(engine: Engine, code: str) -> None:
    with UnitOfWork(engine, writes=False) as work:
        if not people.by_id(work.session, {code}):
            raise CommandError(f"There is nobody with the code {code}.")


def _may_write(plan: Plan, given: argparse.Namespace) -> bool:
    if given.dry_run:
        print("Nothing was written: --dry-run.")
        return False
    if given.yes:
        return True
    if not (sys.stdin and sys.stdin.isatty()):
        print("Nothing was written. Run it again with --yes to write these changes.")
        return False
    try:
        answer = input(f"Write these {_count(plan)}? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() in ("y", "yes"):
        return True
    print("Nothing was written.")
    return False


def _count(plan: Plan) -> str:
    return _counted(len(plan.marks), "change") if plan.marks else f"dates of {_counted(plan.moved, 'event')}"


# -- what is shown -----------------------------------------------------------------------------------------


def _show(plan: Plan) -> None:
    if plan.is_empty:
        print(f"{plan.examined} person-days were recomputed; nothing changes.")
        return
    shown = sorted(plan.shown, key=lambda each: (each.after.business_date, each.after.employee_id))
    for change in shown[:LINES]:
        for line in _lines(change, plan):
            print(line)
    more = len(plan.marks) - min(LINES, len(shown))
    if more:
        print(f"… and {more} more person-days.")
    print()
    for line in _sums(plan):
        print(line)


def _lines(change: Change, plan: Plan) -> Iterator[str]:
    """Yield a line a field: what it says, and would say."""
    day = change.after
    is_beside = not plan.first <= day.business_date <= plan.last
    head = f"{day.business_date}  {day.employee_id}" + (f"  {BESIDE}" if is_beside else "")
    if change.before is None:
        yield f"{head}  new: {_in_words(day)}"
        return
    yield head
    for name, (before, after) in change.fields.items():
        zone = ZoneInfo(day.timezone)
        yield f"    {_name(name):20} {_value(before, zone, name)} -> {_value(after, zone, name)}"


def _in_words(day: Attendance) -> str:
    zone = ZoneInfo(day.timezone)
    if day.first_in_ts is None:
        return day.status.value
    return f"{day.status.value}, {_value(day.first_in_ts, zone)} to {_value(day.last_out_ts, zone)}"


def _name(field: str) -> str:
    return NAMES.get(field, field.replace("_", " "))


def _value(value: Any, zone: ZoneInfo, field: str = "") -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
        case Status():
            return value.value
        case int() if field.endswith("seconds"):
            return f"{value // 3600}h {value % 3600 // 60:02}m {value % 60:02}s"
        case int() if field.endswith("_min"):
            return f"{value} min"
        case _:
            return str(value)


def _sums(plan: Plan) -> Iterator[str]:
    """Yield how many changes of each kind there are."""
    changed = len(plan.marks) - plan.new.total()
    yield f"{plan.examined} person-days were recomputed, {len(plan.marks)} come to something else:"
    if plan.new:
        kinds = ", ".join(f"{count} {status}" for status, count in plan.new.most_common())
        yield f"  {plan.new.total()} have no row yet: {kinds}"
    if changed:
        kinds = ", ".join(
            f"{_name(name)} {_counted(count, 'time')}" for name, count in plan.fields.most_common()
        )
        yield f"  {changed} have a row that changes: {kinds}"
    if plan.emptied:
        yield f"  {plan.emptied} of those rows have nothing left of their day; they stay, and say so"
    if plan.moved:
        verb = "belongs" if plan.moved == 1 else "belong"
        moved = "is moved" if plan.moved == 1 else "are moved"
        yield f"  {_counted(plan.moved, 'event')} {verb} to another business date, and {moved} there"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _tell(written: Written) -> None:
    print(f"{written.days} person-days were written.")
    if written.otherwise:
        print(
            f"{written.otherwise} of them came to something else than is shown above: "
            "something happened in the meantime, and it is in them."
        )


# -- progress, on a terminal -------------------------------------------------------------------------------


def _show_day(day: date, number: int, days: int) -> None:
    _line(f"  recomputing {day} ({number} of {days})")


def _show_written(done: int, days: int) -> None:
    _line(f"  writing: {done} of {days} person-days")


def _line(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def _clear_line() -> None:
    _line("")

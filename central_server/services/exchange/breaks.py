"""Breaks: lunch, prayers, Friday prayer, Ramadan hours. When somebody need not be seen.

Of the breaks with one name, those that began last count on a day, and of them the shift's own.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import BreakWindow, Shift
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import weekdays_of
from central_server.services.audit import note
from central_server.services.exchange import known
from central_server.services.exchange.shifts import weekdays_in
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_date,
    as_flag,
    as_text,
    as_time,
    flag_problem,
    length_problem,
    normal_date,
    normal_flag,
    normal_time,
    normal_weekdays,
    span_problem,
    time_problem,
    weekdays_problem,
    weekdays_text,
)

KEY = ("site_id", "shift_id", "name", "weekdays", "valid_from")
EVERY_DAY = "mon-sun"


def read(work: UnitOfWork) -> Iterator[Row]:
    order = (
        BreakWindow.site_id,
        BreakWindow.starts,
        BreakWindow.name,
        BreakWindow.valid_from,
        BreakWindow.id,
    )
    for row in work.session.scalars(select(BreakWindow).order_by(*order)):
        yield row_of(row)


def row_of(row: BreakWindow) -> Row:
    return {
        "site_id": row.site_id,
        "shift_id": row.shift_id or "",
        "name": row.name,
        "starts": as_text(row.starts),
        "ends": as_text(row.ends),
        "weekdays": weekdays_text(row.weekdays),
        "is_paid": as_text(row.is_paid),
        "valid_from": as_text(row.valid_from),
        "valid_to": as_text(row.valid_to),
    }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    session = context.work.session
    yield from known.site_problem(row, context)
    if row.get("shift_id") and session.get(Shift, row["shift_id"]) is None:
        yield Problem("shift_id", "no_shift", row["shift_id"])
    yield from length_problem(row, "name", 120)
    yield from time_problem(row, "starts", "ends")
    yield from flag_problem(row, "is_paid")
    yield from span_problem(row, "valid_from", "valid_to")
    wrong = list(weekdays_problem(row, "weekdays"))
    yield from wrong
    key = TABLE.key_of(row)
    for other in _given_by_start(context).get(_start_of(key), ()):
        if other != key and not wrong and _days(key) & _days(other):
            yield Problem("name", "same_name", row["name"])


def put(row: Row, context: Context) -> None:
    session, key, found = context.work.session, TABLE.key_of(row), None
    for other in _of_start(session, key):
        other_key = TABLE.key_of(row_of(other))
        if other_key == key and found is None:
            found = other
        elif other_key == key:
            session.delete(other)  # a double from before there were keys
        elif other_key not in context.given and _days(other_key) & _days(key):
            replaced = dict(row_of(other))  # the row takes its place
            session.delete(other)
            note(context.work, context.actor, "breaks.replace", now=context.now, row=replaced)
    window = found or BreakWindow(
        site_id=row["site_id"],
        shift_id=row.get("shift_id") or None,
        name=row["name"],
        valid_from=as_date(row.get("valid_from", "")),
    )
    starts, ends = as_time(row["starts"]), as_time(row["ends"])
    assert starts is not None and ends is not None
    window.starts, window.ends = starts, ends
    window.weekdays = ",".join(weekdays_of(row.get("weekdays") or EVERY_DAY))
    window.is_paid = as_flag(row.get("is_paid", ""))
    window.valid_to = as_date(row.get("valid_to", ""))
    session.add(window)


def remove(row: Row, context: Context) -> None:
    session, key = context.work.session, TABLE.key_of(row)
    for each in _of_start(session, key):
        if TABLE.key_of(row_of(each)) == key:
            session.delete(each)


def _start_of(key: tuple[str, ...]) -> tuple[str, str, str, str]:
    site_id, shift_id, name, _weekdays, valid_from = key
    return site_id, shift_id, name, valid_from


def _given_by_start(context: Context) -> Mapping[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the keys of this import, by place, name and first day."""

    def find() -> dict[tuple[str, ...], list[tuple[str, ...]]]:
        found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for key in sorted(context.given):
            found.setdefault(_start_of(key), []).append(key)
        return found

    return context.once("starts", find)


def _of_start(session: Session, key: tuple[str, ...]) -> list[BreakWindow]:
    site_id, shift_id, name, valid_from = _start_of(key)
    return list(
        session.scalars(
            select(BreakWindow).where(
                BreakWindow.site_id == site_id,
                BreakWindow.shift_id == (shift_id or None),  # None: IS NULL
                BreakWindow.name == name,
                BreakWindow.valid_from == as_date(valid_from),
            )
        )
    )


def _days(key: tuple[str, ...]) -> frozenset[str]:
    try:
        return weekdays_in(",".join(weekdays_of(key[3] or EVERY_DAY)))
    except ValueError:
        return frozenset()


TABLE = Table(
    name="breaks",
    columns=(
        Column("site_id", example="plant", is_site=True),
        Column("shift_id"),
        Column("name", is_required=True, example="Lunch"),
        Column("starts", is_required=True, example="12:00", normal=normal_time),
        Column("ends", is_required=True, example="13:00", normal=normal_time),
        Column("weekdays", example="mon-thu", normal=normal_weekdays, empty=EVERY_DAY),
        Column("is_paid", example="no", normal=normal_flag, empty="no"),
        Column("valid_from", normal=normal_date),
        Column("valid_to", normal=normal_date),
    ),
    key=KEY,
    read=read,
    problems=problems,
    put=put,
    remove=remove,
)

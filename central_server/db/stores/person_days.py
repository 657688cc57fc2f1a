"""Person-days: how to ask the database for many of them in few questions that its indexes answer."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, bindparam

PersonDay = tuple[str, date]  # employee_id, business_date
MOST_IN_A_QUESTION = 500  # people


def on_days(table: Any) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the rows of a block, whose people and dates come with the question."""
    return (
        table.employee_id.in_(bindparam("people", expanding=True)),
        table.business_date.in_(bindparam("dates", expanding=True)),
    )


def blocks(days: Iterable[PersonDay]) -> Iterator[tuple[list[str], list[date]]]:
    """Yield the person-days as people and the dates that each of them is asked for; each is in one block.

    A pair of IN lists is looked up in an index by both columns; a list of pairs is not, by SQLite.
    """
    by_person: dict[str, list[date]] = {}
    for employee_id, day in sorted(set(days)):
        by_person.setdefault(employee_id, []).append(day)
    by_dates: dict[tuple[date, ...], list[str]] = {}
    for employee_id, dates in by_person.items():
        by_dates.setdefault(tuple(dates), []).append(employee_id)
    for dates, people in by_dates.items():
        for first in range(0, len(people), MOST_IN_A_QUESTION):
            yield people[first : first + MOST_IN_A_QUESTION], list(dates)

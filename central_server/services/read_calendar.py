"""Read what the calendar says of people who have no row on a business date."""

from collections.abc import Collection
from datetime import date, datetime

from central_server.config import RulesConfig
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.unrecorded import Unrecorded, unrecorded
from central_server.services.recompute_attendance import cast_of


def unrecorded_days(
    work: UnitOfWork, employee_ids: Collection[str], day: date, rules: RulesConfig, *, now: datetime
) -> dict[str, Unrecorded]:
    """Return, of each of those people, what their day is called without a row. Stores nothing."""
    if not employee_ids:
        return {}
    cast = cast_of(work, employee_ids, rules)
    return {key: unrecorded(person, cast.schedules[key], day, now=now) for key, person in cast.people.items()}

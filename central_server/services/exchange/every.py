"""Every table that can be imported and exported, by name. What refers to another comes after it."""

from collections.abc import Mapping

from central_server.services.exchange import assignments, breaks, holidays, rotations, shifts
from central_server.services.exchange.table import Table

TABLES: Mapping[str, Table] = {
    each.name: each
    for each in (shifts.TABLE, rotations.TABLE, assignments.TABLE, breaks.TABLE, holidays.TABLE)
}

"""Every table that can be imported and exported, by name, in the order in which a company is brought in."""

from collections.abc import Mapping

from central_server.services.exchange import (
    assignments,
    breaks,
    employees,
    hierarchy,
    holidays,
    leaves,
    roles,
    rotations,
    shifts,
    sites,
    zones,
)
from central_server.services.exchange.table import Table

TABLES: Mapping[str, Table] = {
    each.name: each
    for each in (
        sites.TABLE,
        zones.TABLE,
        roles.TABLE,
        employees.TABLE,
        hierarchy.TABLE,
        leaves.TABLE,
        shifts.TABLE,
        rotations.TABLE,
        assignments.TABLE,
        breaks.TABLE,
        holidays.TABLE,
    )
}

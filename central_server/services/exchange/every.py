"""Every table that can be imported and exported, by name, in the order in which a company is brought in."""

from collections.abc import Mapping

from central_server.services.exchange import (
    employees,
    hierarchy,
    holidays,
    leaves,
    roles,
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
        holidays.TABLE,
    )
}

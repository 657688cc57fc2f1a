"""Every table that can be imported and exported, by name."""

from collections.abc import Mapping

from central_server.services.exchange import holidays
from central_server.services.exchange.table import Table

TABLES: Mapping[str, Table] = {each.name: each for each in (holidays.TABLE,)}

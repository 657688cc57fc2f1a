"""Take over Indonesia's holidays of a year, from the lists that come with the product."""

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange import holidays
from central_server.services.exchange.table import Imported, Row, import_rows

LISTS = Path(__file__).parents[1] / "holiday_lists"


@dataclass(frozen=True, slots=True)
class UnknownYear(Exception):
    """There is no list of that year."""

    year: int
    known: tuple[int, ...]

    def __str__(self) -> str:
        years = ", ".join(str(each) for each in self.known)
        return f"There is no list of {self.year}; there are: {years}"


def years() -> tuple[int, ...]:
    """Return the years of which there is a list."""
    return tuple(sorted(int(path.stem[-4:]) for path in LISTS.glob("indonesia-*.csv")))


def listed(year: int, *, with_collective: bool = True) -> tuple[Row, ...]:
    """Return the list of a year as rows of the table `holidays`. Raises UnknownYear."""
    if year not in years():
        raise UnknownYear(year, years())
    with (LISTS / f"indonesia-{year}.csv").open(newline="", encoding="utf-8") as file:
        rows: list[Row] = list(csv.DictReader(file))
    return tuple(row for row in rows if with_collective or row["kind"] != "collective")


def take_indonesias(
    work: UnitOfWork,
    year: int,
    *,
    site_id: str = "",
    with_collective: bool = True,
    now: datetime,
    actor: str,
    dry_run: bool = False,
) -> Imported:
    """Take over the list of a year, for one site or all of them (""); what is there already is changed.

    What the company knows to be certain stays so: a list that is only foreseen does not put it in doubt.
    Raises UnknownYear.
    """
    certain = {
        (row["day"], row["site_id"]) for row in holidays.TABLE.read(work) if row["is_certain"] == "yes"
    }
    rows = [
        {**row, "site_id": site_id}
        for row in listed(year, with_collective=with_collective)
        if row["is_certain"] == "yes" or (row["day"], site_id) not in certain
    ]
    return import_rows(holidays.TABLE, rows, work, site_id=site_id, now=now, actor=actor, dry_run=dry_run)


def has_doubts(year: int) -> bool:
    """Tell whether the list of a year has days that must be checked against the decree."""
    return any(row["is_certain"] == "no" for row in listed(year))

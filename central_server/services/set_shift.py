"""Give a site its working hours: the shift of everybody there who has none of their own."""

from collections.abc import Mapping
from datetime import datetime

from central_server.db.models import Shift
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange import assignments, shifts
from central_server.services.exchange.table import BadRow, Table, import_rows


class ShiftRefused(Exception):
    """The shift is not as a shift has to be; says why in a sentence."""


def set_site_shift(
    work: UnitOfWork, site_id: str, hours: Mapping[str, str], *, now: datetime, actor: str
) -> bool:
    """Make or change the shift, and make it the site's; return whether it is new.

    hours: a row of the table `shifts`. Days that are over keep their numbers until they are recomputed.
    Raises ShiftRefused.
    """

    def put(table: Table, row: Mapping[str, str]) -> None:
        done = import_rows(table, [row], work, site_id=site_id, now=now, actor=actor)
        if done.bad:
            raise ShiftRefused("; ".join(_told(each) for each in done.bad))

    is_new = work.session.get(Shift, hours["shift_id"]) is None
    put(shifts.TABLE, hours)
    put(assignments.TABLE, {"site_id": site_id, "shift_id": hours["shift_id"]})
    return is_new


def _told(bad: BadRow) -> str:
    return bad.problem.words

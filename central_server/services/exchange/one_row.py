"""A form is an import of one row; and a row can be taken away when nothing hangs on it."""

from collections.abc import Mapping
from datetime import datetime

from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.exchange.table import Context, Problem, Table, clean_text, import_rows


def keep_row(
    table: Table,
    row: Mapping[str, str],
    work: UnitOfWork,
    *,
    site_id: str = "",
    now: datetime,
    actor: str,
    is_new: bool = False,
) -> tuple[Problem, ...]:
    """Keep one row; return what is wrong with it, and then nothing was kept.

    is_new: a row whose key is there already is refused rather than changed.
    """
    typed = {name: clean_text(value) for name, value in row.items()}
    beside = table.beside(typed, work)
    if is_new and any(table.key_of(each) == table.key_of(typed) for each in beside):
        name = table.key[-1]
        return (Problem(name, "taken" if len(table.key) == 1 else "exists", row.get(name, "")),)
    done = import_rows(table, [row], work, site_id=site_id, now=now, actor=actor, among=beside)
    return tuple(each.problem for each in done.bad)


def remove_row(
    table: Table, key: Mapping[str, str], work: UnitOfWork, *, now: datetime, actor: str
) -> tuple[Problem, ...]:
    """Take the row with this key away; return what stands against it. One that is gone already is gone."""
    row = table.find(key, work)
    if row is None or table.remove is None:
        return ()
    context = Context(work=work, site_id="", now=now, known={table.key_of(row): row})
    against = tuple(table.bars(row, context)) if table.bars else ()
    if not against:
        table.remove(row, context)
        work.session.flush()
        told = {name: table.told(name, value) for name, value in row.items()}
        note(work, actor, f"{table.name}.remove", " ".join(table.key_of(row)).strip()[:120], now=now, **told)
    return against

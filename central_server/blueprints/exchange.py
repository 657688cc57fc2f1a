"""Import and export: any table as a spreadsheet; what a file would change is shown before anything does."""

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints import table_words
from central_server.blueprints.export import table_response
from central_server.blueprints.extensions import hadir, utc_now
from central_server.blueprints.request_facts import places, today, user
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import SealBroken, Sheet, UnreadableTable
from central_server.services.exchange.every import TABLES
from central_server.services.exchange.export_rows import example, export_rows, heading
from central_server.services.exchange.table import MOST_TOLD, Imported, Table, import_rows

blueprint = Blueprint("exchange", __name__, url_prefix="/exchange")

PURPOSE = "table import"
GOOD_FOR = timedelta(hours=1)
MOST_SEALED = 1_800_000  # bytes that go with the page and come back: a form may hold 2 MB


@dataclass(frozen=True, slots=True)
class Asked:
    """What was previewed: it goes with the page, sealed, and comes back when somebody confirms it."""

    kind: str
    username: str
    site_id: str
    until: float  # seconds since 1970
    digest: str  # of the differences that were shown
    first_line: int
    rows: list[Any]
    heading: list[str]


class _NotAsShown(Exception):
    """The file would do something else by now."""

    def __init__(self, done: Imported) -> None:
        self.done = done


@blueprint.get("/")
def index() -> str:
    return render_template("exchange.html", tables=TABLES.values(), words=table_words)


@blueprint.get("/<kind>/")
def table(kind: str) -> str:
    return _page(_table(kind))


def _table(kind: str) -> Table:
    return TABLES.get(kind) or abort(404)


def _page(found: Table, **more: Any) -> str:
    sites = [(each.place_id, each.name) for each in places().sites.values()]
    asks_site = any(each.is_site for each in found.columns)
    return render_template(
        "exchange_table.html",
        table=found,
        words=table_words,
        sites=sites,
        asks_site=asks_site,
        chosen=request.form.get("site_id", ""),
        **more,
    )


@blueprint.get("/<kind>/rows.<ending>")
def download(kind: str, ending: str) -> Response:
    found = _table(kind)
    with hadir().work() as work:
        rows = export_rows(found, work, now=utc_now(), actor=user().actor)
    return table_response(f"{kind}-{today().isoformat()}", ending, heading(found), rows)


@blueprint.get("/<kind>/empty.<ending>")
def template(kind: str, ending: str) -> Response:
    found = _table(kind)
    return table_response(kind, ending, heading(found), [example(found)])


@blueprint.post("/<kind>/")
def preview(kind: str) -> ResponseReturnValue:
    """Read a file, and show what it would change."""
    found, file = _table(kind), request.files.get("file")
    if file is None or not file.filename:
        return _page(found, problem=_("Choose a file.")), 422
    try:
        sheet = hadir().read_table(file.read())
    except UnreadableTable as error:
        return _page(found, problem=table_words.unreadable_words(error)), 422
    return _preview(found, sheet, _site_chosen())


def _site_chosen() -> str:
    """Return the site of new rows that name none: the chosen one, else the only one."""
    chosen, known = request.form.get("site_id", ""), list(places().sites)
    return chosen if chosen in known else (known[0] if len(known) == 1 else "")


def _preview(found: Table, sheet: Sheet, site_id: str) -> ResponseReturnValue:
    now = utc_now()
    with UnitOfWork(hadir().engine, writes=False) as work:
        rows = sheet.rows
        done = _import(found, sheet, work, site_id, now=now, dry_run=True)
    sealed = ""
    if done.differences:
        asked = Asked(
            kind=found.name,
            username=user().username,
            site_id=site_id,
            until=(now + GOOD_FOR).timestamp(),
            digest=_digest(done),
            first_line=sheet.first_line,
            rows=[list(row.items()) for row in rows],
            heading=list(sheet.heading),
        )
        plain = zlib.compress(json.dumps(asdict(asked), ensure_ascii=False).encode())
        sealed = hadir().seal(PURPOSE).close(plain).decode()
    if len(sealed) > MOST_SEALED:
        words = _("Too many rows for a page. Import them in parts, or ask the operator for the command.")
        return _page(found, problem=words), 422
    shown = _page(found, done=done, sealed=sealed, bad=_bad_lines(done), most=MOST_TOLD)
    return (shown, 422) if done.bad else shown


def _import(
    found: Table,
    sheet: Sheet,
    work: UnitOfWork,
    site_id: str,
    *,
    now: datetime,
    dry_run: bool = False,
) -> Imported:
    return import_rows(
        found,
        sheet.rows,
        work,
        site_id=site_id,
        now=now,
        actor=user().actor,
        dry_run=dry_run,
        first_line=sheet.first_line,
        heading=sheet.heading,
    )


def _bad_lines(done: Imported) -> list[tuple[int, str]]:
    return [(each.line, table_words.column_and_problem(each.problem)) for each in done.bad[:MOST_TOLD]]


def _digest(done: Imported) -> str:
    told = [[each.line, each.key, each.before, each.after] for each in done.differences]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@blueprint.post("/<kind>/confirm")
def confirm(kind: str) -> ResponseReturnValue:
    """Do what was shown, all of it and nothing else; if it would be something else by now, show that."""
    found, asked, now = _table(kind), _asked(kind), utc_now()
    if asked is None:
        flash(_("That preview is too old. Choose the file again."), "bad")
        return redirect(url_for("exchange.table", kind=kind))
    rows = tuple(dict(row) for row in asked.rows)
    sheet = Sheet(rows, asked.first_line, tuple(asked.heading))
    try:
        with hadir().work() as work:
            done = _import(found, sheet, work, asked.site_id, now=now)
            if done.bad or _digest(done) != asked.digest:
                raise _NotAsShown(done)
    except _NotAsShown as other:
        if not other.done.differences and not other.done.bad:
            flash(_("Nothing was left to change: it has been imported already."), "good")
            return redirect(url_for("exchange.index"))
        flash(_("Something was changed meanwhile, so nothing was imported. Look at it again."), "bad")
        return _preview(found, sheet, asked.site_id)
    flash(_("Imported: %(added)s new, %(changed)s changed.", added=done.added, changed=done.changed), "good")
    return redirect(url_for("exchange.index"))


def _asked(kind: str) -> Asked | None:
    """Return what this user was shown less than an hour ago about this table, or None."""
    try:
        plain = hadir().seal(PURPOSE).open(request.form.get("sealed", "").encode())
    except SealBroken:
        return None
    asked = Asked(**json.loads(zlib.decompress(plain)))
    is_theirs = (asked.kind, asked.username) == (kind, user().username)
    return asked if is_theirs and utc_now().timestamp() <= asked.until else None

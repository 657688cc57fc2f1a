"""`hadir server explain`: why a person-day is worth what it is, on a calm page of the terminal."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from central_server import commands
from central_server.blueprints.day_words import FIELDS, FIGURES, PIECES, Speaker
from central_server.blueprints.formats import duration, zone_name
from central_server.blueprints.wording import ATTENDANCE, CLOSE_REASONS, phrase, word
from central_server.commands import CommandError
from central_server.config import ServerConfig
from central_server.domain.evidence import Step
from central_server.domain.explanation import Explanation, Piece
from central_server.services.audit import note
from central_server.services.explain_day import UnknownPerson, explain_day

WIDTH = 100
LABEL = 28  # columns of the names on the left
ROWS = (("shift", "="), ("break", "b"), ("stay", "#"), ("odd_stay", "o"), ("gap", "?"))
QUARTER = timedelta(minutes=15)
MOST_QUARTERS = 72


def explain(config: ServerConfig, given: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    with commands._work(config) as work:
        try:
            found = explain_day(work, given.code, given.day, config.rules, now=now)
        except UnknownPerson as error:
            raise CommandError(
                f"Nobody has the code {given.code}; `hadir server who-holds {given.code}` looks further back."
            ) from error
        except OverflowError as error:  # at the ends of the calendar
            raise CommandError(f"{given.day} is not a day that can be explained.") from error
        note(work, commands._actor(), "attendance.explain", f"{given.code} {given.day}", now=now)
    if given.json:
        print(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(page(found)))
    return 0


def page(found: Explanation) -> Iterator[str]:
    """Yield the lines of the page, in English; times are the site's."""
    say = _speaker(found)
    day = found.day
    zone = zone_name(datetime.combine(found.business_date, datetime.min.time(), tzinfo=found.timezone))
    yield f"{found.employee_id}  {found.name}"
    yield f"{found.business_date:%A}, {found.business_date}, times in {zone} ({found.timezone})"
    yield ""
    status = str(word(ATTENDANCE, found.status).label)
    certain = "yes" if day.is_verified else "no: nobody watched all of the time that matters"
    yield f"{status.upper()}: {say.step(found.closing)}"
    if found.kept is None:
        yield "No row is stored for this day; this is what it would be."
    if found.is_stale:
        yield "The stored row says something else; `hadir server recompute` brings it up to date."
    yield from _lines("Why", [*map(say.step, found.why_status)])
    yield from _lines("Certain?", [certain, *map(say.step, found.doubts)])
    yield ""
    yield from timeline(found)
    yield from _pieces(found, say)
    yield ""
    for figure in found.figures:
        label, value = str(FIGURES[figure.name]), say.figure(figure.value)
        yield from _lines(label, [value, *map(say.step, figure.steps)])
    yield from _lines("Warning", [say.warning(each) for each in found.overtime_warnings])
    yield ""
    yield from _lines("Rules used", [*map(say.step, found.rules)])
    yield from _history(found, say)


def _speaker(found: Explanation) -> Speaker:
    return Speaker(found.business_date, found.timezone, date.isoformat)


def _lines(label: str, texts: list[str]) -> Iterator[str]:
    """Yield the texts below each other, with the label at the left of the first."""
    for number, text in enumerate(texts):
        yield f"{label if number == 0 else '':<{LABEL}}{text}".rstrip()


def timeline(found: Explanation) -> Iterator[str]:
    """Yield the day as rows of characters, a quarter of an hour each; only kinds that are there."""
    if not found.pieces:
        return
    start = min(each.time.start for each in found.pieces).astimezone(found.timezone)
    start = start.replace(minute=0, second=0, microsecond=0)
    end = max(each.time.end for each in found.pieces)
    count = min(MOST_QUARTERS, -(-(end - start) // QUARTER) + 1)
    hours = (f"{(start + n * QUARTER).astimezone(found.timezone):%H}" for n in range(0, count, 8))
    yield " " * LABEL + "".join(f"{each:<8}" for each in hours).rstrip()
    for kind, mark in ROWS:
        parts = [each for each in found.pieces if each.kind == kind]
        if parts:
            yield f"{PIECES[kind]!s:<{LABEL}}{_row(parts, start, count, mark)}"[:WIDTH].rstrip()
    punches = [each for each in found.pieces if each.kind in ("in", "out")]
    if punches:
        yield f"{'Punches':<{LABEL}}{_row(punches, start, count, '^')}"[:WIDTH].rstrip()


def _row(parts: list[Piece], start: datetime, count: int, mark: str) -> str:
    cells = [" "] * count
    for each in parts:
        first, last = (each.time.start - start) // QUARTER, -(-(each.time.end - start) // QUARTER)
        for at in range(max(0, first), min(count, max(last, first + 1))):
            cells[at] = mark
    return "".join(cells)


def _pieces(found: Explanation, say: Speaker) -> Iterator[str]:
    for each in found.pieces:
        if each.kind in ("shift", "break"):
            continue  # the rules tell of them
        start, end = say.clock(each.time.start), say.clock(each.time.end)
        when = start if each.time.start == each.time.end else f"{start}–{end}"
        more = [each.label, each.zones, say.step(each.note) if each.note else ""]
        yield from _lines("", [f"{when}  {PIECES[each.kind]}: {', '.join(filter(None, more))}"])


def _history(found: Explanation, say: Speaker) -> Iterator[str]:
    for made in found.corrections:
        before, after = say.kept(made.field, made.before), say.kept(made.field, made.after)
        text = f"{say.moment(made.made_at)} by {made.made_by}: {FIELDS.get(made.field, made.field)} "
        yield from _lines("Correction", [f"{text}{before} -> {after}", made.reason])
    if bare := found.without_corrections:
        status = word(ATTENDANCE, bare.status).label
        worked = duration(bare.work_seconds)
        times = f"{say.clock(bare.first_in_ts)} to {say.clock(bare.last_out_ts)}"
        yield from _lines("Without them", [f"{status}, {times}, {worked} of work"])
    for each in found.disputes:
        head = f"{say.moment(each.noted_at)}, noted by {each.noted_by}: {each.words}"
        end = f"answered by {each.settled_by}: {each.answer}" if each.settled_at else "not answered yet"
        yield from _lines("Dispute", [head, end])
    for alert in found.alerts:
        head = f"opened {say.clock(alert.opened_at)}, last seen {say.clock(alert.last_seen)}"
        wrong = f"late news: seen at {say.clock(alert.contradicted_by)}, so it was wrong"
        over = phrase(CLOSE_REASONS, alert.close_reason) if alert.closed_at else "open"
        yield from _lines("Alert", [head, over, *([wrong] if alert.contradicted_by else [])])
    for revision in found.revisions:
        pushed = f", HRIS: {revision.pushed}" if revision.pushed else ""
        changes = [
            f"{FIELDS.get(field, field)}: {say.kept(field, before)} -> {say.kept(field, after)}"
            for field, (before, after) in revision.changes.items()
        ]
        yield from _lines(f"Revision {revision.number}", [f"{say.moment(revision.at)}{pushed}", *changes])


def as_json(found: Explanation) -> dict[str, Any]:
    """Return everything as JSON takes it: instants with the site's offset, lengths in seconds."""
    say = _speaker(found)

    def plain(value: Any) -> Any:
        if isinstance(value, Step):
            return {"code": value.code, "values": plain(dict(value.values)), "words": say.step(value)}
        if isinstance(value, datetime):
            return value.astimezone(found.timezone).isoformat()
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, timedelta):
            return int(value.total_seconds())
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        if hasattr(value, "__dataclass_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
        return str(value) if value is not None and not isinstance(value, bool | int | str) else value

    return plain(found)

"""The live board and the log of events."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from central_server.blueprints import wording
from central_server.blueprints.charts import stacked
from central_server.blueprints.export import table_response
from central_server.blueprints.extensions import db
from central_server.blueprints.formats import ago, zone_name
from central_server.blueprints.request_facts import local_now, places, team, text, today, user
from central_server.db.queries.board import Board, BoardFilter, read_board
from central_server.db.queries.devices import agents, troubles
from central_server.db.queries.events import EventFilter, EventLine, every_event, read_events
from central_server.db.queries.pulse import stopped_parts
from central_server.db.queries.setup import read_setup

blueprint = Blueprint("dashboard", __name__)

SHOWN_AT_ONCE = 150
ALL = 5000
GROUP_OF = {reason: group for group, reasons in wording.GROUPS.items() for reason in reasons}


@blueprint.get("/")
def board() -> str:
    facts = _board_facts()
    return render_template(
        "board.html", tag=_tag(facts), fragment_url=url_for("dashboard.fragment", **request.args), **facts
    )


@blueprint.get("/board")
def fragment() -> Response:
    """The part of the board that changes; nothing but a 304 while it does not."""
    facts = _board_facts()
    tag = _tag(facts)
    if request.headers.get("If-None-Match") == tag:
        return Response(status=304, headers={"ETag": tag, "Cache-Control": "no-store"})
    return Response(
        render_template("_board.html", **facts), headers={"ETag": tag, "Cache-Control": "no-store"}
    )


def _zone_names(now: datetime) -> list[str]:
    """Return the sites' time zones from west to east: each time on the board is told in its site's."""
    here = sorted((now.astimezone(each) for each in places().timezones.values()), key=datetime.utcoffset)
    return list(dict.fromkeys(zone_name(each) for each in here or [now]))


def _board_facts() -> dict[str, Any]:
    chosen = BoardFilter(
        words=text("q"),
        group=text("group") if text("group") in wording.GROUPS else "",
        zone_id=text("zone"),
        department=text("department"),
        site_id=text("site"),
        by_name=text("sort") == "name",
    )
    now = local_now()
    limit = ALL if text("all") else SHOWN_AT_ONCE
    found = read_board(db.session(), places(), chosen, team(), GROUP_OF, limit=limit)
    setup = read_setup(db.session()) if user().may("people.add") else None
    return {
        "board": found,
        "chosen": chosen,
        "is_filtered": chosen != BoardFilter(by_name=chosen.by_name),
        "now": now,
        "zone_names": _zone_names(now),
        "summary": _summary(found),
        "bar": stacked((wording.GROUP_WORDS[group].tone, count) for group, count in found.counts.items()),
        "stopped": stopped_parts(db.session(), now=now),
        "troubles": troubles(agents(db.session(), places(), now=now)),
        "setup": setup if setup and not setup.is_done else None,
        "group_urls": {group: _board_url(group, chosen.group) for group in found.counts},
        "all_url": url_for("dashboard.board", **{**request.args, "all": "1"}),
        "links": user().may("people.detail"),
        **_choices(found, chosen),
    }


def _choices(found: Board, chosen: BoardFilter) -> dict[str, list[tuple[str, Any]]]:
    anything, here = ("", _("All")), places()
    return {
        "groups": [anything, *((key, it.label) for key, it in wording.GROUP_WORDS.items())],
        "zones": [anything, *((each.place_id, each.name) for each in here.zones.values())],
        "sites": [anything, *((each.place_id, each.name) for each in here.sites.values())],
        "department_choices": [
            anything,
            *((each, each) for each in _with(found.departments, chosen.department)),
        ],
    }


def _board_url(group: str, chosen: str) -> str:
    """A tap on a number filters by it; a second tap shows everybody again."""
    arguments = {name: value for name, value in request.args.items() if name not in ("group", "all")}
    if group != chosen:
        arguments["group"] = group
    return url_for("dashboard.board", **arguments)


def _summary(found: Board) -> str:
    parts = [
        _("%(count)s in area", count=found.counts["in"]),
        _("%(count)s out of area", count=found.counts["out"]),
        _("%(count)s not arrived", count=found.counts["absent"]),
    ]
    if found.counts["unsure"]:
        parts.append(_("%(count)s can't tell", count=found.counts["unsure"]))
    return ", ".join(parts)


def _tag(facts: dict[str, Any]) -> str:
    """Return an ETag that changes exactly when a reader would see a difference."""
    now: datetime = facts["now"]
    found: Board = facts["board"]
    rows = [(replace(row, last_seen=None), ago(row.last_seen, now)) for row in found.rows]
    seen = (
        rows,
        found.found,
        found.counts,
        facts["stopped"],
        facts["troubles"],
        facts["setup"],
        str(get_locale()),
        request.args,
    )
    return f'"{hashlib.sha256(repr(seen).encode()).hexdigest()[:32]}"'


def _with(choices: tuple[str, ...], chosen: str) -> tuple[str, ...]:
    return choices if not chosen or chosen in choices else (*choices, chosen)


@blueprint.get("/events")
def events() -> str:
    chosen = _event_filter()
    page = read_events(db.session(), places(), chosen, team(), cursor=text("older"))
    anything = ("", _("All"))
    kinds = [("", _("All but still in view")), ("all", _("Everything"))]
    arguments = {name: value for name, value in request.args.items() if name not in ("older", "ending")}
    return render_template(
        "events.html",
        page=page,
        cameras=[
            anything,
            *((each.place_id, each.name or each.place_id) for each in places().cameras.values()),
        ],
        kinds=kinds + [(kind, it.label) for kind, it in wording.EVENTS.items()],
        arguments=arguments,
        now=local_now(),
        links=user().may("people.detail"),
        is_first=not text("older"),
        person_asked=chosen.employee_id,
    )


@blueprint.get("/events.<any(xlsx, csv):ending>")
def events_csv(ending: str) -> Response:
    """The filtered list, for a spreadsheet."""
    head = [_("Time"), _("Camera"), _("Location"), _("What"), _("Code"), _("Name"), _("Similarity")]
    lines = every_event(db.session(), places(), _event_filter(), team())
    return table_response(f"events-{today()}", ending, head, _csv_rows(lines))


def _csv_rows(lines: Iterator[EventLine]) -> Iterator[list[Any]]:
    for each in lines:
        what = str(wording.word(wording.EVENTS, each.kind).label)
        similarity = "" if each.similarity is None else round(each.similarity, 2)
        at = each.at.isoformat(timespec="seconds")
        yield [at, each.camera, each.where, what, each.employee_id, each.name or _("Unknown"), similarity]


def _event_filter() -> EventFilter:
    return EventFilter(
        camera_id=text("camera"),
        employee_id=text("employee"),
        words=text("q"),
        kind=text("kind") if text("kind") in ("all", *wording.EVENTS) else "",
        after=_instant(text("from")),
        before=_instant(text("to"), is_end=True),
    )


def _instant(value: str, *, is_end: bool = False) -> datetime | None:
    """Return a moment typed as 2026-01-05 or 2026-01-05T08:00, in the site's time zone."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if not 1970 < moment.year < 9999:  # a year half typed; time zones reach beyond both ends of the calendar
        return None
    if is_end and len(value) == len("2026-01-05"):
        moment += timedelta(days=1)  # to the end of that day
    return moment.replace(tzinfo=places().default_timezone)

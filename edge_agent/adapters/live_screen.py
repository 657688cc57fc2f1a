"""The live view in a terminal, redrawn every second by rich; works over ssh at 80 columns."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_agent import live_words as words

COLOURS = {"online": "green", "degraded": "yellow", "offline": "red", "disabled": "dim"}
EVERY_S = 1.0
LEAST_EVENTS = 3


def show(
    read: Callable[[], Mapping[str, Any]],
    absent: type[Exception],
    console: Console | None = None,
    rounds: int | None = None,
) -> None:
    """Redraw what read returns until Ctrl-C, or so many rounds; while it raises absent, show its words."""
    console = console or Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while rounds is None or rounds > 0:
            try:
                picture = drawing(read(), console.height)
            except absent as error:
                picture = Group(Text(str(error), "yellow"), Text("\nCtrl-C ends this view.", "dim"))
            live.update(picture, refresh=True)
            rounds = None if rounds is None else rounds - 1
            if rounds != 0:
                time.sleep(EVERY_S)


def drawing(snapshot: Mapping[str, Any], height: int) -> Group:
    """Return the snapshot drawn; as many events as height, in lines, leaves room for."""
    cameras = snapshot["cameras"]
    room = height - len(cameras) - 12
    return Group(
        Text(words.headline(snapshot), "bold"),
        _facts(snapshot),
        Text(),
        _cameras(snapshot),
        Text(),
        _events(snapshot, max(LEAST_EVENTS, room)),
        Text("Ctrl-C ends this view; the agent goes on.", "dim"),
    )


def _facts(snapshot: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    is_up = snapshot["link"]["phase"] == "online" and snapshot["link"]["server_online"]
    table.add_row("link", Text(words.link_line(snapshot), "green" if is_up else "yellow"))
    is_losing = snapshot["spool"]["dropped"]
    table.add_row("spool", Text(words.spool_line(snapshot), "red" if is_losing else ""))
    table.add_row("box", Text(words.box_line(snapshot), "red" if snapshot["box"]["throttled"] else ""))
    model = f"{words.plain(snapshot['model_id'], 48)}, {snapshot['people']} people in the gallery"
    table.add_row("model", Text(model))
    return table


def _cameras(snapshot: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", expand=False)
    for name, side in (("camera", "left"), ("state", "left"), ("fps", "right"), ("picture", "right")):
        table.add_column(name, justify=side, no_wrap=True)
    table.add_column("last recognised, ago", no_wrap=True)
    for camera in snapshot["cameras"]:
        name, state, *rest = words.camera_row(camera, snapshot["at"])
        table.add_row(Text(name), Text(state, COLOURS.get(camera["state"], "")), *map(Text, rest))
    return table


def _events(snapshot: Mapping[str, Any], most: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for name in ("time", "camera", "event", "who"):
        table.add_column(name, no_wrap=True)
    table.add_column("alike", justify="right", no_wrap=True)
    for event in list(reversed(snapshot["events"]))[:most]:
        style = "" if event["employee_id"] else "dim"
        table.add_row(*(Text(each, style) for each in words.event_row(event)))
    if not snapshot["events"]:
        table.add_row("-", "", "", Text("no event since the start", "dim"), "")
    return table

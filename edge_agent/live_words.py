"""The snapshot of a running agent as text: one view for a terminal, for a pipe and for a photo of the screen.

Names of cameras and people come from elsewhere; whatever in them could steer a terminal is left out.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from edge_agent.core.live import ago

PHASES = {
    "online": "online",
    "connecting": "connecting …",
    "waiting": "away, trying again",
    "stopped": "stopped",
}


def plain(text: object, most: int = 32) -> str:
    """Return text on one line, without control characters, at most so long."""
    shown = "".join(each if each.isprintable() else " " for each in str(text))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def headline(snapshot: Mapping[str, Any]) -> str:
    who = f"{plain(snapshot['agent_id'])} of {plain(snapshot['site'])}"
    return f"{who} · Hadir {snapshot['version']} · up {ago(snapshot['up_s'])}"


def link_line(snapshot: Mapping[str, Any]) -> str:
    link = snapshot["link"]
    words, road = PHASES.get(link["phase"], link["phase"]), link["road"]
    if link["phase"] != "online":
        words += f"; events go by {road}" if road else ""
    elif link["server_online"]:
        words += f" by {road}"
    else:
        words = f"the broker is online by {road}, but the server is away"
    trouble = f" ({plain(link['trouble'], 120)})" if link["trouble"] else ""
    return f"{words}{trouble}"


def spool_line(snapshot: Mapping[str, Any]) -> str:
    spool = snapshot["spool"]
    if not spool["depth"]:
        words = "empty: everything is with the server"
    else:
        words = f"{spool['depth']} events wait, the oldest for {ago(spool['oldest_s'])}"
    return words + (f"; {spool['dropped']} were dropped" if spool["dropped"] else "")


def box_line(snapshot: Mapping[str, Any]) -> str:
    box = snapshot["box"]
    parts = [f"processor {box['cpu_percent']:.0f} %"]
    if box["rss_mb"] is not None:
        parts.append(f"agent {box['rss_mb']} MB, {box['memory_free_mb']} of {box['memory_mb']} MB free")
    if box["temperature_c"] is not None:
        parts.append(f"{box['temperature_c']:.0f} °C")
    if box["throttled"]:
        parts.append(f"SLOWED DOWN: {', '.join(box['throttled'])}")
    if box["disk_free_mb"] is not None:
        parts.append(f"disk {box['disk_free_mb'] / 1000:.1f} GB free")
    if box["clock"] != "ntp":
        parts.append("CLOCK NOT SET" if box["clock"] == "bad" else "clock without NTP")
    return " · ".join(parts)


def camera_row(camera: Mapping[str, Any], now_ms: int) -> tuple[str, str, str, str, str]:
    """Return id, state, pictures a second, the last picture's age, and the last person recognised."""
    reason = f" ({plain(camera['reason'])})" if camera["reason"] else ""
    last = camera["last_known"]
    who = f"{plain(last['employee_id'], 14)}, {ago((now_ms - last['ts']) / 1000)}" if last else "-"
    return (
        plain(camera["camera_id"]),
        f"{plain(camera['state'])}{reason}",
        f"{camera['fps']:.1f}",
        ago(camera["last_frame_s"]),
        who,
    )


def event_row(event: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """Return local time, camera, kind, who, and how alike."""
    at = datetime.fromtimestamp(event["ts"] / 1000).strftime("%H:%M:%S")  # noqa: DTZ006 - the box's own time
    alike = "-" if event["similarity"] is None else f"{event['similarity']:.2f}"
    who = plain(event["employee_id"] or "unknown", 20)
    return at, plain(event["camera_id"]), plain(event["kind"]), who, alike


def as_text(snapshot: Mapping[str, Any]) -> Iterator[str]:
    """Yield the snapshot line by line, 80 columns wide where it can be."""
    yield headline(snapshot)
    yield f"link    {link_line(snapshot)}"
    yield f"spool   {spool_line(snapshot)}"
    yield f"box     {box_line(snapshot)}"
    yield f"model   {plain(snapshot['model_id'], 48)}, {snapshot['people']} people in the gallery"
    yield ""
    yield f"{'camera':<18} {'state':<20} {'fps':>5} {'picture':>8}  last recognised, ago"
    for camera in snapshot["cameras"]:
        name, state, fps, age, who = camera_row(camera, snapshot["at"])
        yield f"{name:<18} {state:<20} {fps:>5} {age:>8}  {who}"
    yield ""
    if not snapshot["events"]:
        yield "no event since the start"
    for event in reversed(snapshot["events"]):
        at, camera_id, kind, who, alike = event_row(event)
        yield f"{at}  {camera_id:<18} {kind:<8} {who:<20} {alike:>5}"

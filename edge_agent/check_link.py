"""The link's part of `hadir agent check`: the server, the broker, and the clocks."""

import time
from collections.abc import Iterator
from pathlib import Path

from common.events import Clock
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.live_socket import NotRunningError, read_live
from edge_agent.adapters.machine import clock_now
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.adapters.mqtt_login import log_in
from edge_agent.finding import Finding

MOST_OFF_S = 60.0
CLOCK = {
    Clock.NTP: "set by NTP",
    Clock.RTC: "not kept right by NTP, so it will drift: let NTP through (port 123/UDP); `timedatectl` tells",
    Clock.BAD: "not set at all: `timedatectl set-time`, or let NTP through (port 123/UDP)",
}


def clock() -> Finding:
    """Tell whether the wall clock is right: events carry its times."""
    now = clock_now()
    return Finding("clock", now is not Clock.BAD, CLOCK[now], is_advice=now is Clock.RTC)


def server(identity: Identity) -> Finding:
    asked = time.time()
    try:
        manifest = CentralAPI.of(identity).manifest()
    except CentralError as error:
        return Finding("server", False, str(error))
    off_s = (asked + time.time()) / 2 - manifest.issued / 1000
    words = f"{identity.server_url} knows this agent; "
    if abs(off_s) < MOST_OFF_S:
        return Finding("server", True, f"{words}the clocks differ by {abs(off_s):.1f} s")
    side = "ahead of" if off_s > 0 else "behind"
    return Finding("server", False, f"{words}but this box's clock is {abs(off_s):.0f} s {side} the server's")


def broker(identity: Identity, home: Path) -> Iterator[Finding]:
    """Yield whether the broker lets this agent in; a running agent is asked instead of thrown out."""
    where = identity.broker
    try:
        link = read_live(home)["link"]
    except NotRunningError:
        yield _login(identity)
        return
    is_online = link["phase"] == "online"
    words = f"the running agent is connected to {where.host}:{where.port}"
    trouble = link["trouble"] or "it is connecting"
    yield Finding(
        "broker", is_online, words if is_online else f"the running agent is not connected: {trouble}"
    )
    if is_online and not link["server_online"]:
        yield Finding("broker", False, "the server does not listen at present; events wait in the spool")


def _login(identity: Identity) -> Finding:
    where = identity.broker
    try:
        reach(where.host, where.port)
        listens = log_in(identity)
    except LinkError as error:
        return Finding("broker", False, str(error))
    words = f"{where.host}:{where.port} let this agent in"
    if listens is None:
        return Finding("broker", True, f"{words}; whether the server listens is not known")
    if not listens:
        return Finding("broker", False, f"{words}, but the server does not listen: is its worker running?")
    return Finding("broker", True, f"{words}, and the server listens")

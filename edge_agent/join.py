"""`hadir agent join`: from a one-time code to an identity on this machine, with words for what goes wrong."""

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from common import VERSION
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import Identity, IdentityError, identity_from, save_identity
from edge_agent.adapters.machine import hardware_id
from edge_agent.adapters.mqtt_link import LinkError, reach

CLOCK_MOST_OFF_S = 300  # more than this, and what the agent reports would be of another time
TRIES = 3


class JoinError(Exception):
    """This machine did not join; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class JoinLink:
    server_url: str
    code: str


def read_link(text: str) -> JoinLink:
    """Return what http://host:port/XXXX-XXXX says. Raises JoinError."""
    parts = urlsplit(text.strip())
    code = parts.path.strip("/")
    try:
        port = parts.port
    except ValueError as error:
        raise JoinError(f"{text} has no proper port number.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not code or "/" in code:
        raise JoinError(f"{text!r} is not a join link: it looks like https://hadir.example.com/7K3M-9QXB")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return JoinLink(f"{parts.scheme}://{host}" + (f":{port}" if port else ""), code)


def join(link: JoinLink, identity_path: Path, *, name: str) -> Identity:
    """Join the server and keep the identity. Safe to repeat when an answer was lost. Raises JoinError."""
    preflight(link.server_url)
    request = {"code": link.code, "hardware_id": hardware_id(), "name": name, "version": VERSION}
    answer = _ask(CentralAPI(link.server_url), request)
    _check_clock(answer.get("server_time"))
    try:
        identity = identity_from(answer, link.server_url)
        save_identity(identity_path, identity)
    except IdentityError as error:
        raise JoinError(f"{link.server_url} did not answer as a Hadir server does: {error}") from error
    except OSError as error:
        raise JoinError(
            f"{identity_path} cannot be written ({error.strerror}); join again within 10 min"
        ) from error
    return identity


def _ask(api: CentralAPI, request: dict[str, str]) -> dict[str, object]:
    for left in reversed(range(TRIES)):
        try:
            return api.join(request)
        except CentralError as error:
            if error.permanent or not left:
                raise JoinError(str(error)) from error
            time.sleep(1)
    raise AssertionError("unreachable")


def preflight(server_url: str) -> None:
    """Check the way to the server: its name, its port. Raises JoinError."""
    parts = urlsplit(server_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        reach(str(parts.hostname), port)
    except LinkError as error:
        raise JoinError(f"The server cannot be reached: {error}.") from error


def _check_clock(server_time: object) -> None:
    if not isinstance(server_time, int):
        return
    off_s = time.time() - server_time / 1000
    if abs(off_s) > CLOCK_MOST_OFF_S:
        direction = "fast" if off_s > 0 else "slow"
        raise JoinError(
            f"This machine's clock is {abs(off_s) / 60:.0f} min {direction}: set it (best by NTP), and join "
            "again within 10 minutes with the same link."
        )


def default_name() -> str:
    return platform.node().split(".")[0] or "agent"

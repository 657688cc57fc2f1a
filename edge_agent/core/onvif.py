"""What is made of an ONVIF camera's answers: which streams to use, and the lines for agent.yaml.

Everything that a camera says is a stranger's text: it may hold anything. An address is taken apart and put
together anew, at the place that was asked; what does not fit is left out.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LEAST_SUB_WIDTH, MOST_SUB_WIDTH = 600, 1280  # faces are large enough there, and it is cheap
VIDEO = ("H264", "H265", "HEVC", "MPEG4")
MOST_ID = 32
_FITTING = re.compile(r"[A-Za-z0-9/._~!*'(),;:@&=+?%-]*")  # of a path and query; no $, no space, no quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One stream that a camera offers."""

    name: str
    encoding: str
    width: int
    height: int
    fps: float
    uri: str

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A camera that answered. trouble: why its streams are not known, in words; empty when they are."""

    address: str  # where it answered from
    name: str = ""
    model: str = ""
    profiles: tuple[Profile, ...] = ()
    clock_off_s: float | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    main: Profile
    sub: Profile | None = None  # smaller, of the same camera; it is then the one that is searched


def chosen(profiles: Iterable[Profile]) -> Streams | None:
    """Return the largest video stream, and a smaller one that is still large enough for faces."""
    videos = [each for each in profiles if each.encoding.upper() in VIDEO]
    if not videos:
        return None
    main = max(videos, key=lambda each: (each.pixels, each.fps))
    smaller = [
        each
        for each in videos
        if LEAST_SUB_WIDTH <= each.width <= MOST_SUB_WIDTH and each.pixels * 2 <= main.pixels
    ]
    return Streams(main, max(smaller, key=lambda each: (each.pixels, each.fps), default=None))


def rtsp_url(uri: str, address: str, login: str = "") -> str | None:
    """Return the stream's address at the camera that was asked, with login (USER:PASSWORD); None: no RTSP.

    Cameras behind routers, or moved to another network, name a host that is not theirs.
    """
    try:
        parts = urlsplit(uri.strip())
        port = parts.port
    except ValueError:
        return None
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    if parts.scheme.lower() != "rtsp" or not _FITTING.fullmatch(rest):
        return None
    host = f"[{address}]" if ":" in address else address
    place = host if port in (None, 554) else f"{host}:{port}"
    return f"rtsp://{login}@{place}{rest}" if login else f"rtsp://{place}{rest}"


def camera_id(name: str, address: str, taken: Iterable[str]) -> str:
    """Return an id that is not taken: from the camera's name, else from its address."""
    last = re.sub(r"[^0-9a-z]+", "-", address.lower()).strip("-").rpartition("-")[2]
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_ID].strip("-") or f"camera-{last}"
    used = set(taken)
    if base in used:
        base = f"{base[: MOST_ID - 1 - len(last)].rstrip('-')}-{last}"
    number, found = 2, base
    while found in used:
        end = f"-{number}"
        found, number = base[: MOST_ID - len(end)] + end, number + 1
    return found


def shown(text: str, most: int = 60) -> str:
    """Return a stranger's text on one line, without anything that steers a terminal or ends a comment."""
    line = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(line.split())[:most]


def camera_lines(cameras: Sequence[Camera], login: str, taken: Iterable[str] = ()) -> list[str]:
    """Return the entries of `cameras:` in agent.yaml, indented by two; cameras without a stream as comments.

    login is put into each address as it is, `${CAMERA_USER}:${CAMERA_PASSWORD}`, or empty.
    """
    lines: list[str] = []
    used = set(taken)
    for each in cameras:
        streams = chosen(each.profiles)
        url = rtsp_url(streams.main.uri, each.address, login) if streams else None
        if streams is None or url is None:
            why = each.trouble or "it offers no H.264 or H.265 stream by RTSP"
            lines.append(f"  # {shown(each.address)}: {shown(why, 200)}")
            continue
        name = camera_id(each.name, each.address, used)
        used.add(name)
        lines += _entry(name, each, streams, url, login)
    return lines


def _entry(name: str, camera: Camera, streams: Streams, url: str, login: str) -> list[str]:
    main, sub = streams.main, streams.sub
    people = camera.name.replace("$", "") or name  # ${NAME} would be filled in from the environment
    lines = [
        f"  - camera_id: {name}",
        f"    name: {_quoted(people)}",
        f"    zone: {_quoted(people)}  # where it hangs: the zone's id or name on the server",
        f"    url: {_quoted(url)}  # {main.width}x{main.height} {shown(main.encoding, 10)}",
    ]
    if sub is not None and (sub_url := rtsp_url(sub.uri, camera.address, login)):
        lines.append(f"    sub_url: {_quoted(sub_url)}  # {sub.width}x{sub.height}, searched")
    return lines


def _quoted(text: str) -> str:
    """Return text as a YAML scalar in single quotes."""
    return "'" + shown(text, 300).replace("'", "''") + "'"

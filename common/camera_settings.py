"""What can be set of a camera, and within which bounds: the box's own file and the dashboard say it alike."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from common.ids import CameraId

# How a camera may be decoded: on the processor; by a device that PyAV knows; by the decoder of small boards;
# by an ffmpeg program beside us, with the video hardware of Intel and AMD (VAAPI) or without.
DECODERS = ("software", "cuda", "qsv", "drm", "v4l2", "vaapi", "ffmpeg")
STREAMS = ("rtsp", "rtsps", "http", "https")
KEPT = "***"  # in the place of an address: the one that the box has in its own file
SEARCH_STEP = 32  # search_px is a multiple of it
MOST_NAME, MOST_URL, MOST_POLYGONS, MOST_CORNERS = 120, 1000, 20, 60

Polygon = tuple[tuple[float, float], ...]  # corners, 0..1 of the picture's width and height


class Bounds(NamedTuple):
    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


NUMBERS = {
    "sample_fps": Bounds(0.2, 30),
    "min_face_px": Bounds(16, 1000),
    "search_px": Bounds(160, 3840),
    "open_timeout_s": Bounds(0.5, 60),
    "read_timeout_s": Bounds(0.5, 60),
    "loop_anchor_s": Bounds(0, 1e11),
    "threshold": Bounds(-1, 1),
    "margin": Bounds(0, 1),
}


@dataclass(frozen=True, slots=True)
class NamedZone:
    """A part of a camera's picture that has a name of its own."""

    name: str
    polygon: Polygon


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraConfig:
    """One camera. The URL may hold a password: it is kept out of repr, and `shown_url` is for people."""

    camera_id: CameraId
    name: str
    url: str = field(repr=False)  # rtsp://… | a file's path | webcam:0
    zone: str
    sub_url: str = field(default="", repr=False)  # a smaller stream; if there is one, it is searched
    sample_fps: float = 5.0
    loop: bool = False  # a file starts again when it ends
    loop_anchor_s: float | None = None  # epoch seconds since when a looping file counts as playing
    min_face_px: int = 32
    open_timeout_s: float = 4.0
    read_timeout_s: float = 3.0
    decode: str = "software"  # one of DECODERS
    rests: bool = True  # key frames only, while nothing moves
    identify: bool = True  # no: faces are counted by nobody and compared with nobody's, as in public places
    search_px: int | None = None  # longer side at which the whole picture is searched; None: the model's own
    mask: tuple[Polygon, ...] = ()  # painted over before anything looks at the picture
    watch: tuple[Polygon, ...] = ()  # only faces in there count; empty: everywhere
    zones: tuple[NamedZone, ...] = ()  # the first that a face is in goes with its events

    @property
    def searched_url(self) -> str:
        """The stream that is decoded and searched."""
        return self.sub_url or self.url

    @property
    def shown_url(self) -> str:
        return shown_address(self.searched_url)


@dataclass(frozen=True, slots=True)
class MatchOverrides:
    """What to ask for instead of the model's own defaults; None leaves the default."""

    threshold: float | None = None  # cosine similarity
    margin: float | None = None  # ahead of the second-best person


NO_OVERRIDES = MatchOverrides()


def shown_address(url: str) -> str:
    """Return where a stream is, and nothing else: cameras take passwords as user, path and query."""
    if "://" not in url or url.lower().startswith("file:"):
        return url
    scheme, _, rest = url.partition("://")
    place = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}://{place}/…" if place != rest else f"{scheme}://{place}"


def is_readable_address(url: str) -> bool:
    """Tell whether a stream's address can be taken apart; one of a file or a webcam can."""
    if "://" not in url or url.lower().startswith("file:"):
        return True
    try:
        urlsplit(url)
    except ValueError:
        return False
    place, rest = re.fullmatch(r"([^/?#]*)(.*)", url.partition("://")[2], re.DOTALL).groups()  # type: ignore[union-attr]
    user, _, host = place.rpartition("@")
    is_odd = "@" in rest or "@" in user or user.count(":") > 1
    return not is_odd and re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:\d{1,5})?", host) is not None


def is_webcam(url: str) -> bool:
    """Tell whether url names a webcam by its number, as webcam:0 does."""
    number = url.removeprefix("webcam:")
    return number != url and number.isdecimal() and number.isascii()


def is_remote_address(url: str) -> bool:
    """Tell whether the dashboard may give this address: a stream, a webcam, or the one that the box has.

    No files: whoever takes the server over shall not choose what an agent opens on its own disk.
    """
    is_plain = url.isprintable() and " " not in url and len(url) <= MOST_URL
    is_stream = url.partition("://")[0].lower() in STREAMS and "://" in url
    return url == KEPT or (is_plain and (is_webcam(url) or is_stream))


def corners_in(text: str) -> Polygon | None:
    """Return the polygon written as `0,0 0.3,0 0.3,0.4`; None when it is none within 0..1."""
    try:
        corners = tuple((float(x), float(y)) for x, y in (each.split(",") for each in text.split()))
    except ValueError:
        return None
    return corners if is_polygon(corners) else None


def is_polygon(corners: Polygon) -> bool:
    return len(corners) >= 3 and all(0 <= value <= 1 for corner in corners for value in corner)


def corners_text(polygon: Polygon) -> str:
    """Return a polygon as it is written: the other way round of corners_in, to four places."""
    return " ".join(f"{round(x, 4):g},{round(y, 4):g}" for x, y in polygon)

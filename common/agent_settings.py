"""What the dashboard wants an agent to look after, as JSON: written by the server, read by both ends.

Every mistake is told with its key, e.g. `cameras.gate-1.url`. The words are English; a page that speaks
another language has the code and the bounds.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common import camera_settings as rules
from common.camera_settings import NO_OVERRIDES, CameraConfig, MatchOverrides, NamedZone, Polygon
from common.ids import CameraId, is_slug

VERSION = 1
MOST_CAMERAS = 64
MOST_NUMBER = 1e12  # more than any setting's; what is no number at all is not within it either
_TEXTS = ("name", "zone")
_ADDRESSES = ("url", "sub_url")
_FLAGS = ("rests", "loop", "identify")
_FLOATS = ("sample_fps", "open_timeout_s", "read_timeout_s")
_POLYGONS = ("mask", "watch")
_CAMERA = {each.name: each.default for each in dataclasses.fields(CameraConfig)}


class Unreadable(Exception):
    """This is no configuration at all; says why."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a setting."""

    key: str
    code: str  # a page knows its words in other languages
    words: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One generation. `is_local`: the dashboard hands the cameras back to the box's own file."""

    gen: int = 0
    is_local: bool = False
    cameras: tuple[CameraConfig, ...] = ()
    match: MatchOverrides = NO_OVERRIDES
    salt: str = ""  # nothing but chance: so that the digest does not give passwords away to who tries some

    def camera(self, camera_id: str) -> CameraConfig | None:
        return next((each for each in self.cameras if each.camera_id == camera_id), None)


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings as read. With problems they must not be used; what is ignored does no harm."""

    settings: AgentSettings
    problems: tuple[Problem, ...] = ()
    ignored: tuple[str, ...] = ()  # keys that a newer server knows and we do not


def to_json(settings: AgentSettings) -> bytes:
    """Return settings as they are served and signed for: the same bytes for the same settings."""
    body = {
        "v": VERSION,
        "gen": settings.gen,
        "is_local": settings.is_local,
        "cameras": [camera_body(each) for each in settings.cameras],
        "match": {"threshold": settings.match.threshold, "margin": settings.match.margin},
        "salt": settings.salt,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def camera_body(camera: CameraConfig) -> dict[str, Any]:
    """Return a camera as JSON has it; what is as usual is left out."""
    given = {name: getattr(camera, name) for name in _CAMERA}
    body = {
        name: value
        for name, value in given.items()
        if _CAMERA[name] is dataclasses.MISSING or value != _CAMERA[name]
    }
    for name in {*_POLYGONS} & {*body}:
        body[name] = [rules.corners_text(each) for each in body[name]]
    if "zones" in body:
        body["zones"] = [
            {"name": each.name, "area": rules.corners_text(each.polygon)} for each in body["zones"]
        ]
    return body


def from_json(payload: bytes) -> Reading:
    """Return what payload says. Raises Unreadable when it is no configuration of this version."""
    try:
        body = json.loads(payload, parse_constant=_not_a_number)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("v") != VERSION:
        raise Unreadable("it is not a configuration of a version that is known here")
    read = _Reader()
    gen = body.get("gen")
    if type(gen) is not int or gen < 0:
        raise Unreadable("it does not say which generation it is")
    cameras = body.get("cameras", [])
    if not isinstance(cameras, list) or not all(isinstance(each, dict) for each in cameras):
        raise Unreadable("cameras is not a list of cameras")
    settings = AgentSettings(
        gen=gen,
        is_local=body.get("is_local") is True,
        cameras=tuple(read.camera(each, f"cameras.{each.get('camera_id', '?')}") for each in cameras),
        match=read.match(body.get("match") or {}),
        salt=str(body.get("salt", "")),
    )  # fmt: skip
    read.ignored += [key for key in body if key not in {"v", "gen", "is_local", "cameras", "match", "salt"}]
    return Reading(settings, (*read.problems, *problems_of(settings)), tuple(read.ignored))


def camera_from(body: Mapping[str, Any], where: str) -> tuple[CameraConfig, tuple[Problem, ...]]:
    """Return one camera, as a form or an agent gives it, and everything wrong with it."""
    read = _Reader()
    camera = read.camera(body, where)
    return camera, (*read.problems, *_camera_problems(camera, where))


def problems_of(settings: AgentSettings) -> tuple[Problem, ...]:
    """Return everything that is wrong with settings whose parts are of the right kind."""
    found = [p for each in settings.cameras for p in _camera_problems(each, f"cameras.{each.camera_id}")]
    counted = Counter(each.camera_id for each in settings.cameras)
    found += [
        Problem(f"cameras.{name}.camera_id", "twice", "two cameras have this id")
        for name, count in counted.items()
        if count > 1
    ]
    if len(settings.cameras) > MOST_CAMERAS:
        found.append(Problem("cameras", "too_many", f"an agent takes at most {MOST_CAMERAS} cameras"))
    for name in ("threshold", "margin"):
        found += _within(f"match.{name}", name, getattr(settings.match, name))
    return tuple(found)


def with_camera(settings: AgentSettings, camera: CameraConfig, instead_of: str = "") -> AgentSettings:
    """Return settings with camera in the place of another one, or at the end."""
    old = instead_of or camera.camera_id
    cameras = tuple(camera if each.camera_id == old else each for each in settings.cameras)
    return replace(settings, cameras=cameras if camera in cameras else (*cameras, camera))


def without_camera(settings: AgentSettings, camera_id: str) -> AgentSettings:
    return replace(settings, cameras=tuple(each for each in settings.cameras if each.camera_id != camera_id))


def _camera_problems(camera: CameraConfig, where: str) -> list[Problem]:
    found: list[Problem] = []

    def complain(name: str, code: str, words: str) -> None:
        found.append(Problem(f"{where}.{name}", code, words))

    if not is_slug(camera.camera_id):
        complain("camera_id", "slug", "only a-z, 0-9 and '-', at most 32 of them")
    if not camera.url:
        complain("url", "needed", "a camera needs an address")
    for name in _ADDRESSES:
        url = getattr(camera, name)
        if url and not rules.is_remote_address(url):
            complain(name, "stream", "an address is a stream (rtsp://…) or a webcam (webcam:0)")
        elif url and not rules.is_readable_address(url):
            complain(name, "address", "the address cannot be read")
    if rules.is_webcam(camera.sub_url):
        complain("sub_url", "stream", "the smaller stream is a stream (rtsp://…)")
    for name in _TEXTS:
        if len(getattr(camera, name)) > rules.MOST_NAME:
            complain(name, "long", f"at most {rules.MOST_NAME} characters")
    if camera.decode not in rules.DECODERS:
        complain("decode", "choice", f"one of {', '.join(rules.DECODERS)}")
    for name in (*_FLOATS, "min_face_px", "search_px", "loop_anchor_s"):
        found += _within(f"{where}.{name}", name, getattr(camera, name))
    if camera.search_px is not None and camera.search_px % rules.SEARCH_STEP:
        complain("search_px", "step", f"a multiple of {rules.SEARCH_STEP}")
    for name in _POLYGONS:
        if not _are_polygons(getattr(camera, name)):
            complain(name, "corners", "corners like 0,0 0.3,0 0.3,0.4, three or more, 0 to 1")
    if not all(each.name and len(each.name) <= rules.MOST_NAME for each in camera.zones):
        complain("zones", "zone_name", "a part of the picture needs a name")
    if not _are_polygons(tuple(each.polygon for each in camera.zones)):
        complain("zones", "corners", "corners like 0,0 0.3,0 0.3,0.4, three or more, 0 to 1")
    return found


def _are_polygons(polygons: tuple[Polygon, ...]) -> bool:
    is_few = len(polygons) <= rules.MOST_POLYGONS
    return is_few and all(rules.is_polygon(each) and len(each) <= rules.MOST_CORNERS for each in polygons)


def _within(key: str, name: str, value: float | None) -> list[Problem]:
    low, high = rules.NUMBERS[name]
    if value is None or low <= value <= high:
        return []
    return [Problem(key, "between", f"from {low:g} to {high:g}", low, high)]


@dataclass(slots=True)
class _Reader:
    """Reads parts of JSON into values of the right kind, and keeps what was wrong with them."""

    problems: list[Problem] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def camera(self, body: Mapping[str, Any], where: str) -> CameraConfig:
        text = {name: self.text(body, name, where) for name in ("camera_id", *_TEXTS, *_ADDRESSES)}
        self.ignored += [f"{where}.{key}" for key in body if key not in _CAMERA and key != "shown"]
        search_px = self.number(body, "search_px", where, whole=True)
        return CameraConfig(
            camera_id=CameraId(text["camera_id"]),
            name=text["name"] or text["camera_id"],
            url=text["url"],
            zone=text["zone"],
            sub_url=text["sub_url"],
            decode=self.text(body, "decode", where, _CAMERA["decode"]),
            search_px=None if search_px is None else int(search_px),
            min_face_px=int(self.number(body, "min_face_px", where, whole=True) or 0),
            loop_anchor_s=self.number(body, "loop_anchor_s", where),
            zones=self.zones(body.get("zones", []), where),
            **{name: self.number(body, name, where) or 0.0 for name in _FLOATS},
            **{name: self.flag(body, name, where) for name in _FLAGS},
            **{name: self.polygons(body.get(name, []), f"{where}.{name}") for name in _POLYGONS},
        )  # fmt: skip

    def match(self, body: Any) -> MatchOverrides:
        body = body if isinstance(body, dict) else {}
        self.ignored += [f"match.{key}" for key in body if key not in ("threshold", "margin")]
        return MatchOverrides(*(self.number(body, name, "match") for name in ("threshold", "margin")))

    def text(self, body: Mapping[str, Any], name: str, where: str, default: str = "") -> str:
        value = body.get(name, default)
        if not isinstance(value, str) or not value.isprintable():
            self.problems.append(Problem(f"{where}.{name}", "text", "must be plain text"))
            return default
        return value.strip()

    def number(
        self, body: Mapping[str, Any], name: str, where: str, *, whole: bool = False
    ) -> float | None:  # fmt: skip
        """Return a number; the default, or None without one, when it is not there or none."""
        default = _CAMERA.get(name)
        value = body.get(name, default)
        if value is None or (type(value) in (int, float) and abs(value) <= MOST_NUMBER):
            if whole and value is not None and value != int(value):
                self.problems.append(Problem(f"{where}.{name}", "whole", "must be a whole number"))
            return default if value is None else value
        self.problems.append(Problem(f"{where}.{name}", "number", "must be a number"))
        return default  # type: ignore[return-value]

    def flag(self, body: Mapping[str, Any], name: str, where: str) -> bool:
        value = body.get(name, _CAMERA[name])
        if not isinstance(value, bool):
            self.problems.append(Problem(f"{where}.{name}", "flag", "must be yes or no"))
        return value is True

    def polygons(self, value: Any, key: str) -> tuple[Polygon, ...]:
        texts = value if isinstance(value, list) else [None]
        read = [rules.corners_in(each) if isinstance(each, str) else None for each in texts]
        if None in read:
            words = "corners like 0,0 0.3,0 0.3,0.4, three or more, 0 to 1"
            self.problems.append(Problem(key, "corners", words))
        return tuple(each for each in read if each)

    def zones(self, value: Any, where: str) -> tuple[NamedZone, ...]:
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.problems.append(Problem(f"{where}.zones", "text", "must be a list of named parts"))
            return ()
        zones = []
        for each in value:
            areas = self.polygons([each.get("area")], f"{where}.zones")
            zones += [NamedZone(self.text(each, "name", f"{where}.zones"), area) for area in areas]
        return tuple(zones)


def _not_a_number(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")

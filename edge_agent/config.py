"""The agent's settings: one YAML file, typed, read once; deploy/edge/agent.example.yaml explains each key."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.ids import CameraId, is_slug
from edge_agent.core.geometry import Polygon
from edge_agent.core.packs import CATALOGUE
from edge_agent.yaml_settings import Section, open_yaml

INSIGHTFACE_ADDON = "insightface"  # stands for the liveness model where insightface keeps it


# How a camera may be decoded: on the processor; by a device that PyAV knows; by the decoder of small boards;
# by an ffmpeg program beside us, with the video hardware of Intel and AMD (VAAPI) or without.
DECODERS = ("software", "cuda", "qsv", "drm", "v4l2", "vaapi", "ffmpeg")


def shown_address(url: str) -> str:
    """Return where a stream is, and nothing else: cameras take passwords as user, path and query."""
    if "://" not in url or url.lower().startswith("file:"):
        return url
    scheme, _, rest = url.partition("://")
    place = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return f"{scheme}://{place}/…" if place != rest else f"{scheme}://{place}"


@dataclass(frozen=True, slots=True)
class NamedZone:
    """A part of a camera's picture that has a name of its own."""

    name: str
    polygon: Polygon  # corners, 0..1 of the picture's width and height


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
    search_px: int | None = None  # longer side at which the whole picture is searched; None: the model's own
    mask: tuple[Polygon, ...] = ()  # painted over before anything looks at the picture
    watch: tuple[Polygon, ...] = ()  # only faces in there count; empty: everywhere
    zones: tuple[
        NamedZone, ...
    ] = ()  # parts of the picture; the first that a face is in goes with its events

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


AUTO_PROVIDERS = ("cuda", "openvino-gpu", "openvino-cpu", "coreml")  # tried in this order
PROVIDERS = (*AUTO_PROVIDERS, "cpu")


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """What runs the models, and in how many threads. The processor stands in for whatever cannot be used."""

    providers: tuple[str, ...] = ()  # the first that passes its self-test; empty: the agent chooses
    threads: int = 1  # of one run; cameras are what runs in parallel
    workers: int | None = None  # runs at once; None: the processors of this process


@dataclass(frozen=True, slots=True)
class SnapshotConfig:
    enabled: bool = True
    days: int = 30  # a crop that could not be uploaded is deleted after so long


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    max_mb: int = 1000
    max_days: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeConfig:
    home: Path  # identity, spool, gallery and crops; only the agent's user may read it
    cameras: tuple[CameraConfig, ...]
    models: Path | None = None  # a pack's folder, or the bare name of a known pack; None: look for one
    allow_dlib: bool = True
    allow_download: bool = True
    execution: ExecutionConfig = ExecutionConfig()
    ignore_dir: Path | None = None  # photos of faces to ignore; None: `ignore` below home
    still_every_s: float = 30.0
    heartbeat_s: float = 15.0
    log_level: str = "INFO"
    snapshots: SnapshotConfig = SnapshotConfig()
    match: MatchOverrides = MatchOverrides()
    spool: SpoolConfig = SpoolConfig()
    liveness: tuple[str, ...] = ()  # ONNX files, or INSIGHTFACE_ADDON; empty: off


def read_edge_config(path: Path, environment: Mapping[str, str] | None = None) -> EdgeConfig:
    """Return the settings, or raise SettingsError naming every mistake with its line."""
    top = open_yaml(path, environment)
    home = top.path("home", default=Path("/var/lib/hadir-agent"))
    engine = top.section("engine")
    config = EdgeConfig(
        home=home or Path(),
        models=_models(top),
        ignore_dir=top.path("ignore_dir"),
        allow_dlib=engine.flag("allow_dlib", default=True),
        allow_download=engine.flag("allow_download", default=True),
        execution=_execution(engine),
        still_every_s=top.number("still_every_s", default=30, low=1, high=300),
        heartbeat_s=top.number("heartbeat_s", default=15, low=1, high=300),
        log_level=top.choice("log_level", default="INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")),
        snapshots=_snapshots(top.section("snapshots")),
        match=_match(top.section("match")),
        spool=_spool(top.section("spool")),
        liveness=_liveness(top.section("liveness")),
        cameras=tuple(_camera(each) for each in top.sections("cameras", "a camera")),
    )
    engine.finish()
    top.finish()
    _check_cameras(top, config.cameras)
    top.file.raise_problems()
    return config


def _models(top: Section) -> Path | None:
    """Return the pack's folder; the name of a known pack stays a name, unless a folder is called so here."""
    path, here = top.path("models"), top.file.path.parent.resolve()
    if path is not None and path.parent == here and path.name in CATALOGUE and not path.is_dir():
        return Path(path.name)
    return path


def _execution(engine: Section) -> ExecutionConfig:
    workers = engine.whole("workers", default=0, low=1, high=256)
    return ExecutionConfig(
        providers=engine.choices("providers", default="auto", among=PROVIDERS),
        threads=engine.whole("threads", default=1, low=1, high=256),
        workers=workers or None,
    )


def _snapshots(section: Section) -> SnapshotConfig:
    snapshots = SnapshotConfig(
        enabled=section.flag("enabled", default=True), days=section.whole("days", default=30, low=1, high=30)
    )
    section.finish()
    return snapshots


def _match(section: Section) -> MatchOverrides:
    overrides = MatchOverrides(
        threshold=section.maybe_number("threshold", low=-1, high=1),
        margin=section.maybe_number("margin", low=0, high=1),
    )
    section.finish()
    return overrides


def _spool(section: Section) -> SpoolConfig:
    spool = SpoolConfig(
        max_mb=section.whole("max_mb", default=1000, low=1, high=100_000),
        max_days=section.number("max_days", default=30, low=0.01, high=366),
    )
    section.finish()
    return spool


def _liveness(section: Section) -> tuple[str, ...]:
    """Return what the looks are to be judged by; nothing when that is off."""
    mode = section.choice("mode", default="off", among=("off", "observe"))
    models = section.texts("models")
    section.finish()
    if mode == "observe" and not models:
        section.complain("models", "liveness needs models, a list of ONNX files, or mode: off")
    folder = section.file.path.parent
    located = (
        each if each == INSIGHTFACE_ADDON else str((folder / Path(each).expanduser()).resolve())
        for each in models
    )
    return tuple(located) if mode == "observe" else ()


def _camera(section: Section) -> CameraConfig:
    camera_id = section.text("camera_id")
    if camera_id and not is_slug(camera_id):
        section.complain("camera_id", f"camera_id {camera_id!r} may hold only a-z, 0-9 and '-', at most 32")
    camera = CameraConfig(
        camera_id=CameraId(camera_id),
        name=section.text("name", default=camera_id),
        url=_url(section),
        sub_url=_sub_url(section),
        zone=section.text("zone", default=""),
        sample_fps=section.number("sample_fps", default=5, low=0.2, high=30),
        loop=section.flag("loop", default=False),
        loop_anchor_s=section.maybe_number("loop_anchor_s", low=0, high=1e11),
        decode=section.choice("decode", default="software", among=DECODERS),
        rests=section.flag("rests", default=True),
        search_px=_search_px(section),
        mask=section.polygons("mask"),
        watch=section.polygons("watch"),
        zones=tuple(_zone(each) for each in section.sections("zones", "a zone")),
        min_face_px=section.whole("min_face_px", default=32, low=16, high=1000),
        open_timeout_s=section.number("open_timeout_s", default=4, low=0.5, high=60),
        read_timeout_s=section.number("read_timeout_s", default=3, low=0.5, high=60),
    )
    section.finish()
    return camera


def _search_px(section: Section) -> int | None:
    if (asked := section.maybe_number("search_px", low=160, high=3840)) is None:
        return None
    if asked % 32:
        section.complain("search_px", f"search_px must be a multiple of 32, not {asked:g}")
    return int(asked)


def _zone(section: Section) -> NamedZone:
    name, polygons = section.text("name"), section.polygons("area")
    if len(polygons) != 1:
        section.complain("area", "a zone needs area, a list of one polygon")
    section.finish()
    return NamedZone(name, polygons[0] if polygons else ())


def _url(section: Section) -> str:
    kept_in = section.path("url_file")
    url = section.text("url", default="")
    if kept_in and url:
        section.complain("url_file", "give url or url_file, not both")
    if kept_in:
        return _url_in(section, kept_in)
    if not url:
        section.complain("url", "a camera needs url (rtsp://…, a file, webcam:0) or url_file")
    _check_address(section, "url", url)
    return _located(section, url)


def _sub_url(section: Section) -> str:
    url = section.text("sub_url", default="")
    if url and "://" not in url:
        section.complain("sub_url", "sub_url must be a stream, rtsp://…")
    _check_address(section, "sub_url", url)
    return url


def _check_address(section: Section, name: str, url: str) -> None:
    """Complain of an address that cannot be read; never repeat it, there may be a password in it."""
    if url.startswith("webcam:") and not url.removeprefix("webcam:").isdigit():
        section.complain(name, f"{name}: a webcam is webcam: and its number, for example webcam:0")
    if "://" not in url or url.lower().startswith("file:"):
        return
    place, rest = re.fullmatch(r"([^/?#]*)(.*)", url.partition("://")[2], re.DOTALL).groups()  # type: ignore[union-attr]
    user, _, host = place.rpartition("@")
    is_odd = "@" in rest or "@" in user or user.count(":") > 1
    if is_odd or not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:\d{1,5})?", host):
        section.complain(
            name,
            f"{name} is not an address that can be read; in a user or password write @ as %40, : as %3A, "
            "/ as %2F, ? as %3F and # as %23",
        )


def _url_in(section: Section, path: Path) -> str:
    try:
        url = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        section.complain("url_file", f"url_file {path} cannot be read ({reason})")
        return ""
    if not url:
        section.complain("url_file", f"url_file {path} is empty")
    _check_address(section, "url_file", url)
    return url


def _located(section: Section, url: str) -> str:
    """Return url; a relative file is meant from the folder of the settings."""
    if not url or "://" in url or url.startswith("webcam:"):
        return url
    return str((section.file.path.parent / Path(url).expanduser()).resolve())


def _check_cameras(top: Section, cameras: tuple[CameraConfig, ...]) -> None:
    if not cameras and not (top.has("cameras") and top.file.problems):
        top.complain("cameras", "cameras needs at least one entry")
    names = [camera.camera_id for camera in cameras]
    for twice in sorted({name for name in names if name and names.count(name) > 1}):
        top.complain("cameras", f"camera_id {twice} is used by two cameras")

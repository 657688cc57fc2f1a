"""The agent's settings: one YAML file, typed, read once; deploy/edge/agent.example.yaml explains each key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from common.camera_settings import (
    DECODERS,
    NO_OVERRIDES,
    NUMBERS,
    SEARCH_STEP,
    CameraConfig,
    MatchOverrides,
    NamedZone,
    is_readable_address,
    is_webcam,
    shown_address,
)
from common.ids import CameraId, is_slug
from edge_agent.core.packs import CATALOGUE
from edge_agent.yaml_settings import Section, open_yaml

__all__ = ["DECODERS", "CameraConfig", "MatchOverrides", "NamedZone", "shown_address"]

HOME = Path("/var/lib/hadir-agent")
INSIGHTFACE_ADDON = "insightface"  # stands for the liveness model where insightface keeps it

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
    remote: bool = True  # may the dashboard configure the cameras?
    models: Path | None = None  # a pack's folder, or the bare name of a known pack; None: look for one
    allow_dlib: bool = True
    allow_download: bool = True
    execution: ExecutionConfig = ExecutionConfig()
    ignore_dir: Path | None = None  # photos of faces to ignore; None: `ignore` below home
    still_every_s: float = 30.0
    heartbeat_s: float = 15.0
    log_level: str = "INFO"
    snapshots: SnapshotConfig = SnapshotConfig()
    match: MatchOverrides = NO_OVERRIDES
    spool: SpoolConfig = SpoolConfig()
    liveness: tuple[str, ...] = ()  # ONNX files, or INSIGHTFACE_ADDON; empty: off


def read_edge_config(path: Path, environment: Mapping[str, str] | None = None) -> EdgeConfig:
    """Return the settings, or raise SettingsError naming every mistake with its line."""
    top = open_yaml(path, environment)
    home = top.path("home", default=HOME)
    engine = top.section("engine")
    config = EdgeConfig(
        home=home or Path(),
        remote=top.flag("remote", default=True),
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
    _check_cameras(top, config.cameras, may_be_none=config.remote)
    top.file.raise_problems()
    return config


def secrets_of(cameras: Iterable[CameraConfig]) -> tuple[str, ...]:
    """Return the passwords in the cameras' addresses, as they are and as they are written there."""
    urls = (url for camera in cameras for url in (camera.url, camera.sub_url) if "@" in url)
    written = [password for url in urls if (password := urlsplit(url).password)]
    return (*written, *(unquote(each) for each in written))


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
        threshold=section.maybe_number("threshold", **NUMBERS["threshold"]._asdict()),
        margin=section.maybe_number("margin", **NUMBERS["margin"]._asdict()),
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
        sample_fps=section.number("sample_fps", default=5, **NUMBERS["sample_fps"]._asdict()),
        loop=section.flag("loop", default=False),
        loop_anchor_s=section.maybe_number("loop_anchor_s", **NUMBERS["loop_anchor_s"]._asdict()),
        decode=section.choice("decode", default="software", among=DECODERS),
        rests=section.flag("rests", default=True),
        identify=section.flag("identify", default=True),
        search_px=_search_px(section),
        mask=section.polygons("mask"),
        watch=section.polygons("watch"),
        zones=tuple(_zone(each) for each in section.sections("zones", "a zone")),
        min_face_px=section.whole("min_face_px", default=32, **NUMBERS["min_face_px"]._asdict()),
        open_timeout_s=section.number("open_timeout_s", default=4, **NUMBERS["open_timeout_s"]._asdict()),
        read_timeout_s=section.number("read_timeout_s", default=3, **NUMBERS["read_timeout_s"]._asdict()),
    )
    section.finish()
    return camera


def _search_px(section: Section) -> int | None:
    if (asked := section.maybe_number("search_px", **NUMBERS["search_px"]._asdict())) is None:
        return None
    if asked % SEARCH_STEP:
        section.complain("search_px", f"search_px must be a multiple of {SEARCH_STEP}, not {asked:g}")
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
    if url.startswith("webcam:") and not is_webcam(url):
        section.complain(name, f"{name}: a webcam is webcam: and its number, for example webcam:0")
    if not is_readable_address(url):
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


def _check_cameras(top: Section, cameras: tuple[CameraConfig, ...], *, may_be_none: bool) -> None:
    is_left_out = may_be_none and not top.has("cameras")  # then they are configured on the dashboard
    if not cameras and not is_left_out and not (top.has("cameras") and top.file.problems):
        top.complain("cameras", "cameras needs at least one entry")
    names = [camera.camera_id for camera in cameras]
    for twice in sorted({name for name in names if name and names.count(name) > 1}):
        top.complain("cameras", f"camera_id {twice} is used by two cameras")

"""What the demo was asked to do."""

import argparse
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from edge_agent.core.packs import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    home: Path
    once: bool
    real_time: bool
    fresh: bool
    models: Path | None
    camera: str | None  # the URL of a camera of one's own; None: the virtual one
    loops: bool  # a file of one's own is played again and again
    people: Path | None
    port: int | None  # None: 8080, or another one where that is taken

    @property
    def unseen_after_s(self) -> int:
        return 300 if self.real_time else 20


def parse(arguments: list[str]) -> DemoOptions:
    """Return the options; exits with a sentence when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="hadir demo", description="The whole of Hadir on this machine, on real faces. Ctrl-C stops it."
    )
    parser.add_argument(
        "--once", action="store_true", help="no one watching: check the story, print one JSON line"
    )
    parser.add_argument(
        "--real-time", action="store_true", help="keep the five minutes (the demo shortens to 20 s)"
    )
    parser.add_argument(
        "--models", type=Path, default=_folder_from("HADIR_MODELS"), help="an InsightFace pack, or its name"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", type=Path, help="play this file instead of the virtual camera, in a loop")
    source.add_argument("--rtsp", help="watch this camera, e.g. rtsp://user:password@192.168.1.64/stream1")
    source.add_argument("--webcam", type=int, help="watch this machine's webcam, usually 0")
    parser.add_argument("--people", type=Path, help="whom to enrol: one folder a person, photos inside")
    parser.add_argument("--port", type=_port, help="of the dashboard (default 8080, or a free one)")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier demos stored")
    given = parser.parse_args(arguments)
    for name in ("models", "people"):
        folder = getattr(given, name)
        is_pack_name = name == "models" and str(folder) in CATALOGUE
        if folder is not None and not folder.is_dir() and not is_pack_name:
            parser.error(f"--{name}: there is no folder {folder}")
    if given.video is not None and not given.video.is_file():
        parser.error(f"--video: there is no file {given.video}")
    kept = Path(os.environ.get("HADIR_DEMO_HOME") or ROOT / "var")
    return DemoOptions(
        home=(kept / _home_name(given)).resolve(),
        once=given.once,
        real_time=given.real_time,
        fresh=given.fresh or given.once,
        models=given.models.resolve() if given.models and given.models.is_dir() else given.models,
        camera=_camera(given),
        loops=given.video is not None,
        people=given.people.resolve() if given.people else None,
        port=given.port,
    )


def _home_name(given: argparse.Namespace) -> str:
    """Return where this demo keeps its things: people of one's own never meet the demo's cast."""
    name = "demo-once" if given.once else "demo"
    if given.people is not None:
        return f"{name}-people-{hashlib.sha256(str(given.people.resolve()).encode()).hexdigest()[:8]}"
    return name if _camera(given) is None else f"{name}-camera"


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to 65535")
    return int(text)


def _folder_from(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser() if value else None


def _camera(given: argparse.Namespace) -> str | None:
    if given.video is not None:
        return str(given.video.resolve())
    if given.webcam is not None:
        return f"webcam:{given.webcam}"
    return given.rtsp

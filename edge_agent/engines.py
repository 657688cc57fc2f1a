"""Which recogniser this machine uses: chosen once, in a fixed order, and said aloud with the reason."""

import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from edge_agent.adapters import model_packs
from edge_agent.adapters.model_packs import PackError
from edge_agent.config import INSIGHTFACE_ADDON
from edge_agent.liveness import LivenessWatch
from edge_agent.ports import FaceAnalyser

Say = Callable[[str], None]
ROOT = Path(__file__).resolve().parents[1]
NOT_FOR_BUSINESS = "its weights are for non-commercial research only"


class NoEngineError(Exception):
    """No recogniser can be had; the message says what was tried and why it failed."""


class NoLivenessError(Exception):
    """A liveness model that was asked for cannot be used; the message says which and why."""


class InstallError(Exception):
    """The dlib packages cannot be installed."""


def choose_engine(
    models: Path | None,
    *,
    allow_dlib: bool,
    allow_download: bool,
    say: Say,
    folder: Path | None = None,
    base_url: str = model_packs.BASE_URL,
    install: Callable[[Say], None] | None = None,
) -> FaceAnalyser:
    """Return the recogniser: the pack that was given, else one found, else one fetched, else dlib.

    models falls back on HADIR_MODELS; folder is where packs are kept (~/.insightface/models); install
    brings the dlib packages. A pack that was asked for is used or fails: nothing stands in for it.
    Raises NoEngineError.
    """
    cv2.setNumThreads(1)  # cameras are what runs in parallel
    folder = folder or model_packs.packs_folder()
    given = models or (Path(os.environ["HADIR_MODELS"]) if os.environ.get("HADIR_MODELS") else None)
    if given is not None:
        return _insightface(given, "it was given", say)
    tried: list[str] = []
    if found := _found(folder, tried, say):
        return found
    if allow_download and model_packs.installed_pack(folder) is None:
        try:
            return _insightface(_downloaded(folder, base_url, say), "just downloaded", say)
        except PackError as error:
            tried.append(f"it cannot be downloaded: {error}")
    if allow_dlib:
        try:
            return _dlib(say, "; ".join(tried), install or install_dlib)
        except InstallError as error:
            tried.append(f"dlib cannot be installed: {error}")
    raise NoEngineError("There is no recogniser: " + "; ".join(tried) + ". Give a pack with --models.")


def choose_liveness(models: Sequence[str], *, say: Say, folder: Path | None = None) -> LivenessWatch | None:
    """Return what judges liveness by these ONNX files (or INSIGHTFACE_ADDON); None without any.

    folder is where packs are kept; insightface keeps its addons beside it. Raises NoLivenessError.
    """
    if not models:
        return None
    from edge_agent.adapters.liveness import LivenessModelError, load_liveness

    addon = (folder or model_packs.packs_folder()).parent / "addons" / "liveness.onnx"
    try:
        checker = load_liveness([addon if each == INSIGHTFACE_ADDON else Path(each) for each in models])
    except LivenessModelError as error:
        raise NoLivenessError(f"Liveness cannot be observed: {error}.") from error
    say(f"Liveness is observed with {' and '.join(checker.names)}; it decides nothing.")
    return LivenessWatch(checker)


def _found(folder: Path, tried: list[str], say: Say) -> FaceAnalyser | None:
    """Return the engine of the installed pack; note in tried why there is none."""
    pack = model_packs.installed_pack(folder)
    if pack is None:
        tried.append(f"no {model_packs.PACK} in {folder}")
        return None
    known = "" if model_packs.is_known(pack) else ", though its files are not those that we know"
    try:
        return _insightface(pack, "it is installed" + known, say)
    except NoEngineError as error:
        say(str(error))
        tried.append(f"the pack {pack} does not load")
        return None


def _insightface(pack: Path, reason: str, say: Say) -> FaceAnalyser:
    from edge_agent.adapters.face_analyser import InsightFaceAnalyser, ModelPackError

    if not pack.is_dir():
        raise NoEngineError(f"There is no model pack {pack}.")
    try:
        analyser = InsightFaceAnalyser(pack)
    except ModelPackError as error:
        raise NoEngineError(f"The model pack cannot be used: {error}.") from error
    say(f"Recogniser: InsightFace, pack {pack.name} ({reason}; {NOT_FOR_BUSINESS}).")
    return analyser


def _downloaded(folder: Path, base_url: str, say: Say) -> Path:
    say(f"Downloading InsightFace's {model_packs.PACK} (15 MB) …")
    told = -1

    def progress(done: int, total: int | None) -> None:
        nonlocal told
        tenth = 10 * done // total if total else -1
        if tenth > told:
            told = tenth
            say(f"  [{'#' * tenth}{'.' * (10 - tenth)}] {done / 1e6:4.1f} of {(total or 0) / 1e6:.1f} MB")

    return model_packs.download_pack(folder, progress, base_url=base_url)


def _dlib(say: Say, reason: str, install: Callable[[Say], None]) -> FaceAnalyser:
    if not _has_dlib():
        install(say)
        importlib.invalidate_caches()
    try:
        from edge_agent.adapters.face_analyser_dlib import DlibAnalyser, DlibWeightsError
    except ImportError as error:
        raise InstallError(f"it does not load ({error})") from error
    try:
        analyser = DlibAnalyser()
    except DlibWeightsError as error:
        raise InstallError(str(error)) from error
    say(f"Recogniser: dlib. There is {reason}.")
    return analyser


def _has_dlib() -> bool:
    return all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models"))


def install_dlib(say: Say) -> None:
    """Install the pinned dlib packages into the running interpreter. Raises InstallError."""
    say("Installing the dlib recogniser (about 100 MB) from the package index …")
    requirements = ["--require-hashes", "--no-deps", "-r", "requirements-dlib.txt"]
    if uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--python", sys.executable, *requirements]
    else:
        command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", *requirements]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise InstallError(lines[-1].strip() if lines else f"pip ended with {done.returncode}")

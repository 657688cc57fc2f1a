"""Which recogniser this machine uses: chosen once, in a fixed order, and said aloud with the reason."""

from collections.abc import Callable
from pathlib import Path

import cv2

from edge_agent.ports import FaceAnalyser as FaceAnalyser  # part of this module's interface

Say = Callable[[str], None]
REQUIREMENTS = Path(__file__).parents[1] / "requirements-dlib.txt"


class NoEngineError(Exception):
    """No recogniser can be had; the message says what was tried."""


def choose_engine(
    models: Path | None,
    *,
    allow_dlib: bool,
    allow_download: bool,
    say: Say,
) -> FaceAnalyser:
    from edge_agent.adapters.face_analyser import InsightFaceAnalyser

    cv2.setNumThreads(1)
    if models is not None:
        say(f"recogniser: InsightFace pack {models} (given)")
        return InsightFaceAnalyser(models)
    from edge_agent.adapters.face_analyser_dlib import DlibAnalyser

    return DlibAnalyser()

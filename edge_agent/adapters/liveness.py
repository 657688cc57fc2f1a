"""Liveness models on the CPU: MiniFASNet (Silent-Face-Anti-Spoofing) and insightface's own addon.

Which of the two a file is, the file itself tells: MiniFASNet answers with three logits, the addon with one
probability. One thread a session and no spinning, for the reasons in face_analyser.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime

from edge_agent.core.geometry import Detection
from edge_agent.core.liveness import live_probability, mean_score, patch_around, scale_in
from edge_agent.picture import Picture

ADDON_AROUND = 5.0  # times the face box: insightface's upright crop lies within, however the head is tilted


class LivenessModelError(Exception):
    """A liveness model cannot be used; the message says which file and why."""


class LivenessModel(Protocol):
    name: str

    def score(self, picture: Picture, face: Detection) -> float | None:
        """Return how alive the face looks, 0..1; None where that cannot be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class MiniFASNet:
    """Looks at a face and what is around it: 80 × 80, BGR 0..255; of its three classes the second is live."""

    name: str
    session: Any  # onnxruntime.InferenceSession
    scale: float  # of what is looked at, in face boxes

    def score(self, picture: Picture, face: Detection) -> float | None:
        patch = patch_around(face.box, self.scale, picture.width, picture.height)
        return None if patch is None else self.score_of(picture.cut(patch).image)

    def score_of(self, patch: np.ndarray) -> float:
        """Return the score of an h × w × 3 BGR patch; NaN when the model's answer makes no sense."""
        given = self.session.get_inputs()[0]
        # Linear without averaging, also when it shrinks: what the model was trained on.
        small = cv2.resize(patch, (given.shape[3], given.shape[2]), interpolation=cv2.INTER_LINEAR)
        tensor = np.ascontiguousarray(small.transpose(2, 0, 1)[None], np.float32)
        return live_probability(self.session.run(None, {given.name: tensor})[0][0])


@dataclass(frozen=True, slots=True, eq=False)
class InsightFaceAddon:
    """insightface's liveness addon: upright by the landmarks; not judged where much is cut off."""

    name: str
    addon: Any  # insightface.addons.liveness.Liveness

    def score(self, picture: Picture, face: Detection) -> float | None:
        cut = picture.cut(face.box.grown(ADDON_AROUND))
        found = self.addon.predict(cut.image, cut.to_cut(face.landmarks))
        return None if found["live_score"] is None else float(found["live_score"])


class AveragedLiveness:
    """One or several models behind the LivenessChecker interface: the mean of what they say."""

    def __init__(self, models: Sequence[LivenessModel]) -> None:
        self.models = tuple(models)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.models)

    def liveness(self, picture: Picture, faces: Sequence[Detection]) -> list[float | None]:
        return [mean_score([model.score(picture, face) for model in self.models]) for face in faces]


def _session_options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def load_liveness(files: Sequence[Path]) -> AveragedLiveness:
    """Return the models of the files, each tried once. Raises LivenessModelError."""
    return AveragedLiveness([_load(file) for file in files])


def _load(file: Path) -> LivenessModel:
    if not file.is_file():
        raise LivenessModelError(f"there is no file {file}")
    try:
        session = onnxruntime.InferenceSession(
            str(file), _session_options(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises many kinds of its own
        raise LivenessModelError(f"{file} is not a usable ONNX model") from error
    given, answer = session.get_inputs(), session.get_outputs()
    if len(given) == len(answer) == 1 and len(given[0].shape) == 4 and given[0].shape[1] == 3:
        if len(answer[0].shape) == 1:
            return _addon(file, session)
        if len(answer[0].shape) == 2 and answer[0].shape[1] == 3:
            return _minifasnet(file, session)
    raise LivenessModelError(f"{file} is neither a MiniFASNet nor insightface's liveness model")


def _minifasnet(file: Path, session: Any) -> MiniFASNet:
    scale = scale_in(file.name)
    if scale is None:
        raise LivenessModelError(
            f"the name of {file} does not begin as MiniFASNet's do, such as 2.7_80x80_ or 4_0_0_80x80_"
        )
    model = MiniFASNet(file.name, session, scale)
    try:
        is_sound = math.isfinite(model.score_of(np.full((80, 80, 3), 127, np.uint8)))
    except Exception as error:  # a shape or type that it does not take
        raise LivenessModelError(f"{file} does not work: {error}") from error
    if not is_sound:
        raise LivenessModelError(f"{file} does not work: its answer is not a number")
    return model


def _addon(file: Path, session: Any) -> InsightFaceAddon:
    from insightface.addons.liveness import Liveness  # brings much with it; only for who uses it

    try:
        return InsightFaceAddon(file.name, Liveness(str(file), session=session))
    except Exception as error:
        raise LivenessModelError(f"{file} does not work: {error}") from error

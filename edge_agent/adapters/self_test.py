"""Does a runtime compute what the model means? Asked at every start, with pictures that anybody can draw.

A provider can load a model, run it, and answer nonsense (OpenVINO with changing shapes did, on some graphics
chips). So the chosen one is compared with the processor's own answers, and the processor with numbers written
down here. The pictures are whole-number arithmetic: every machine draws the same ones, and they are nobody.

To add a recogniser to GOLDEN, print `golden_of(analyser.embed(drawn_crops(112)))` on a machine you trust.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

CROPS = 4
GOLDEN_VALUES = 4  # kept of each crop's embedding
LEAST_SIMILARITY = 0.999  # of a crop's embedding to the processor's
MOST_SCORE_GAP = 0.02  # between detector scores, 0..1
MOST_BOX_GAP = 0.1  # between sides and landmarks of the surest faces, in cells of the detector's grid
MOST_GOLDEN_GAP = 0.01  # a value of a unit embedding; other processors differ by a millionth
SCENES = ((640, 384), (256, 256))  # a whole picture and a region of one, width × height
SUREST = 8  # anchors of which the boxes are compared
TIMED_RUNS = 5

# SHA-256 of a recogniser's file -> the first values of each drawn crop's unit embedding
GOLDEN: dict[str, tuple[float, ...]] = {
    # MobileFaceNet "y1" (ArcFace, 128 values), converted: the recogniser of the test pack field_sc
    "8777eb79d0ef670a7b6b06a6c56d0e8230e5bad20a73b869e1ed970dca7b9db0": (
        *(-0.0254, -0.168, -0.0345, 0.0849),
        *(-0.0404, -0.2041, -0.0174, 0.0925),
        *(-0.1162, -0.213, -0.0086, 0.1375),
        *(-0.0324, -0.1784, -0.0071, 0.0951),
    ),
}

Embed = Callable[[list[np.ndarray]], np.ndarray]  # crops -> n × dimension unit rows
Search = Callable[[np.ndarray], list[np.ndarray]]  # picture -> the detector's raw outputs, scores first


@dataclass(frozen=True, slots=True)
class Answers:
    """What one runtime made of the drawn pictures."""

    embeddings: np.ndarray  # CROPS × dimension, unit rows
    outputs: tuple[list[np.ndarray], ...]  # one a scene: scores of all levels, then boxes, then landmarks


def answers_of(search: Search, embed: Embed, crop_px: int) -> Answers:
    """Run the drawn pictures through a detector and a recogniser."""
    return Answers(embed(drawn_crops(crop_px)), tuple(search(drawn_scene(*size)) for size in SCENES))


def disagreement(answers: Answers, right: Answers) -> str | None:
    """Return in words, with the number, where answers are too far from the right ones; None if nowhere."""
    similarity = float(np.min(np.sum(answers.embeddings * right.embeddings, axis=1)))
    if not similarity >= LEAST_SIMILARITY:  # written so that NaN is refused too
        return f"its embeddings are only {similarity:.4f} like the processor's, {LEAST_SIMILARITY} is needed"
    for (width, height), outputs, expected in zip(SCENES, answers.outputs, right.outputs, strict=True):
        score_gap, box_gap = _gaps(outputs, expected)
        where = f"on a picture of {width} × {height}"
        if not score_gap < MOST_SCORE_GAP:
            return f"{where} a face score is off by {score_gap:.3f}, less than {MOST_SCORE_GAP} is needed"
        if not box_gap < MOST_BOX_GAP:
            return f"{where} a face is off by {box_gap:.2f} cells, less than {MOST_BOX_GAP} is needed"
    return None


def _gaps(outputs: list[np.ndarray], right: list[np.ndarray]) -> tuple[float, float]:
    """Return the largest difference of any score, and of the places of the surest faces."""
    levels = len(right) // 3
    mine, theirs = ([_flat(part) for part in _parts(each, levels)] for each in (outputs, right))
    if any(a.shape != b.shape for a, b in zip(mine, theirs, strict=True)):
        return np.inf, np.inf
    surest = np.argsort(-theirs[0][:, 0], kind="stable")[:SUREST]
    places = max(float(np.abs(mine[part] - theirs[part])[surest].max()) for part in (1, 2))
    return float(np.abs(mine[0] - theirs[0]).max()), places


def _parts(outputs: list[np.ndarray], levels: int) -> list[list[np.ndarray]]:
    return [outputs[levels * part : levels * (part + 1)] for part in range(3)]


def _flat(levels: list[np.ndarray]) -> np.ndarray:
    return np.vstack([each.reshape(-1, each.shape[-1]) for each in levels])


def golden_of(embeddings: np.ndarray) -> tuple[float, ...]:
    """Return what is kept of the embeddings of the drawn crops."""
    return tuple(round(float(each), 4) for each in embeddings[:, :GOLDEN_VALUES].ravel())


def golden_gap(embeddings: np.ndarray, sha256: str) -> float:
    """Return the largest difference to the numbers written down for this file; 0 when there are none."""
    written = GOLDEN.get(sha256)
    if written is None:
        return 0.0
    return float(np.abs(embeddings[:, :GOLDEN_VALUES].ravel() - np.array(written)).max())


def cost_of(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the seconds, by clock, of the cheapest of a few runs: the one least disturbed by others."""
    seconds = []
    for _ in range(TIMED_RUNS):
        begun = clock()
        run()
        seconds.append(clock() - begun)
    return min(seconds)


def drawn_scene(width: int, height: int) -> np.ndarray:
    """Return a grey H × W × 3 uint8 picture with drawn faces of several sizes, as many as fit."""
    scene, left = np.full((height, width, 3), 128, np.uint8), 8
    for number, side in enumerate((64, 96, 128, 192)):
        if left + side + 8 <= width and side + 16 <= height:
            scene[16 : 16 + side, left : left + side] = drawn_face(number, side)
            left += side + 16
    return scene


def drawn_crops(side: int) -> list[np.ndarray]:
    """Return the upright faces that the recogniser is asked about, each side × side × 3 BGR uint8."""
    return [drawn_face(number, side) for number in range(CROPS)]


def drawn_face(number: int, side: int) -> np.ndarray:
    """Return a face out of ovals, lit from one side, with a grain; coloured, so that BGR is not RGB."""
    down, across = np.mgrid[0:side, 0:side].astype(np.int64)
    x, y = across * 112 // side, down * 112 // side

    def oval(middle_x: int, middle_y: int, wide: int, high: int) -> np.ndarray:
        return ((x - middle_x) * high) ** 2 + ((y - middle_y) * wide) ** 2 <= (wide * high) ** 2

    skin = np.array([(120, 150, 205), (90, 120, 170), (150, 180, 230), (70, 95, 140)][number % 4])
    hair = np.array([(30, 35, 45), (20, 20, 25), (50, 80, 120), (15, 15, 15)][number % 4])
    half = 36 + 2 * (number % 3)
    face = np.full((side, side, 3), (150, 120, 90), np.int64)
    face[oval(56, 50, half + 8, 56)] = hair
    face[oval(56, 64, half, 50)] = skin
    for eye in (38, 74):
        face[oval(eye, 43, 11, 2)] = hair
        face[oval(eye, 52, 8, 4)] = (235, 235, 235)
        face[oval(eye, 52, 4, 4)] = (40, 30, 25)
    face[oval(56, 66, 4, 10)] = skin * 9 // 10
    face[oval(50, 73, 3, 2) | oval(62, 73, 3, 2)] = skin // 2
    face[oval(56, 92, 15 - number % 4, 5)] = (80, 70, 170)
    face[oval(56, 92, 13 - number % 4, 1)] = (40, 30, 60)
    light = (x - 56) * (number % 5 - 2) // 5
    grain = ((across * 7919 + down * 104729 + number * 1299721) * 2654435761 >> 7) % 25 - 12
    return np.clip(face + (light + grain)[..., None], 0, 255).astype(np.uint8)

"""Small videos for tests, made with PyAV: a textured scene that wanders, or stands still for a while."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

NTSC = Fraction(30_000, 1001)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a video is made. `codec` is h264 or hevc."""

    codec: str = "h264"
    fps: Fraction | int = 15
    pictures: int = 45
    size: tuple[int, int] = (160, 96)
    pixels: str = "yuv420p"
    between: int = 0  # pictures between two others that are made of both (B-frames)
    keys_every: int = 15
    moves: Callable[[int], bool] = lambda number: True  # whether a picture differs from the one before
    is_refreshed_bit_by_bit: bool = False  # H.264 without whole key frames
    more: str = ""  # of x265's own options


def scene_at(number: int, size: tuple[int, int] = (160, 96), seed: int = 1) -> np.ndarray:
    """Return the scene after so many moves, BGR: two textures that slide past one another."""
    rough = np.random.default_rng(seed).integers(0, 256, (2, size[1], size[0], 3), dtype=np.uint8)
    fine, coarse = (
        cv2.normalize(cv2.GaussianBlur(layer, (0, 0), blur), None, 0, 127, cv2.NORM_MINMAX)
        for layer, blur in zip(rough, (3, 12), strict=True)
    )
    return np.roll(fine, (2 * number, 3 * number), (0, 1)) + np.roll(coarse, (-number, -5 * number), (0, 1))


def make_video(path: Path, recipe: Recipe = Recipe()) -> Path:
    """Write a video; the ending of path says how it is wrapped."""
    with av.open(str(path), "w") as container:
        encoder = "libx264" if recipe.codec == "h264" else "libx265"
        stream = container.add_stream(encoder, rate=recipe.fps)
        stream.width, stream.height = recipe.size
        stream.pix_fmt, stream.options = recipe.pixels, _options(recipe)
        moved = 0
        for number in range(recipe.pictures):
            moved += recipe.moves(number)
            frame = av.VideoFrame.from_ndarray(scene_at(moved, recipe.size), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _options(recipe: Recipe) -> dict[str, str]:
    keys, between = recipe.keys_every, recipe.between
    if recipe.codec == "h264":
        return {
            "preset": "veryfast", "threads": "1", "sc_threshold": "0", "b_strategy": "0",
            "g": str(keys), "keyint_min": str(keys), "bf": str(between),
            "intra-refresh": str(int(recipe.is_refreshed_bit_by_bit)),
        }  # fmt: skip
    quiet = f"log-level=none:pools=none:frame-threads=1:scenecut=0:open-gop=0:b-adapt=0:{recipe.more}"
    return {
        "preset": "ultrafast",
        "x265-params": f"{quiet}:keyint={keys}:min-keyint={keys}:bframes={between}".replace("::", ":"),
    }

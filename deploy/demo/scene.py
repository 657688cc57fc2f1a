"""The virtual camera: a CCTV-like clip made from the group photograph inside the insightface package.

Six real faces, cut out of `insightface.data.get_image("t1")`, on drawn bodies in a drawn room, with the noise
of a cheap sensor. The photograph itself stays in that package: nothing of it is in this repository.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from deploy.demo.story import Pose, Story

WIDTH, HEIGHT = 1280, 720

# Boxes (x, y, width, height) of the six faces in the photograph, as SCRFD finds them.
FACES = (
    (467, 265, 105, 151),
    (269, 147, 100, 121),
    (745, 343, 101, 137),
    (906, 55, 106, 152),
    (1132, 267, 93, 133),
    (57, 260, 112, 137),
)
SHIRTS = ((96, 66, 46), (70, 92, 60), (48, 52, 120), (120, 110, 92), (60, 48, 96), (84, 84, 84))  # BGR
PLACES = (150, 345, 540, 735, 930, 1125)  # x of each person's place
HEAD_Y, LANE_Y = 250, 430  # the row where people stay, and the lane in front of it where they walk


@dataclass(frozen=True, slots=True)
class Actor:
    """A cut-out head with its soft mask; `image` is BGR, `alpha` 0..1, both H×W."""

    image: np.ndarray
    alpha: np.ndarray
    shirt: tuple[int, int, int]


def group_photograph() -> np.ndarray:
    from insightface.data import get_image

    return get_image("t1")


def portrait(photograph: np.ndarray, person: int) -> np.ndarray:
    """Return an enrolment photo of one of the six: the face with half its size around it."""
    x, y, width, height = FACES[person]
    margin_x, margin_y = int(width * 0.5), int(height * 0.35)
    top, left = max(0, y - margin_y), max(0, x - margin_x)
    crop = photograph[top : y + height + margin_y, left : x + width + margin_x]
    return cv2.resize(crop, None, fx=1.6, fy=1.6, interpolation=cv2.INTER_CUBIC)


def actors(photograph: np.ndarray) -> tuple[Actor, ...]:
    return tuple(_cut_out(photograph, face, shirt) for face, shirt in zip(FACES, SHIRTS, strict=True))


def _cut_out(photograph: np.ndarray, face: tuple[int, int, int, int], shirt: tuple[int, int, int]) -> Actor:
    x, y, width, height = face
    left, top = max(0, x - int(width * 0.45)), max(0, y - int(height * 0.42))
    right, bottom = min(photograph.shape[1], x + int(width * 1.45)), y + int(height * 1.16)
    crop = photograph[top:bottom, left:right]
    centre = (x + width // 2 - left, y + int(height * 0.45) - top)
    probable = np.full(crop.shape[:2], cv2.GC_BGD, np.uint8)
    cv2.ellipse(probable, centre, (int(width * 0.74), int(height * 0.80)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.ellipse(probable, centre, (int(width * 0.48), int(height * 0.56)), 0, 0, 360, cv2.GC_FGD, -1)
    cv2.setRNGSeed(7)  # the same cut on every machine
    cv2.grabCut(crop, probable, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    alpha = np.isin(probable, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    alpha = cv2.GaussianBlur(cv2.morphologyEx(alpha, cv2.MORPH_OPEN, np.ones((5, 5))), (0, 0), 2.2)
    fade = np.clip(np.linspace(height * 1.58, 0, alpha.shape[0]) / (height * 0.22), 0, 1)
    alpha *= fade.astype(np.float32)[:, None]  # the neck melts into the collar
    size = 118 / width  # every face about 118 pixels wide in the picture
    return Actor(
        cv2.resize(crop, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC),
        cv2.resize(alpha, None, fx=size, fy=size),
        shirt,
    )


def room() -> np.ndarray:
    """Return the empty room: a wall with a window and a door, a floor, a skirting board."""
    wall = np.linspace(196, 150, HEIGHT, dtype=np.float32)[:, None, None] * np.array(
        [0.86, 0.95, 1.0], np.float32
    )
    picture = np.repeat(wall, WIDTH, axis=1).astype(np.uint8)
    cv2.rectangle(picture, (0, 610), (WIDTH, HEIGHT), (92, 104, 116), -1)
    cv2.rectangle(picture, (0, 600), (WIDTH, 612), (120, 128, 136), -1)
    cv2.rectangle(picture, (70, 60), (330, 210), (222, 214, 196), -1)
    for x in (70, 156, 243, 330):
        cv2.line(picture, (x, 60), (x, 210), (140, 140, 140), 4)
    cv2.rectangle(picture, (70, 60), (330, 210), (140, 140, 140), 6)
    cv2.rectangle(picture, (1010, 70), (1230, 606), (110, 122, 138), -1)
    cv2.rectangle(picture, (1010, 70), (1230, 606), (88, 96, 108), 6)
    cv2.circle(picture, (1036, 350), 9, (60, 66, 72), -1)
    cv2.rectangle(picture, (560, 70), (760, 190), (168, 160, 150), -1)
    cv2.rectangle(picture, (560, 70), (760, 190), (120, 120, 120), 5)
    return cv2.GaussianBlur(picture, (0, 0), 1.6)


def frames(story: Story, cast: tuple[Actor, ...], fps: int) -> Iterator[np.ndarray]:
    """Yield the clip, picture by picture (HEIGHT×WIDTH×3 BGR)."""
    background, chance = room(), np.random.default_rng(1995)
    grain = [chance.normal(0, 4, (HEIGHT, WIDTH, 1)).astype(np.int16) for _ in range(6)]
    for index in range(int(story.length_s * fps)):
        second = index / fps
        picture = background.copy()
        present = [(person, pose) for person in range(len(cast)) if (pose := story.pose(person, second))]
        for person, pose in sorted(present, key=lambda each: each[1].is_walking):
            _draw(picture, cast[person], _place(person, pose, second))
        cv2.putText(picture, "CAM 1  ENTRANCE", (24, 700), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (240, 240, 240), 2)
        yield np.clip(picture + grain[int(chance.integers(len(grain)))], 0, 255).astype(np.uint8)


def _place(person: int, pose: Pose, second: float) -> tuple[float, float, float]:
    """Return x and y of the head's centre, and its size."""
    outside = -160.0 if person % 2 == 0 else WIDTH + 160.0
    x = outside + (PLACES[person] - outside) * pose.arrival
    step_back = max(0.0, (pose.arrival - 0.72) / 0.28)  # the last steps lead from the lane to one's place
    y = LANE_Y + (HEAD_Y - LANE_Y) * step_back
    sway = second * 1.3 + person
    bob = 5 * np.sin(second * 11) if pose.is_walking else 2 * np.sin(sway * 1.7)
    return x + 4 * np.sin(sway), y + bob, 1.12 - 0.12 * step_back + 0.01 * np.sin(sway)


def _draw(picture: np.ndarray, actor: Actor, place: tuple[float, float, float]) -> None:
    x, y, size = place
    _body(picture, int(x), int(y), size, actor.shirt)
    image = cv2.resize(actor.image, None, fx=size, fy=size)
    alpha = cv2.resize(actor.alpha, None, fx=size, fy=size)[..., None]
    height, width = image.shape[:2]
    left, top = int(x - width / 2), int(y - height / 2)
    x0, x1, y0, y1 = max(0, left), min(WIDTH, left + width), max(0, top), min(HEIGHT, top + height)
    if x0 >= x1 or y0 >= y1:
        return
    part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = (image[part] * alpha[part] + under * (1 - alpha[part])).astype(np.uint8)


def _body(picture: np.ndarray, x: int, y: int, size: float, shirt: tuple[int, int, int]) -> None:
    def at(across: float, down: float) -> tuple[int, int]:
        return x + int(across * size), y + int(down * size)

    dark = tuple(int(value * 0.72) for value in shirt)
    skin = (128, 158, 204)
    cv2.rectangle(picture, at(-26, 40), at(26, 112), skin, -1)
    slope = [
        at(-24, 84),
        at(-84, 118),
        at(-112, 160),
        at(-118, 640),
        at(118, 640),
        at(112, 160),
        at(84, 118),
        at(24, 84),
    ]
    cv2.fillPoly(picture, [np.array([*slope, at(0, 118)])], shirt, cv2.LINE_AA)
    for side in (-1, 1):
        cv2.polylines(
            picture,
            [np.array([at(side * 24, 84), at(side * 10, 122), at(0, 118)])],
            False,
            dark,
            3,
            cv2.LINE_AA,
        )
        cv2.polylines(
            picture, [np.array([at(side * 78, 190), at(side * 84, 640)])], False, dark, 3, cv2.LINE_AA
        )
    cv2.line(picture, at(0, 118), at(0, 640), dark, 2, cv2.LINE_AA)


def write_clip(path: Path, story: Story, fps: int, progress: Callable[[float], None]) -> None:
    """Write the story as a video file; progress is told the share done, 0..1. Raises OSError if it cannot."""
    partial = path.with_suffix(".partial.mp4")
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(partial), cv2.VideoWriter_fourcc(*"mp4v"), fps, (WIDTH, HEIGHT))
    if not writer.isOpened():
        raise OSError(f"cannot write a video to {partial}")
    total = int(story.length_s * fps)
    for index, picture in enumerate(frames(story, actors(group_photograph()), fps)):
        writer.write(picture)
        progress((index + 1) / total)
    writer.release()
    partial.replace(path)

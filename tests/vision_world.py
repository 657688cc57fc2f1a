"""Faces without a camera: a scripted analyser behind the real pipeline."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.ids import CameraId, EmployeeId
from edge_agent.config import CameraConfig
from edge_agent.core.consensus import Probe
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.geometry import ARCFACE_LANDMARKS, Box, Detection, iou
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.resighting import DueEvent
from edge_agent.frame import Frame
from edge_agent.picture import ColourPicture, Cut
from edge_agent.pipeline import CameraPipeline

POLICY = MatchPolicy(
    threshold=0.40,
    two_extra=0.05,
    single_extra=0.15,
    margin=0.08,
    against=0.15,
    same_face=0.35,
    same_look=0.97,
    rejoin=0.55,
)
DIMENSION = 64
CAMERA = CameraConfig(camera_id=CameraId("door"), name="Door", url="none", zone="Entrance")


def face_of(name: str) -> np.ndarray:
    """Return a direction for a person: nearly orthogonal to everybody else's."""
    vector = np.random.default_rng(list(name.encode())).normal(size=DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def look_at(name: str, similarity: float, seed: int) -> np.ndarray:
    """Return a unit embedding of exactly that similarity to the person, otherwise random."""
    own = face_of(name)
    noise = np.random.default_rng([seed, *name.encode()]).normal(size=DIMENSION)
    noise -= (noise @ own) * own
    noise /= np.linalg.norm(noise)
    return (similarity * own + np.sqrt(1 - similarity**2) * noise).astype(np.float32)


def gallery_of(*names: str, gen: int = 1) -> Gallery:
    templates = [Template(number, EmployeeId(name), face_of(name)) for number, name in enumerate(names)]
    return Gallery.build("test:0", gen, templates)


def probe(
    name: str, similarity: float, at_ms: int, *, is_good: bool = True, seed: int | None = None
) -> Probe:
    embedding = look_at(name, similarity, at_ms if seed is None else seed)
    return Probe(at_ms, embedding, 0.8, is_good, at_ms)


def detection_at(box: Box, score: float = 0.9, turn: float = 0.0) -> Detection:
    scale = box.width / 112
    return Detection(box, ARCFACE_LANDMARKS * scale + (box.left, box.top), score, turn)


@dataclass(frozen=True)
class Scripted:
    """One face in one scripted frame."""

    name: str
    box: Box
    similarity: float = 0.7  # of the look to the person's own direction
    score: float = 0.9
    turn: float = 0.0


class StagePicture(ColourPicture):
    """Remembers which part of it was cut out last: the scripted analyser knows faces by their place."""

    last = Cut(np.zeros((0, 0, 3), np.uint8), 0, 0, 1.0)

    def cut(self, box: Box | None = None, scale: float = 1.0) -> Cut:
        self.last = super().cut(box, scale)
        return self.last


@dataclass
class ScriptedAnalyser:
    """Finds what the script says, in the part that it is given; counts what it is asked for."""

    engine: str = "insightface"
    model_id: str = "test:0"
    dimension: int = DIMENSION
    policy: MatchPolicy = POLICY
    execution: Mapping[str, str | int] = field(default_factory=dict)
    faces: list[Scripted] = field(default_factory=list)
    embedded: int = 0
    whole: int = 0  # searches of the whole picture
    parts: int = 0
    search_px: int = 640
    picture: StagePicture = field(default_factory=lambda: StagePicture(TEXTURE))

    def on(self, image: np.ndarray) -> StagePicture:
        """Return image as the picture that is searched next."""
        self.picture = StagePicture(image)
        return self.picture

    def _cut(self, image: np.ndarray) -> Cut:
        """Return which part of the stage image is; any other picture is a whole one of its own."""
        last = self.picture.last
        return last if image is last.image else Cut(image, 0, 0, 1.0)

    def detect(self, image: np.ndarray) -> list[Detection]:
        cut = self._cut(image)
        high, wide = image.shape[:2]
        is_whole = (wide, high) == (self.picture.width, self.picture.height)
        self.whole, self.parts = self.whole + is_whole, self.parts + (not is_whole)
        found = []
        for each in self.faces:
            box = each.box.moved(-cut.left, -cut.top)
            seen = Box(max(0, box.left), max(0, box.top), min(wide, box.right), min(high, box.bottom))
            if seen.area >= box.area / 2:  # half a face is still found, where the part ends
                found.append(detection_at(seen, each.score, each.turn))
        return found

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        cut = self._cut(image)
        box = detection.box.moved(cut.left, cut.top)
        return np.array([max(range(len(self.faces)), key=lambda index: iou(self.faces[index].box, box))])

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        rows = []
        for crop in crops:
            face = self.faces[int(crop[0])]
            self.embedded += 1
            rows.append(look_at(face.name, face.similarity, self.embedded))
        return np.array(rows, np.float32).reshape(-1, self.dimension)


TEXTURE = np.random.default_rng(7).integers(0, 255, (480, 640, 3), dtype=np.uint8)  # sharp everywhere


def painted(faces: Sequence[Scripted]) -> np.ndarray:
    """Return the stage with something where each face is: where nothing changes, nobody looks."""
    image = TEXTURE.copy()
    for each in faces:
        box = each.box
        part = image[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
        part[:] = 255 - part[::-1, ::-1]
    return image


def play(
    frames: Iterable[Sequence[Scripted]],
    gallery: Gallery,
    *,
    fps: float = 5.0,
    still_every_s: float = 30.0,
    images: Iterable[np.ndarray] | None = None,
    camera: CameraConfig = CAMERA,
) -> tuple[list[DueEvent], ScriptedAnalyser]:
    """Run scripted frames through the real pipeline; return its events and the analyser."""
    analyser = ScriptedAnalyser()
    pipeline = CameraPipeline(camera, analyser, POLICY, "boot", lambda: gallery, still_every_s=still_every_s)
    pictures = iter(images) if images is not None else None
    events: list[DueEvent] = []
    at = 0
    for index, faces in enumerate(frames):
        at = round(index * 1000 / fps)
        analyser.faces = list(faces)
        picture = analyser.on(painted(faces) if pictures is None else next(pictures))
        events += [each.event for each in pipeline.process(Frame(picture, at + 10**12, at, index))]
    events += [each.event for each in pipeline.finish(at + 10**12, at)]
    return events, analyser

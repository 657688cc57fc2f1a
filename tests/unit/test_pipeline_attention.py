"""The real pipeline looks where it must, and hardly anywhere else."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from common.events import EventKind
from edge_agent.config import NamedZone
from edge_agent.core.geometry import Box
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline
from tests.vision_world import CAMERA, POLICY, TEXTURE, Scripted, ScriptedAnalyser, gallery_of, play

HERE, THERE = Box(100, 100, 190, 190), Box(400, 120, 490, 210)
GALLERY = gallery_of("ani", "budi")
LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
RIGHT_HALF = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))

# Light and dark walls: in pure noise a face would change the thumbnail as much as a cut does.
WALLS = np.kron(np.random.default_rng(5).integers(20, 200, (6, 8, 1)), np.ones((80, 80, 3)))
ROOM = (WALLS * 0.8 + TEXTURE * 0.2).astype(np.uint8)


def with_patch(box: Box) -> np.ndarray:
    """Return the room as it looks with something new in box."""
    new = ROOM.copy()
    part = new[int(box.top) : int(box.bottom), int(box.left) : int(box.right)]
    part[:] = (part + 90) % 250
    return new


class Run:
    """The pipeline sample by sample, five a second: what each of them cost."""

    def __init__(self) -> None:
        self.analyser = ScriptedAnalyser()
        self.pipeline = CameraPipeline(CAMERA, self.analyser, POLICY, "boot", lambda: GALLERY)
        self.number = 0

    def step(self, faces: Sequence[Scripted] = (), image: np.ndarray = ROOM) -> tuple[int, int]:
        """Return how many whole searches and how many of regions a sample took."""
        before = self.analyser.whole, self.analyser.parts
        self.analyser.faces = list(faces)
        at, number = self.number * 200, self.number
        self.pipeline.process(Frame(self.analyser.on(image), 10**12 + at, at, number))
        self.number += 1
        return self.analyser.whole - before[0], self.analyser.parts - before[1]

    @property
    def followed(self) -> int:
        return len(self.pipeline._files)


def test_somebody_who_sits_perfectly_still_stays_present():
    """Ten minutes without a changed pixel: told of every 30 s, for a whole search every five seconds."""
    frames = [[Scripted("ani", HERE)]] * 1200
    events, analyser = play(frames, GALLERY, fps=2)
    kinds = [each.kind for each in events]
    assert kinds[0] is EventKind.SEEN and kinds[-1] is EventKind.LEFT
    assert kinds[1:-1] == [EventKind.STILL] * 19 and len({each.track_id for each in events}) == 1
    gaps = [later.ts - earlier.ts for earlier, later in pairwise(events[:-1])]
    assert max(gaps) <= 30_500
    assert analyser.whole == 120 and analyser.parts == 1200 - analyser.whole
    assert analyser.embedded <= 45


def test_an_empty_room_costs_a_search_every_five_seconds():
    """Nobody, and nothing moves: a minute takes a dozen searches."""
    _, analyser = play([[]] * 300, GALLERY)
    assert analyser.whole == 12 and analyser.parts == 0


@pytest.mark.parametrize("at", [3, 12, 24, 26, 40])
def test_who_appears_in_a_still_picture_is_found_in_the_same_sample(at):
    """The pixels of a face that is new are reason enough to look there, whenever the whole was searched."""
    frames = [[]] * at + [[Scripted("ani", THERE)]] * 20
    images = [ROOM] * at + [with_patch(THERE)] * 20
    events, analyser = play(frames, GALLERY, images=images)
    assert events[0].kind is EventKind.SEEN and events[0].first_seen - 10**12 == at * 200
    assert analyser.whole == 1 + (at + 19) // 25


def test_whom_the_gate_misses_the_next_whole_search_finds():
    """A face that changes no pixel at all is found within five seconds."""
    events, _ = play([[]] * 3 + [[Scripted("ani", THERE)]] * 60, GALLERY, images=[ROOM] * 63)
    assert events[0].kind is EventKind.SEEN and events[0].first_seen - 10**12 == 5000


def test_who_walks_through_a_still_picture_is_followed_by_regions():
    """One track from edge to edge, and no more whole searches than without anybody."""
    steps = [Box(20 + 12 * n, 150, 110 + 12 * n, 240) for n in range(40)]
    frames = [[], *[[Scripted("ani", box)] for box in steps]]
    images = [ROOM, *[with_patch(box) for box in steps]]
    events, analyser = play(frames, GALLERY, images=images)
    assert [each.kind for each in events] == [EventKind.SEEN, EventKind.LEFT]
    assert events[0].first_seen - 10**12 == 200 and events[-1].last_seen - 10**12 == 8000
    assert analyser.whole == 2


def test_a_face_cut_off_by_a_region_is_searched_for_in_the_whole():
    """Only a corner of it changed, so its region ends in the face: the next sample looks everywhere."""
    run, face = Run(), [Scripted("ani", Box(300, 200, 420, 320))]
    assert run.step() == (1, 0) and run.step() == (0, 0)
    corner = with_patch(Box(301, 215, 309, 223))
    assert run.step(face, corner) == (0, 1) and run.followed == 0
    assert run.step(face, corner) == (1, 0) and run.followed == 1
    assert run.step(face, corner) == (0, 1), "and then it is followed like any other"


def test_the_camera_rests_only_when_nobody_is_there():
    """Idle is neither a moment after somebody moved nor while somebody sits there."""
    run, face = Run(), [Scripted("ani", HERE)]
    for _ in range(60):
        run.step(face)
        assert not run.pipeline.is_idle
    idle = []
    for _ in range(30):
        run.step()
        idle.append(run.pipeline.is_idle)
    assert not any(idle[:15]) and all(idle[24:])


def test_a_face_outside_what_is_watched_is_not_followed():
    """Who is in the street behind the window is neither told of nor embedded; who is inside is."""
    camera = replace(CAMERA, watch=(LEFT_HALF,))
    both = [[Scripted("budi", THERE), Scripted("ani", HERE)]] * 20
    events, _ = play(both, GALLERY, camera=camera)
    assert {each.employee_id for each in events} == {"ani"}
    events, analyser = play([[Scripted("budi", THERE)]] * 20, GALLERY, camera=camera)
    assert events == [] and analyser.embedded == 0


def test_the_zone_goes_with_the_event():
    """The first zone that the middle of the face lies in, where it was last seen; none beside them all."""
    zones = (NamedZone("Counter", LEFT_HALF), NamedZone("All", LEFT_HALF), NamedZone("Door", RIGHT_HALF))
    camera = replace(CAMERA, zones=zones)
    steps = [Box(100 + 15 * n, 150, 190 + 15 * n, 240) for n in range(24)]
    frames = [*[[Scripted("ani", HERE)]] * 5, *[[Scripted("ani", box)] for box in steps]]
    images = [ROOM] * 5 + [with_patch(box) for box in steps]
    events, _ = play(frames, GALLERY, images=images, camera=camera)
    assert [(each.kind.value, each.zone) for each in events] == [("seen", "Counter"), ("left", "Door")]
    beside = replace(CAMERA, zones=zones[2:])
    events, _ = play([[Scripted("ani", HERE)]] * 10, GALLERY, camera=beside)
    assert [each.zone for each in events] == [None, None]


def test_another_size_of_the_picture_ends_every_track():
    """A camera that was set to another resolution shows another picture, though it looks alike."""
    wide = np.ascontiguousarray(ROOM[:360])
    camera = replace(CAMERA, zones=(NamedZone("Upper", ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))),))
    face = Box(100, 170, 190, 260)  # in the upper half of the first picture, in the lower one of the second
    events, _ = play([[Scripted("ani", face)]] * 30, GALLERY, images=[ROOM] * 15 + [wide] * 15, camera=camera)
    assert [each.kind.value for each in events] == ["seen", "left", "seen", "left"]
    assert events[1].last_seen - 10**12 == 2800 and events[2].first_seen - 10**12 == 3000
    assert [each.zone for each in events] == ["Upper", "Upper", None, None]

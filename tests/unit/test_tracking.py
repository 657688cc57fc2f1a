"""Which face is which from frame to frame."""

import pytest

from edge_agent.core.geometry import Box
from edge_agent.core.tracking import TrackPolicy, advance
from tests.vision_world import detection_at

POLICY = TrackPolicy()


def follow(frames, *, every_ms=200):
    """Return what each frame did to the tracks; a frame is a list of (box, score)."""
    tracks, number, steps = (), 1, []
    for index, faces in enumerate(frames):
        detections = [detection_at(box, score) for box, score in faces]
        step = advance(tracks, detections, index * every_ms, number, POLICY)
        tracks, number = step.tracks, step.next_number
        steps.append(step)
    return steps


def at(x, y=100.0, side=80.0):
    return Box(x, y, x + side, y + side)


def test_a_walking_face_is_one_track():
    """A face that moves more than its own width between samples stays one track."""
    steps = follow([[(at(50 + 90 * n), 0.9)] for n in range(10)])
    assert {number for step in steps for number in step.seen} == {1}


def test_a_doubtful_detection_continues_a_track_but_never_begins_one():
    """A low score alone is nobody; on a track's place it is still that face."""
    assert follow([[(at(50), 0.35)]])[0].tracks == ()
    steps = follow([[(at(50), 0.9)], [(at(52), 0.35)], [(at(54), 0.9)]])
    assert [list(step.seen) for step in steps] == [[1], [1], [1]]


@pytest.mark.parametrize("every_ms", [66, 100, 200, 333])
def test_a_track_lives_seconds_not_frames(every_ms):
    """Whatever the sampling rate, a face unseen for a second is the same track and for two a new one."""
    for gap_ms, is_same in ((1000, True), (2200, False)):
        empty = [[] for _ in range(gap_ms // every_ms)]
        steps = follow([[(at(50), 0.9)], *empty, [(at(52), 0.9)]], every_ms=every_ms)
        assert (list(steps[-1].seen) == [1]) is is_same


def test_a_face_back_from_a_gap_is_looked_at_again():
    """After most of a second unseen it may be somebody else, until somebody has looked."""
    steps = follow([[(at(50), 0.9)], [], [], [], [], [(at(52), 0.9)]])
    assert steps[-1].tracks[0].is_ambiguous


def test_people_who_cross_keep_their_tracks():
    """Two faces that walk through one another go on in their own direction."""
    left = [at(100 + 40 * n, 100) for n in range(16)]
    right = [at(700 - 40 * n, 110) for n in range(16)]
    steps = follow([[(a, 0.9), (b, 0.9)] for a, b in zip(left, right, strict=True)])
    assert [steps[-1].seen[number].box for number in (1, 2)] == [left[-1], right[-1]]
    assert any(track.is_ambiguous for step in steps for track in step.tracks), (
        "touching is worth a second look"
    )


def test_one_hidden_behind_the_other_comes_out_as_the_same():
    """A face hidden for a few samples while two people cross is picked up where it should be."""
    frames = []
    for n in range(16):
        a, b = at(100 + 40 * n, 100), at(700 - 40 * n, 110)
        hidden = abs(a.left - b.left) < 70
        frames.append([(a, 0.9)] if hidden else [(a, 0.9), (b, 0.9)])
    steps = follow(frames)
    assert steps[-1].seen[1].box == at(700, 100) and steps[-1].seen[2].box == at(100, 110)


def test_a_face_does_not_become_twice_as_large_at_once():
    """A much larger face in the same place is another one."""
    steps = follow([[(at(100, 100, 60), 0.9)], [(at(60, 60, 150), 0.9)]])
    assert list(steps[-1].seen) == [2]

"""The real pipeline on scripted faces."""

from dataclasses import replace
from itertools import cycle, islice

import numpy as np

from common.events import EventKind
from common.ids import EmployeeId
from edge_agent.core.gallery import Template
from edge_agent.core.geometry import Box
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline
from tests.vision_world import CAMERA, POLICY, TEXTURE, Scripted, ScriptedAnalyser, face_of, gallery_of, play

HERE, THERE = Box(100, 100, 190, 190), Box(400, 120, 490, 210)
GALLERY = gallery_of("ani", "budi")


def told(events):
    return [(each.kind.value, each.employee_id) for each in events]


def staying(name, seconds, fps=5, **more):
    return [[Scripted(name, HERE, **more)] for _ in range(round(seconds * fps))]


def test_a_person_is_seen_still_and_left():
    """One person who stays for 65 s gives one seen, two still and one left, on one track."""
    events, _ = play(staying("ani", 65), GALLERY)
    assert told(events) == [("seen", "ani"), ("still", "ani"), ("still", "ani"), ("left", "ani")]
    assert len({each.track_id for each in events}) == 1
    assert events[0].track_id.startswith("boot-")


def test_a_stranger_is_told_once():
    """Somebody who is not enrolled gives one unknown and one left, without a name."""
    events, _ = play(staying("stranger", 30, similarity=0.9), GALLERY)
    assert told(events) == [("unknown", None), ("left", None)]


def test_of_a_face_to_ignore_nothing_is_told():
    """A poster that hangs there for a minute gives no event and costs few looks; who passes is told of."""
    poster = Template(-1, EmployeeId(""), face_of("poster"), is_ignored=True)
    wall = GALLERY.with_anchors([poster])
    events, analyser = play(staying("poster", 60), wall)
    assert events == [] and analyser.embedded <= 30
    beside = [[Scripted("poster", HERE), Scripted("ani", THERE)]] * 40
    assert told(play(beside, wall)[0]) == [("seen", "ani"), ("left", "ani")]
    assert told(play(staying("poster", 60, similarity=0.9), GALLERY)[0])[0] == ("unknown", None)


def test_where_nobody_is_enrolled_nobody_is_unknown():
    """An agent whose gallery is still on its way says nothing, and names who is in view once it is there."""
    events, _ = play(staying("ani", 10), gallery_of())
    assert events == []


def test_embeddings_are_few():
    """A minute of one face at 5 samples a second costs some two dozen embeddings, not three hundred."""
    _, analyser = play(staying("ani", 60), GALLERY)
    assert analyser.embedded <= 25
    _, analyser = play(staying("stranger", 60, similarity=0.9), GALLERY)
    assert analyser.embedded <= 30


def test_the_times_are_those_of_the_face_not_of_the_name():
    """The track began before anybody knew who it was, and was last seen before it was given up."""
    frames = [*staying("ani", 2, similarity=0.3, turn=1.0), *staying("ani", 2), *[[]] * 15]
    events, _ = play(frames, GALLERY)
    seen, left = events
    assert seen.kind is EventKind.SEEN and seen.ts - seen.first_seen >= 2000
    assert left.kind is EventKind.LEFT and left.last_seen - left.first_seen == 3800
    assert left.ts - left.last_seen >= 1500


def test_a_name_does_not_pass_to_who_takes_the_place():
    """When another face appears in the very same place the track ends and the newcomer gets their own."""
    for newcomer, expected in (("budi", "budi"), ("stranger", None)):
        frames = [*staying("ani", 5), *staying(newcomer, 12, similarity=0.8)]
        events, _ = play(frames, GALLERY)
        assert [each.employee_id for each in events if each.kind is EventKind.LEFT] == ["ani", expected]
        ani = next(each for each in events if each.kind is EventKind.LEFT)
        assert ani.last_seen - 10**12 <= 4800


def test_a_cut_ends_every_track_at_once():
    """At a cut the tracks end, and an equal face after it has to be recognised anew."""
    other = np.random.default_rng(8).integers(0, 255, TEXTURE.shape, dtype=np.uint8)
    flat = [np.kron(np.random.default_rng(n).integers(0, 255, (6, 8)), np.ones((80, 80))) for n in (1, 2)]
    scenes = [np.clip(each[..., None] * 0.8 + other * 0.2, 0, 255).astype(np.uint8) for each in flat]
    images = [scenes[0]] * 10 + [scenes[1]] * 10
    events, _ = play([*staying("ani", 2), *staying("ani", 2)], GALLERY, images=images)
    assert told(events) == [("seen", "ani"), ("left", "ani"), ("seen", "ani"), ("left", "ani")]
    assert len({each.track_id for each in events}) == 2


def test_a_face_that_comes_back_within_moments_is_the_same_track():
    """Two seconds behind a pillar break nothing, for the enrolled and for strangers; ten seconds do."""
    for name, first in (("ani", ("seen", "ani")), ("stranger", ("unknown", None))):
        for away_s, times in ((2.6, 1), (10, 2)):
            frames = [*staying(name, 4, similarity=0.85), *[[]] * round(away_s * 5)]
            events, _ = play([*frames, *staying(name, 4, similarity=0.85)], GALLERY)
            assert told(events) == [first, ("left", first[1])] * times, (name, away_s)
            assert len({each.track_id for each in events}) == times


def test_another_face_does_not_take_up_a_lost_track():
    """Who comes to the same place after somebody left is somebody else."""
    for newcomer in ("budi", "stranger"):
        frames = [*staying("ani", 4, similarity=0.85), *[[]] * 12]
        events, _ = play([*frames, *staying(newcomer, 4, similarity=0.85)], GALLERY)
        assert len({each.track_id for each in events}) == 2
        left = [each for each in events if each.kind is EventKind.LEFT]
        assert [each.employee_id for each in left] == ["ani", "budi" if newcomer == "budi" else None]
        assert left[0].last_seen - 10**12 == 3800


def test_nobody_is_named_in_two_places_at_once():
    """A lookalike beside the person is not named; one who was named first hands the name over."""
    both = [Scripted("ani", HERE, similarity=0.9), Scripted("ani", THERE, similarity=0.6)]
    events, _ = play([both] * 20, GALLERY)
    assert [each for each in told(events) if each[0] == "seen"] == [("seen", "ani")]
    events, _ = play([both[1:]] * 10 + [both] * 20, GALLERY)
    assert told(events)[:3] == [("seen", "ani"), ("left", "ani"), ("seen", "ani")]


def test_faces_that_cannot_be_used_are_not_told():
    """Doubtful, tiny and far-turned faces are neither named nor unknown."""
    for flaw in ({"score": 0.45}, {"turn": 4.0}):
        events, analyser = play(staying("ani", 10, **flaw), GALLERY)
        assert events == [] and analyser.embedded == 0
    tiny = [[Scripted("ani", Box(100, 100, 120, 120))]] * 50
    assert play(tiny, GALLERY)[0] == []


def test_a_new_gallery_counts_for_who_is_in_view():
    """Who is enrolled while standing there is seen; who is erased is not reported any more."""
    analyser, galleries = ScriptedAnalyser(), [gallery_of("ani")]
    pipeline = CameraPipeline(CAMERA, analyser, POLICY, "boot", lambda: galleries[-1], still_every_s=2)
    analyser.faces = [Scripted("ani", HERE)]
    events = []

    def watch(first, seconds):
        for n in range(first * 5, (first + seconds) * 5):
            frame = Frame(analyser.on(TEXTURE), 10**12 + n * 200, n * 200, n)
            events.extend(each.event for each in pipeline.process(frame))

    watch(0, 3)
    galleries.append(gallery_of("budi", gen=2))
    before = len(events)
    watch(3, 9)
    assert all(each.employee_id is None for each in events[before:] if each.kind is not EventKind.LEFT)
    galleries.append(gallery_of("ani", "budi", gen=3))
    watch(12, 4)
    assert told(events)[-1][1] == "ani"


def test_a_crop_goes_with_the_first_event():
    """The evidence of an appearance is a picture of the face with some of its surroundings."""
    analyser = ScriptedAnalyser(faces=[Scripted("ani", HERE)])
    pipeline = CameraPipeline(CAMERA, analyser, POLICY, "boot", lambda: GALLERY)
    sighted = []
    for n in range(10):
        sighted += pipeline.process(Frame(analyser.on(TEXTURE), 10**12 + n * 200, n * 200, n))
    assert sighted[0].event.kind is EventKind.SEEN
    assert sighted[0].crop is not None and sighted[0].crop.shape == (144, 144, 3)


def test_crossing_people_keep_their_names():
    """Two people who walk through one another are each seen once or twice, and never as the other."""
    frames = []
    for n in islice(cycle(range(30)), 30):
        a = Box(20 + 18 * n, 100, 100 + 18 * n, 180)
        b = Box(560 - 18 * n, 105, 640 - 18 * n, 185)
        frames.append([Scripted("ani", a), Scripted("budi", b)])
    events, _ = play(frames, GALLERY)
    names = {each.employee_id for each in events}
    assert names == {"ani", "budi"}


def test_a_camera_that_must_not_identify_compares_no_face_and_tells_nothing():
    """As the law asks in public places: not a single embedding is made."""
    events, analyser = play(staying("ani", 20), GALLERY, camera=replace(CAMERA, identify=False))
    assert events == [] and analyser.embedded == 0

"""Who has a name when two faces could, and what is told of whoever has not."""

import numpy as np

from edge_agent.core.geometry import Box
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline
from tests.vision_world import CAMERA, POLICY, Scripted, ScriptedAnalyser, gallery_of, painted

HERE, THERE = Box(100, 100, 190, 190), Box(400, 120, 490, 210)


class Stage:
    """A pipeline that is played to, piece by piece; `galleries[-1]` is the one that counts."""

    def __init__(self, still_every_s=30.0):
        self.galleries = [gallery_of("ani", "budi")]  # its own: who is erased, is erased everywhere
        self.analyser, self.at, self.sighted = ScriptedAnalyser(), 0, []
        self.pipeline = CameraPipeline(
            CAMERA, self.analyser, POLICY, "b", lambda: self.galleries[-1], still_every_s=still_every_s
        )

    def play(self, faces, samples):
        """Show faces for so many samples; return what was told meanwhile."""
        told = []
        for _ in range(samples):
            self.analyser.faces = list(faces)
            frame = Frame(self.analyser.on(painted(faces)), self.at + 10**12, self.at, self.at)
            told += self.pipeline.process(frame)
            self.at += 200
        self.sighted += told
        return [(each.event.kind.value, each.event.employee_id, each.event.track_id) for each in told]


def test_a_face_missed_for_one_picture_keeps_its_name():
    """A lookalike beside the person is never named, though the person turns away now and then."""
    stage = Stage()
    person, lookalike = Scripted("ani", HERE, 0.8), Scripted("ani", THERE, 0.55)
    for _ in range(8):
        stage.play([person, lookalike], 6)
        stage.play([lookalike], 2)
    seen = [each.event for each in stage.sighted if each.event.kind.value == "seen"]
    assert len(seen) == 1 and seen[0].sim_score > 0.7


def test_an_unknown_who_comes_to_resemble_somebody_present_is_not_told_by_their_name():
    """The real person stands there: the other one stays the unknown that it was, and leaves as one."""
    stage = Stage()
    ani = Scripted("ani", HERE, 0.8)
    stage.play([ani, Scripted("stranger", THERE, 0.9)], 20)
    stage.play([ani, Scripted("ani", THERE, 0.6)], 40)
    stage.play([ani], 60)
    by_track = {}
    for each in stage.sighted:
        by_track.setdefault(each.event.track_id, []).append((each.event.kind.value, each.event.employee_id))
    named = [told for told in by_track.values() if ("seen", "ani") in told]
    assert len(named) == 1, by_track
    others = [told for told in by_track.values() if ("seen", "ani") not in told]
    assert others and all(who is None for told in others for _, who in told)


def test_a_track_that_turns_into_a_lookalike_is_withheld_in_the_very_picture():
    """Budi's track comes to show somebody like Ani, who stands there: Ani is not seen a second time."""
    stage = Stage()
    ani = Scripted("ani", HERE, 0.8)
    stage.play([ani, Scripted("budi", THERE, 0.75)], 40)
    told = stage.play([ani, Scripted("ani", THERE, 0.62)], 40)
    assert not [each for each in told if each[:2] == ("seen", "ani")]
    assert ("left", "budi") in [each[:2] for each in told]


def test_who_is_erased_while_out_of_view_does_not_come_back_by_name():
    """A lost track is identified anew, too, when the gallery changes."""
    stage = Stage(still_every_s=1.0)
    stage.play([Scripted("ani", HERE, 0.85)], 20)
    stage.play([], 12)
    stage.galleries.append(stage.galleries[0].without([0], gen=2))
    stage.play([], 2)
    told = stage.play([Scripted("ani", HERE, 0.85)], 40)
    assert not [each for each in told if each[1] == "ani" and each[0] != "left"]


def test_a_stranger_s_crop_is_not_of_whoever_took_the_place():
    """When a track turns out to show two people, each event goes with its own face."""
    stage = Stage()
    stage.play([Scripted("stranger", HERE, 0.9)], 10)
    newcomer = Box(102, 101, 196, 195)  # a little larger: the better crop
    stage.play([Scripted("ani", newcomer, 0.9)], 20)
    first = {}
    for each in stage.sighted:
        if each.crop is not None:
            first.setdefault(each.event.employee_id, each.crop)
    assert first[None].shape == (144, 144, 3), "the stranger's own box, with its surroundings"
    assert first["ani"].shape[0] == 151 and not np.array_equal(first[None], first["ani"][:144, :144])

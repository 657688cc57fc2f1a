"""`hadir bench soak` in small: each kind of fault once, over real sockets, with the agent's own workers."""

from collections.abc import Sequence
from itertools import accumulate

import pytest

from edge_agent.bench.__main__ import parser
from edge_agent.bench.outages import Episode, Fault, Pace, missed_bars
from edge_agent.bench.soak import prepared, soaked

PACE = Pace(60)
WELL_S, ILL_S = 4.0, 2.0  # real seconds
LENGTH_S = 27.0
FELT = {Fault.GONE, Fault.MUTE, Fault.STALLED, Fault.PASSWORD}


def one_after_the_other(*faults: Fault) -> list[Episode]:
    lengths = [0.0 if fault is Fault.RESIZED else ILL_S for fault in faults]
    ends = accumulate(WELL_S + each for each in lengths)
    return [
        Episode(fault=fault, start_s=(end - length) * PACE.speed, end_s=end * PACE.speed, seed=7)
        for fault, length, end in zip(faults, lengths, ends, strict=True)
    ]


def test_a_camera_is_found_again_after_every_kind_of_fault(capsys: pytest.CaptureFixture[str]):
    """No failure, each recovery within the bar, and the camera beside them keeps its samples all along."""
    plans: Sequence[Sequence[Episode]] = (
        one_after_the_other(Fault.RESIZED, Fault.GONE, Fault.PASSWORD, Fault.CORRUPT),
        one_after_the_other(Fault.STALLED, Fault.MUTE, Fault.FLAPPING, Fault.RESIZED),  # with a main stream
    )
    eyes, shows = prepared(None, None, cameras=3)
    outcome = soaked(eyes, shows, plans, PACE, LENGTH_S * PACE.speed / 3600)

    assert missed_bars(outcome.recoveries, outcome.failures, [], outcome.kept) == []
    found = [each.fault for each in outcome.recoveries]
    assert sorted(found) == sorted(episode.fault for plan in plans for episode in plan)
    assert {each.fault for each in outcome.recoveries if each.was_dark} >= FELT
    assert outcome.events >= 3 and outcome.pictures > 150
    assert all(each.rss_mb > 20 and each.files > 3 for each in outcome.vitals)
    assert capsys.readouterr().out == ""  # not an hour has passed


@pytest.mark.parametrize(
    "wrong",
    [
        ["--cameras", "1"],
        ["--hours", "0"],
        ["--speed", "0.5"],
        ["--models", "x"],
        ["--people", "x"],
        ["--models", "none", "--people", "none"],
    ],
)
def test_input_that_makes_no_sense_is_refused(capsys: pytest.CaptureFixture[str], wrong: list[str]):
    """Exit status 2 and a sentence, before anything is played."""
    args = parser().parse_args(["soak", *wrong])
    assert args.run(args) == 2
    assert capsys.readouterr().err.endswith(".\n")

"""How far the proof of a camera reaches, and what is a gap."""

from datetime import UTC, datetime, timedelta

import pytest

from central_server.domain.gaps import Proof, carried_on, shrunk, taken_away, why
from central_server.domain.intervals import Interval

EIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(seconds=45)


def at(minutes: float) -> datetime:
    return EIGHT + minutes * MINUTE


@pytest.mark.parametrize(
    ("proven_to", "covered_since", "reported_to", "proof"),
    [
        (None, 0, 10, Proof(to=at(10))),
        (10, 0, 11, Proof(to=at(11))),
        (10, 12, 13, Proof(to=at(13), gap=Interval(at(10), at(12)))),
        (10, 10.02, 13, Proof(to=at(13))),
        (10, 0, 130, Proof(to=at(130))),
        (10, 60, 20, Proof(to=at(10))),
        (None, 60, 20, Proof(to=None)),
        (10, 0, 9, Proof(to=at(10))),
    ],
    ids=[
        "a new camera has no gap",
        "unbroken",
        "it did not watch for two minutes",
        "a clock was corrected by a second",
        "the line was down for two hours, and it watched all along",
        "its backlog is still on its way",
        "new, and its backlog is still on its way",
        "never back",
    ],
)
def test_what_a_watching_camera_proves(proven_to, covered_since, reported_to, proof):
    """Each line is one way in which proof goes on."""
    before = None if proven_to is None else at(proven_to)
    assert carried_on(before, covered_since=at(covered_since), reported_to=at(reported_to)) == proof


@pytest.mark.parametrize(
    ("proven_to", "was_watching", "gap"),
    [(None, True, None), (59.5, True, None), (59.5, False, (59.5, 60)), (30, True, (30, 60))],
)
def test_a_camera_that_is_taken_away_closes_its_gap(proven_to, was_watching, gap):
    """It begins anew when it comes back; what it had not told for long is a gap up to here."""
    before = None if proven_to is None else at(proven_to)
    proof = taken_away(before, at=at(60), was_watching=was_watching, patience=PATIENCE)
    assert proof == Proof(to=None, gap=gap and Interval(at(gap[0]), at(gap[1])))


def test_a_gap_shrinks_when_it_turns_out_that_the_camera_watched():
    """Down to nothing; never longer."""
    gap = Interval(at(10), at(20))
    assert shrunk(gap, at(15)) == Interval(at(10), at(15))
    assert shrunk(gap, at(5)) is None
    assert shrunk(gap, at(25)) == gap


@pytest.mark.parametrize(
    ("state", "reason", "word"),
    [
        ("offline", "timeout", "timeout"),
        ("degraded", "dark", "dark"),
        ("offline", "starting", "agent"),
        ("online", "", "agent"),
        ("offline", "", "offline"),
    ],
)
def test_why_there_was_a_gap(state, reason, word):
    """By what was heard of the camera before."""
    assert why(state, reason) == word

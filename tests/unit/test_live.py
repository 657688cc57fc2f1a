"""What a snapshot of the agent means, and how spans are said."""

import pytest

from edge_agent.core.live import Wellness, ago, worse


def snapshot(phase: str = "online", **cameras: str) -> dict:
    rows = [{"camera_id": name, "state": state} for name, state in cameras.items()]
    return {"link": {"phase": phase}, "cameras": rows}


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (snapshot(gate="online"), snapshot(gate="online"), []),
        (snapshot(gate="online"), snapshot("waiting", gate="offline"), ["the link", "camera gate"]),
        (snapshot("waiting", gate="offline"), snapshot("waiting", gate="offline"), []),
        (snapshot(gate="offline"), snapshot(gate="online"), []),
        (snapshot(gate="online"), snapshot(), ["camera gate"]),
        ({"running": False}, snapshot("waiting"), []),
    ],
)
def test_only_what_worked_before_can_be_worse(before, now, words):
    """A camera that was dead before an upgrade, or a broker that was away, does not undo it."""
    assert worse(Wellness.of(before), Wellness.of(now)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (-3, "0 s"), (0.2, "0 s"), (99, "99 s"), (130, "2 min"), (7200, "2 h"), (400_000, "5 d")],
)
def test_a_span_is_said_shortly(seconds, words):
    """One number and its unit."""
    assert ago(seconds) == words

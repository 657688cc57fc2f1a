"""A transfer's progress, as it is seen."""

import io

from edge_agent.progress import OneLine, TenLines


def test_a_log_gets_a_line_at_each_tenth():
    """However often it is told."""
    said: list[str] = []
    progress = TenLines(said.append)
    for done in range(0, 1_000_001, 1000):
        progress(done, 1_000_000)
    assert len(said) == 11
    assert said[5] == "  [#####.....] 0.5 of 1.0 MB"


def test_a_terminal_gets_one_line_with_what_is_left():
    """It is redrawn ten times a second at most, always at the end, and then ended."""
    stream, seconds = io.StringIO(), iter((0.0, 0.01, 10.0, 20.0, 20.01))
    progress = OneLine(stream, lambda: next(seconds))
    for done in (5_000_000, 5_000_001, 15_000_000, 24_000_000, 25_000_000):
        progress(done, 25_000_000)
    progress.close()
    drawn = stream.getvalue().split("\r\033[K")[1:]
    assert len(drawn) == 4, "the second came too soon"
    assert drawn[1] == "  [##############..........] 15.0 of 25.0 MB, 1.0 MB/s, 10 s left"
    assert drawn[-1] == "  [########################] 25.0 of 25.0 MB, 1.0 MB/s\n"


def test_a_total_that_nobody_knows_is_left_out():
    """Only what came is told."""
    stream = io.StringIO()
    OneLine(stream)(2_500_000, None)
    assert stream.getvalue().endswith("  2.5 MB")

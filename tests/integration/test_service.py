"""The agent as a service: what it tells systemd, and when it stops to feed the watchdog."""

import os
import signal
from pathlib import Path

import pytest

from tests.agent_process import Systemd, an_agent_box
from tests.clips import Recipe, make_video


@pytest.fixture
def systemd(tmp_path: Path):
    listening = Systemd(tmp_path)
    yield listening
    listening.close()


def count(lines: list[str], line: str) -> int:
    return lines.count(line)


def test_a_service_is_ready_fed_and_stopped(tmp_path, free_port, systemd):
    """With one camera that sees, one that is away and no broker: nothing hangs, so the watchdog is fed."""
    clip = make_video(tmp_path / "clip.mp4", Recipe(pictures=60))
    gone = f"rtsp://127.0.0.1:{free_port()}/x"
    with an_agent_box(tmp_path / "box", free_port(), ", loop: yes", gate=str(clip), door=gone) as box:
        box.start(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="1000000")
        systemd.listen(
            lambda lines: count(lines, "WATCHDOG=1") > 6 and any("1 of 2 cameras see" in x for x in lines)
        )
        assert box.stop() == 0
        lines = systemd.listen(lambda lines: "STOPPING=1" in lines)
    assert lines[0] == "READY=1"
    assert any(line.startswith("STATUS=link ") for line in lines)


def test_a_stream_that_hangs_starves_the_watchdog(tmp_path, free_port, systemd):
    """Opening a pipe that nobody writes to never comes back: said once, and systemd's turn."""
    os.mkfifo(tmp_path / "pipe")
    more = ", open_timeout_s: 0.5, read_timeout_s: 0.5"
    with an_agent_box(tmp_path / "box", free_port(), more, gate=str(tmp_path / "pipe")) as box:
        process = box.start("0.5", NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="400000")
        systemd.listen(lambda lines: any("hangs" in line for line in lines))
        fed = count(systemd.lines, "WATCHDOG=1")
        with pytest.raises(AssertionError):
            systemd.listen(lambda lines: count(lines, "WATCHDOG=1") > fed, within_s=2.0)
        process.send_signal(signal.SIGABRT)  # as systemd does
        assert process.wait(10) == -signal.SIGABRT
    assert box.log.count("the stream of camera gate hangs") == 1
    assert "Current thread" in box.log and "video_source.py" in box.log  # where it hung, for us


def test_the_journal_of_a_bad_day_is_short_and_every_line_says_how_bad_it_is(tmp_path, free_port, systemd):
    """No broker, no server, two cameras away for several attempts: a line a change, and none again."""
    clip = make_video(tmp_path / "clip.mp4", Recipe(pictures=60))
    cameras = {"gate": str(clip), "door": f"rtsp://guard:a-password@127.0.0.1:{free_port()}/x"}
    with an_agent_box(tmp_path / "box", free_port(), ", loop: yes", **cameras) as box:
        box.start(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="2000000", as_journal="yes")
        systemd.listen(lambda lines: count(lines, "WATCHDOG=1") > 9, within_s=30)
        assert box.stop() == 0
    lines = box.log.splitlines()
    assert all(line[0] == "<" and line[2] == ">" for line in lines)
    changes = [line.partition("; trying again")[0] for line in lines]
    assert len(changes) == len(set(changes)) < 9
    marks = {line.partition(": ")[2].split(" ")[0]: line[1] for line in lines}
    assert (marks["camera"], marks["Hadir"], marks["stopped;"]) in {("4", "6", "6"), ("6", "6", "6")}
    assert any(line.startswith("<4>hadir.video: camera door") for line in lines)
    assert "Traceback" not in box.log and "a-password" not in box.log

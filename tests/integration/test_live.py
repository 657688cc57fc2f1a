"""`hadir agent live`: a real agent process looked at from outside, through its socket."""

import json
import os
import socket
import stat
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from edge_agent.adapters.live_screen import show
from edge_agent.adapters.live_socket import LiveSocket, NotRunningError, read_live
from edge_agent.cli import main
from edge_agent.live_words import link_line
from tests.agent_process import an_agent_box
from tests.clips import Recipe, make_video
from tests.link_world import wait_until

SNAPSHOT = {
    "v": 1, "at": 1_800_000_000_000, "version": "9", "agent_id": "gate", "site": "Plant\x1b[31m One",
    "model_id": "buffalo_m:0123456789ab", "people": 12, "up_s": 7400,
    "link": {"phase": "waiting", "road": "HTTPS", "server_online": True, "trouble": "no broker"},
    "spool": {"depth": 3, "oldest_s": 130, "dropped": 1},
    "cameras": [
        {"camera_id": "gate-1", "state": "online", "reason": "", "since_s": 5, "fps": 5.0,
         "last_frame_s": 0.2, "last_known": {"ts": 1_799_999_990_000, "employee_id": "EMP001"}},
        {"camera_id": "door", "state": "offline", "reason": "auth", "since_s": 5, "fps": 0.0,
         "last_frame_s": None, "last_known": None},
    ],
    "events": [
        {"ts": 1_799_999_990_000, "camera_id": "gate-1", "kind": "seen", "employee_id": "EMP001",
         "similarity": 0.612},
        {"ts": 1_799_999_995_000, "camera_id": "gate-1", "kind": "unknown", "employee_id": None,
         "similarity": None},
    ],
    "box": {"cpu_percent": 31.0, "rss_mb": 300, "memory_free_mb": 2000, "memory_mb": 4000,
            "disk_free_mb": 9000, "temperature_c": 61.5, "throttled": ["throttled"], "clock": "rtc"},
}  # fmt: skip


WELL = {"phase": "online", "road": "MQTT", "server_online": True, "trouble": ""}


def test_the_link_is_told_in_the_right_order():
    """The road belongs to the link, and the server's absence comes after it."""

    def words(**link: object) -> str:
        return link_line({"link": WELL | link})

    assert words() == "online by MQTT"
    assert words(server_online=False) == "the broker is online by MQTT, but the server is away"
    away = words(phase="waiting", road="HTTPS", trouble="no way there")
    assert away == "away, trying again; events go by HTTPS (no way there)"


def test_a_running_agent_is_seen_from_outside(tmp_path, free_port, capsys):
    """One look as JSON and one as text; then it ends, and the words say how to start it."""
    clip = make_video(tmp_path / "clip.mp4", Recipe(pictures=60))
    with an_agent_box(tmp_path / "box", free_port(), ", loop: yes", gate=str(clip)) as box:
        box.start()
        wait_until(lambda: _answers(box.home), about="the agent answers")
        wait_until(lambda: read_live(box.home)["cameras"][0]["fps"] > 1, about="the camera sees")
        wait_until(lambda: read_live(box.home)["link"]["trouble"], about="the broker is missed")
        assert main(["live", "--json", "--config", str(box.config)]) == 0
        snapshot = json.loads(capsys.readouterr().out)
        assert (snapshot["agent_id"], snapshot["spool"]["depth"]) == ("gate", 0)
        assert snapshot["cameras"][0]["fps"] > 1 and snapshot["link"]["phase"] != "online"
        assert main(["live", "--once", "--config", str(box.config)]) == 0
        text = capsys.readouterr().out
        assert "gate of Plant One" in text and "is not reachable" in text and "online" in text
        mode = (box.home / "live.sock").stat().st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
        before = tmp_path / "before.json"
        before.write_text(json.dumps(snapshot))
        assert main(["live", "--as-well-as", str(before), "--config", str(box.config)]) == 0
        assert box.stop() == 0
    assert main(["live", "--once", "--config", str(box.config)]) == 1
    assert "No agent runs here" in capsys.readouterr().err
    assert main(["live", "--as-well-as", str(before), "--within", "0.2", "--config", str(box.config)]) == 1
    assert "Not as well as before" in capsys.readouterr().err


def test_another_user_learns_nothing(tmp_path):
    """The kernel says who asks; whoever is neither the agent's user nor root gets no byte."""
    if os.geteuid() != 0:
        pytest.skip("only root can ask as somebody else")
    home = tmp_path / "home"
    home.mkdir()
    served = LiveSocket(home, lambda: {"secret": "EMP001"})
    served.start()
    for folder in (home, *home.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    (home / "live.sock").chmod(0o666)  # even if somebody opens the door
    ask = (
        "import os, socket, sys; os.setgid(65534); os.setuid(65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(100))"
    )
    try:
        asked = subprocess.run(
            [sys.executable, "-c", ask, str(home / "live.sock")], capture_output=True, text=True
        )
        assert asked.stdout == "b''\n", asked.stderr
        assert read_live(home) == {"secret": "EMP001"}
    finally:
        served.stop()


def test_a_socket_left_by_a_killed_agent_is_taken_over_and_a_living_one_is_not(tmp_path, caplog):
    """kill -9 leaves the file; a second agent at one home does not take the first one's place."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "live.sock"))
    with pytest.raises(NotRunningError, match="No agent runs here"):
        read_live(tmp_path)
    first, second = LiveSocket(tmp_path, lambda: {"n": 1}), LiveSocket(tmp_path, lambda: {"n": 2})
    first.start()
    second.start()
    try:
        assert read_live(tmp_path) == {"n": 1}
        assert "another agent runs" in caplog.text
        second.stop()
        assert read_live(tmp_path) == {"n": 1}
    finally:
        first.stop()
    assert not (tmp_path / "live.sock").exists()


def test_a_home_with_a_long_name_can_be_looked_at(tmp_path):
    """A socket's own path may have 107 bytes; a home may have more."""
    home = tmp_path / ("deep-" * 20) / ("down-" * 20)
    home.mkdir(parents=True)
    served = LiveSocket(home, lambda: {"n": 1})
    served.start()
    try:
        assert read_live(home) == {"n": 1}
    finally:
        served.stop()


def test_who_asks_and_says_nothing_more_holds_nobody_up(tmp_path):
    """A connection that never reads is dropped, and the next one is answered."""
    served = LiveSocket(tmp_path, lambda: {"much": "x" * 3_000_000})
    served.start()
    try:
        with socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(tmp_path / "live.sock"))
            wait_until(lambda: _answers(tmp_path), about="the next one is answered")
    finally:
        served.stop()


def _answers(home: Path) -> bool:
    try:
        return bool(read_live(home))
    except NotRunningError:
        return False


def test_the_screen_fits_eighty_columns(capsys):
    """What matters is there, in lines that no terminal breaks; a name cannot steer the terminal."""
    console = Console(file=StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    show(lambda: SNAPSHOT, NotRunningError, console, rounds=1)
    drawn = console.file.getvalue()
    told = ("offline (auth)", "3 events wait", "EMP001, 10 s", "0.61", "SLOWED DOWN", "without NTP")
    assert [words for words in told if words not in " ".join(drawn.split())] == []
    assert "\x1b[31m" not in drawn
    assert max(len(line) for line in drawn.splitlines()) < 120  # with the terminal's own marks


def test_the_screen_says_when_no_agent_runs():
    """And goes on looking: the view may be opened before the agent is started."""

    def gone():
        raise NotRunningError("No agent runs here.")

    console = Console(file=StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    show(gone, NotRunningError, console, rounds=2)
    assert "No agent runs here." in console.file.getvalue()

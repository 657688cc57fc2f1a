"""The watchdog's decision, and what is said to systemd, over a real datagram socket."""

import socket
from pathlib import Path

import pytest

from common.events import CameraState
from edge_agent.adapters.service_notice import ServiceNotice
from edge_agent.core.pulse import Pulse, hanging, status_words
from edge_agent.watchdog import Watchdog


@pytest.fixture
def systemd(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def heard(systemd: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines += systemd.recv(4096).decode().splitlines()
        except BlockingIOError:
            return lines


def notice_to(systemd: socket.socket, **more: str) -> ServiceNotice:
    return ServiceNotice({"NOTIFY_SOCKET": systemd.getsockname(), **more})


def test_a_part_hangs_when_its_round_takes_longer_than_ever():
    """Up to its longest round it moves; who waits for an attempt in the future moves too."""
    parts = [Pulse("link", 100.0, 30.0), Pulse("gate", 120.0, 10.0), Pulse("door", 190.0, 10.0)]
    assert hanging(parts, 130.0) == []
    assert hanging(parts, 130.5) == ["link", "gate"]


@pytest.mark.parametrize(
    ("states", "waiting", "stuck", "words"),
    [
        ([], 0, [], "link online; 0 of 0 cameras see; no event waiting"),
        (
            [CameraState.ONLINE, CameraState.DEGRADED],
            1,
            [],
            "link online; 1 of 2 cameras see; 1 event waiting",
        ),
        ([CameraState.ONLINE], 7, ["the link", "x"], "the link and x hangs; to be started again"),
    ],
)
def test_the_status_is_a_sentence(states, waiting, stuck, words):
    """`systemctl status` shows it to whoever looks."""
    assert status_words("online", states, waiting, stuck) == words


def test_systemd_is_told_in_its_own_words(systemd):
    """Ready, a status once and on one line, the watchdog's food, the end."""
    notice = notice_to(systemd)
    notice.ready()
    notice.status("two\nlines")
    notice.status("two lines")
    notice.feed_watchdog()
    notice.stopping()
    assert heard(systemd) == ["READY=1", "STATUS=two lines", "WATCHDOG=1", "STOPPING=1", "STATUS=stopping"]


def test_a_name_without_a_file_is_understood():
    """systemd may give an abstract socket, written with an @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0hadir-test-notice")
        ServiceNotice({"NOTIFY_SOCKET": "@hadir-test-notice"}).ready()
        listening.settimeout(5)
        assert listening.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path):
    """By hand, in a container, or with a socket that is gone: the agent runs all the same."""
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notice = ServiceNotice(environment)
        notice.ready()
        assert notice.feed_every_s is None


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(environment, every_s):
    """And only when it is meant for this process."""
    assert ServiceNotice(environment).feed_every_s == every_s


def test_the_watchdog_starves_while_a_part_hangs(systemd, caplog):
    """It is told once who hangs, and fed again as soon as everything moves."""
    moved = {"at": 0.0}
    watchdog = Watchdog(
        notice_to(systemd, WATCHDOG_USEC="4000000"),
        lambda: [Pulse("the link", moved["at"], 10.0)],
        lambda stuck: f"stuck: {len(stuck)}",
    )
    for now in (0.0, 1.0, 2.0, 12.0, 14.0, 16.0):
        watchdog.look(now)
    assert heard(systemd) == ["STATUS=stuck: 0", "WATCHDOG=1", "WATCHDOG=1", "STATUS=stuck: 1"]
    moved["at"] = 17.0
    watchdog.look(17.0)
    assert heard(systemd) == ["STATUS=stuck: 0", "WATCHDOG=1"]
    assert [each.message for each in caplog.records if "hangs" in each.message] == [
        "the link hangs; the watchdog will start the agent again"
    ]

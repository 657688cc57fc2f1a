"""`hadir agent check`: the link and the box itself; real brokers, real files, a real agent."""

import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.events import Clock
from edge_agent import check_box, check_link
from edge_agent.adapters import machine, vitals
from edge_agent.adapters.live_socket import NotRunningError, read_live
from edge_agent.adapters.mqtt_link import LinkError
from edge_agent.adapters.mqtt_login import log_in
from edge_agent.cli import main
from edge_agent.config import EdgeConfig, SpoolConfig
from edge_agent.core.capacity import CameraCost
from tests.agent_process import an_agent_box
from tests.clips import Recipe, make_video
from tests.link_world import BROKERS, a_broker, a_subscriber, identity_of, know_agent, running, wait_until


@pytest.fixture
def broker(request, tmp_path, free_port):
    with a_broker(request.param, tmp_path / "server", free_port()) as process:
        yield process


def is_running(home: Path) -> bool:
    try:
        return bool(read_live(home))
    except NotRunningError:
        return False


def is_let_in(identity) -> bool:
    try:
        log_in(identity)
    except LinkError:
        return False
    return True


@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_a_login_tells_whether_the_server_listens(broker, engine, tmp_path):
    """The real road: password, rights, and the server's own word behind them."""
    identity = know_agent(engine, broker)
    wait_until(lambda: is_let_in(identity), about="the broker has read its accounts")
    assert log_in(identity) is None
    with running(a_subscriber(engine, broker)):
        wait_until(lambda: log_in(identity), about="the server's word is there")
        (found,) = check_link.broker(identity, tmp_path / "nobody")
    assert found.is_good and found.words.endswith("let this agent in, and the server listens")
    wait_until(lambda: log_in(identity) is False, about="the server said goodbye")
    (found,) = check_link.broker(identity, tmp_path / "nobody")
    assert not found.is_good and "is its worker running?" in found.words


@pytest.mark.parametrize("broker", BROKERS, indirect=True)
def test_a_wrong_password_is_told_as_such(broker, engine):
    """Whoever was removed at the server reads what to do."""
    know_agent(engine, broker)
    with pytest.raises(LinkError, match=r"refuses this agent .*join again"):
        log_in(identity_of(broker, password="an old one"))


def test_a_port_that_speaks_no_mqtt_is_told_as_such(tmp_path, free_port):
    """Something else listens there: no endless wait, and no stack trace."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        place = SimpleNamespace(kind="mosquitto", port=other.server_port)
        with pytest.raises(LinkError, match="does not answer to MQTT"):
            log_in(identity_of(place))
        other.shutdown()


def test_a_running_agent_is_asked_and_not_thrown_out(tmp_path, free_port):
    """A second login under its name would end its session: the check reads its state instead."""
    clip = make_video(tmp_path / "clip.mp4", Recipe(pictures=60))
    port = free_port()
    with an_agent_box(tmp_path / "box", port, ", loop: yes", gate=str(clip)) as box:
        box.start()
        wait_until(lambda: is_running(box.home), about="the agent runs")
        identity = identity_of(SimpleNamespace(kind="mosquitto", port=port))
        (found,) = wait_until(lambda: list(check_link.broker(identity, box.home)), about="it answers")
        assert not found.is_good and found.words.startswith("the running agent is not connected")


def config_at(home: Path, **more) -> EdgeConfig:
    return EdgeConfig(home=home, cameras=(), **more)


def words(found) -> list[str]:
    return [each.words for each in found if not each.is_good]


def test_a_private_home_with_room_is_good(tmp_path):
    """0700, its owner's files, enough space."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    assert words(check_box.disk(config_at(home, spool=SpoolConfig(max_mb=1)))) == []
    assert words(check_box.disk(config_at(tmp_path / "none"))) == []


def test_a_home_that_others_can_read_is_told_with_the_remedy(tmp_path):
    """Faces and passwords are in there."""
    tmp_path.chmod(0o755)
    assert any(f"chmod 700 {tmp_path}" in each for each in words(check_box.disk(config_at(tmp_path))))


def test_a_disk_smaller_than_the_spool_may_grow_is_told(tmp_path):
    """Found now, and not on the day when the server is away."""
    tmp_path.chmod(0o700)
    found = words(check_box.disk(config_at(tmp_path, spool=SpoolConfig(max_mb=90_000_000))))
    assert any("the spool may take 90000.0 GB" in each for each in found)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_left_behind_is_told(tmp_path):
    """Joined once as root: the service could not read who it is."""
    tmp_path.chmod(0o700)
    (tmp_path / "identity.json").write_text("{}")
    os.chown(tmp_path, 65534, 65534)
    (found,) = words(check_box.disk(config_at(tmp_path, spool=SpoolConfig(max_mb=1))))
    assert "identity.json" in found and "cannot be written by" in found and "chown -R" in found
    os.chown(tmp_path, 0, 0)


def test_a_hot_or_starved_board_is_told(monkeypatch):
    """A Raspberry Pi's own bits, read as its maker defines them."""
    monkeypatch.setattr(machine, "temperature_c", lambda: 84.2)
    monkeypatch.setattr(vitals, "_pi_bits", lambda: 0x50005)
    found = list(check_box.heat())
    assert [each.is_good for each in found] == [False, False]
    assert "too little voltage, throttled" in found[1].words
    monkeypatch.setattr(machine, "temperature_c", lambda: None)
    monkeypatch.setattr(vitals, "_pi_bits", lambda: 0x50000)
    (found,) = check_box.heat()
    assert found.is_good and "was slowed down since the start" in found.words


def test_the_bits_are_read_from_where_the_board_keeps_them(tmp_path, monkeypatch):
    """The kernel's file first, without the program."""
    file = tmp_path / "get_throttled"
    file.write_text("50000\n")
    monkeypatch.setattr(vitals, "_PI_FILE", file)
    assert vitals.throttling() == vitals.Throttling((), ("too little voltage", "throttled"))


def test_capacity_names_the_dearest_camera():
    """More of the kind that costs most."""
    cheap = CameraCost(width=640, height=360, fps=5, decode_ms=2, busy_ms=9, quiet_ms=0.2, rests=True)
    dear = CameraCost(
        width=3840, height=2160, fps=5, decode_ms=40, busy_ms=30, quiet_ms=1, rests=True, is_seen=False
    )
    found = check_box.bears({"a": cheap, "b": dear}, use=vitals.Use(1.0), free_mb=9000.0, is_running=False)
    assert "more like b (" in found.words and "nobody came by" in found.words
    assert found.numbers["processors"] == machine.processors()


def test_without_a_recogniser_the_cameras_are_looked_at_all_the_same(tmp_path, capsys):
    """The ladder is up now: the picture is judged, and the pack can follow."""
    clip = make_video(tmp_path / "clip.mp4", Recipe(pictures=60, size=(320, 192)))
    config = tmp_path / "agent.yaml"
    config.write_text(
        f"home: {tmp_path / 'home'}\nmodels: {tmp_path / 'none'}\n"
        f"cameras:\n  - {{camera_id: gate, zone: z, url: '{clip}', loop: yes}}\n"
    )
    assert main(["check", "--json", "--seconds", "1.5", "--config", str(config)]) == 1
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    (recogniser,) = (each for each in found if each["subject"] == "recogniser")
    assert not recogniser["ok"] and "without it" in recogniser["words"]
    gate = [each for each in found if each["subject"] == "camera gate"]
    assert "320x192" in gate[0]["words"] and gate[1]["words"] == "faces were not looked for"
    assert not any("No face was seen" in each["words"] for each in gate)
    assert "Looking through gate (1 of 1)" in said.err and "Loading the recogniser." in said.err


def test_the_busiest_program_is_named():
    """A program that turns in circles is found within a moment, by its own name."""
    named = "import ctypes; ctypes.CDLL(None).prctl(15, b'spinning-top')\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", named]) as spinning:
        try:
            use = wait_until(lambda: _with(vitals.use_over(0.3), "spinning-top"), about="it is named")
        finally:
            spinning.kill()
    assert 0.05 <= dict(use.busiest)["spinning-top"] < 1.3 and use.idle <= machine.processors()


def _with(use: vitals.Use, name: str) -> vitals.Use | None:
    return use if name in dict(use.busiest) else None


def test_a_clock_without_ntp_is_advice(monkeypatch):
    """It is right for now and will drift: neither ok nor a failure."""
    monkeypatch.setattr(check_link, "clock_now", lambda: Clock.RTC)
    assert check_link.clock().is_advice
    monkeypatch.setattr(check_link, "clock_now", lambda: Clock.NTP)
    assert not check_link.clock().is_advice

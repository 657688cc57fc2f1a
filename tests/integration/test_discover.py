"""`hadir agent discover` against cameras that speak ONVIF over real sockets."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import ifaddr
import pytest
import yaml

from edge_agent.adapters.onvif_cameras import Login, Place, ask_all, discover
from edge_agent.cli import main
from edge_agent.config import read_edge_config
from edge_agent.core.onvif import Camera, chosen
from tests.onvif_camera import OnvifCamera, Stream

LOGIN = Login("admin", "p@ss:word/1")


def asked(camera: OnvifCamera, login: Login | None = LOGIN, name: str = "") -> Camera:
    with camera.serving():
        (found,) = ask_all([Place("127.0.0.1", camera.port, name=name)], login, lambda _camera: None)
    return found


def own_address() -> str:
    """An address of this machine that multicast goes through."""
    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            if isinstance(each.ip, str) and not each.ip.startswith(("127.", "169.254.")):
                return each.ip
    pytest.skip("this machine has no network but loopback: nothing to send multicast through")


def test_a_camera_on_the_network_is_found_by_multicast_and_asked():
    """Over real UDP and HTTP: found where it answers, though it names another address first."""
    address, camera = own_address(), OnvifCamera()
    with camera.serving(address), camera.discoverable(address):
        places = discover(2.0)
        ours = [each for each in places if each.port == camera.port]
        assert [(each.address, each.name) for each in ours] == [(address, "Main gate")]
        (found,) = ask_all(ours, LOGIN, lambda _camera: None)
    streams = chosen(found.profiles)
    assert streams and (streams.main.width, streams.sub and streams.sub.width) == (2560, 704)
    assert found.trouble == "" and set(camera.hosts) == {f"{address}:{camera.port}"}


def test_a_camera_is_asked_at_the_address_that_answered_and_nowhere_else():
    """It says that its media service is elsewhere: the login does not follow it there."""
    camera = OnvifCamera()
    found = asked(camera)
    assert len(found.profiles) == 3 and set(camera.hosts) == {f"127.0.0.1:{camera.port}"}


def test_clocks_that_differ_do_not_keep_the_login_out():
    """A digest holds its time: the camera's own clock is asked first, and the difference is told."""
    found = asked(OnvifCamera(clock_off=timedelta(hours=-7)))
    assert found.trouble == "" and found.profiles
    assert found.clock_off_s == pytest.approx(-25_200, abs=5)


def test_a_wrong_password_is_told_with_the_clock_where_that_may_be_the_reason():
    """What to do first: the login; and the clock, if it is off."""
    wrong = Login("admin", "nonsense")
    assert "refuses the user name or the password" in asked(OnvifCamera(), wrong).trouble
    assert "its clock" not in asked(OnvifCamera(), wrong).trouble
    late = asked(OnvifCamera(clock_off=timedelta(hours=2)), wrong)
    assert "its clock is 7200 s ahead" in late.trouble.replace("7199", "7200")


def test_without_a_login_the_camera_is_said_to_want_one():
    """Not that the password is wrong: there was none."""
    assert "wants a user name and a password" in asked(OnvifCamera(), None).trouble


def test_a_device_without_video_is_told_as_such():
    """An ONVIF door or alarm panel answers too."""
    assert "no media service" in asked(OnvifCamera(has_media=False)).trouble


def test_a_camera_that_hides_its_time_is_asked_all_the_same():
    """Some tell only local time, or none."""
    found = asked(OnvifCamera(tells_time=False))
    assert found.clock_off_s is None and len(found.profiles) == 3, found.trouble


@pytest.mark.parametrize("answer", [b"", b"<html>router</html>", b"\xff\xfe garbage", b"<a><b>"])
def test_something_else_at_that_port_is_told_in_words(answer):
    """A router's page, a printer: one sentence, and the other cameras are still asked."""
    found = asked(OnvifCamera(answer=answer))
    assert found.profiles == () and found.trouble


def test_a_closed_port_is_told_in_words(free_port):
    """The address is right, ONVIF's port is another."""
    (found,) = ask_all([Place("127.0.0.1", free_port())], LOGIN, lambda _camera: None)
    assert found.trouble.startswith("no connection to port")


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that types the command against cameras; it returns the status."""
    monkeypatch.setenv("HADIR_CAMERA_PASSWORD", LOGIN.password)

    def type_it(*cameras: OnvifCamera, more: tuple[str, ...] = (), user: str = "admin") -> int:
        hosts = [part for each in cameras for part in ("--host", f"127.0.0.1:{each.port}")]
        return main(["discover", "--config", str(tmp_path / "agent.yaml"), "--user", user, *hosts, *more])

    return type_it


def test_the_lines_can_be_pasted_into_the_settings(typed, tmp_path, capsys):
    """What is printed is a `cameras:` that the agent reads; the password is only a name in it."""
    with OnvifCamera().serving() as camera:
        assert typed(camera) == 0
    printed = capsys.readouterr()
    assert LOGIN.password not in printed.out + printed.err and "p%40ss" not in printed.out + printed.err
    path = tmp_path / "agent.yaml"
    path.write_text(f"home: {tmp_path}\n{printed.out}")
    (read,) = read_edge_config(path, {"CAMERA_USER": "u", "CAMERA_PASSWORD": "p"}).cameras
    assert read.url == "rtsp://u:p@127.0.0.1:8554/Streaming/Channels/101?transportmode=unicast"
    assert read.sub_url == "rtsp://u:p@127.0.0.1:8554/Streaming/Channels/102"
    assert "2560x1440 and 704x576" in printed.err


def test_written_settings_work_and_nothing_else_is_touched(typed, tmp_path, capsys):
    """Comments stay; the login is beside them, for the agent only; a second time nothing is written."""
    path, secrets = tmp_path / "agent.yaml", tmp_path / "agent.env"
    path.write_text(f"# ours\nhome: {tmp_path}  # here\ncameras: []\nheartbeat_s: 9\n")
    path.chmod(0o640)
    with OnvifCamera().serving() as camera:
        assert typed(camera, more=("--write",)) == 0
        text = path.read_text()
        assert text.startswith(f"# ours\nhome: {tmp_path}  # here\ncameras:\n  - camera_id: camera-1\n")
        assert text.endswith("heartbeat_s: 9\n") and LOGIN.password not in text
        environment = dict(line.split("=", 1) for line in secrets.read_text().splitlines())
        (read,) = read_edge_config(path, environment).cameras
        assert read.url.startswith("rtsp://admin:p%40ss%3Aword%2F1@127.0.0.1:8554/")
        assert [stat.S_IMODE(each.stat().st_mode) for each in (path, secrets)] == [0o640, 0o640]
        assert typed(camera, more=("--write",)) == 1
    assert path.read_text() == text and "has cameras already" in capsys.readouterr().err


def test_another_login_in_the_environment_file_is_not_overwritten(typed, tmp_path, capsys):
    """Somebody may rely on it: it is said, and nothing is written."""
    (tmp_path / "agent.env").write_text("CAMERA_PASSWORD=other\n")
    with OnvifCamera().serving() as camera:
        assert typed(camera, more=("--write",)) == 1
    assert "has another CAMERA_PASSWORD already" in capsys.readouterr().err
    assert not (tmp_path / "agent.yaml").exists()


def test_a_hostile_camera_cannot_write_settings(typed, tmp_path, capsys):
    """Its words end up in quotes, on one line; an address with anything odd in it is left out."""
    hostile = (
        Stream("a'\n    decode: ffmpeg", 1920, 1080, uri="rtsp://x/${HOME}"),
        Stream("b", 1280, 720, uri="rtsp://evil@h/a b\n  - camera_id: x"),
    )
    with OnvifCamera(streams=hostile).serving() as camera:
        assert typed(camera, more=("--write",)) in (0, 1)
    read = yaml.safe_load((tmp_path / "agent.yaml").read_text()) if (tmp_path / "agent.yaml").exists() else {}
    assert not (read or {}).get("cameras")


def test_cameras_for_a_machine(typed, capsys):
    """One JSON line a camera; no password in it."""
    with OnvifCamera().serving() as camera:
        assert typed(camera, more=("--json",)) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["profiles"][0]["width"] == 2560 and LOGIN.password not in line


@pytest.mark.parametrize("host", ["http://1.2.3.4", "admin:x@1.2.3.4", "1.2.3.4:http", "1.2.3.4:0", ""])
def test_an_address_that_cannot_be_is_answered_with_one_that_can(typed, host, capsys):
    """Status 2, and no question is asked."""
    assert typed(more=("--host", host)) == 2
    assert "like 192.168.1.20" in capsys.readouterr().err

"""Which of a camera's streams are taken, and what is written of them."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from common.ids import is_slug
from edge_agent.adapters.settings_file import SettingsFileError, add_cameras
from edge_agent.core.onvif import Camera, Profile, camera_id, camera_lines, chosen, rtsp_url


def a_profile(width: int, height: int, encoding: str = "H264", uri: str = "rtsp://h/1") -> Profile:
    return Profile(name="p", encoding=encoding, width=width, height=height, fps=15, uri=uri)


@pytest.mark.parametrize(
    ("sizes", "main", "sub"),
    [
        ([(1920, 1080), (640, 360), (320, 240)], 1920, 640),
        ([(2560, 1440), (1280, 720), (640, 360)], 2560, 1280),
        ([(1280, 720), (320, 240)], 1280, None),
        ([(1280, 720), (1280, 720)], 1280, None),
    ],
)
def test_the_large_stream_and_one_that_faces_are_large_enough_in(sizes, main, sub):
    """A sub stream of 320 pixels would hide everybody."""
    streams = chosen([a_profile(*size) for size in sizes])
    assert streams and streams.main.width == main
    assert (streams.sub.width if streams.sub else None) == sub


def test_pictures_without_motion_compression_are_no_stream():
    """JPEG would fill the network."""
    assert chosen([a_profile(1920, 1080, "JPEG")]) is None


@pytest.mark.parametrize(
    ("uri", "url"),
    [
        ("rtsp://10.0.0.1/a?b=c&d=1", "rtsp://L@1.2.3.4/a?b=c&d=1"),
        ("rtsp://x:y@10.0.0.1:554/a", "rtsp://L@1.2.3.4/a"),
        ("RTSP://10.0.0.1:8554/a", "rtsp://L@1.2.3.4:8554/a"),
        ("rtsp://10.0.0.1:99999/a", None),
        ("http://10.0.0.1/a", None),
        ("rtsp://10.0.0.1/${HOME}", None),
        ("rtsp://10.0.0.1/a b", None),
        ("rtsp://10.0.0.1/a\nb", "rtsp://L@1.2.3.4/ab"),  # as browsers read it
        ("", None),
    ],
)
def test_an_address_is_put_together_anew(uri, url):
    """At the place that was asked, with our login, and without anything odd."""
    assert rtsp_url(uri, "1.2.3.4", "L") == url


def test_an_address_of_the_sixth_version_has_brackets():
    """And without a login, none is written."""
    assert rtsp_url("rtsp://h/1", "fd00::2") == "rtsp://[fd00::2]/1"


@given(st.text(max_size=60), st.sampled_from(["192.168.1.20", "fd00::2"]), st.sets(st.just("main-gate")))
def test_an_id_is_always_a_free_slug(name, address, taken):
    """Whatever a camera calls itself."""
    found = camera_id(name, address, taken)
    assert is_slug(found) and found not in taken


def test_cameras_of_one_name_are_told_apart():
    """Many come as IPCAM out of the box."""
    first = camera_id("IP CAM", "10.0.0.7", [])
    second = camera_id("IP CAM", "10.0.0.8", [first])
    third = camera_id("IP CAM", "10.0.1.8", [first, second])
    assert [first, second, third] == ["ip-cam", "ip-cam-8", "ip-cam-8-2"]


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_camera_says_stays_in_its_place(name, model, path):
    """The lines are YAML with one camera at most, of known keys, and no variable but ours."""
    profile = a_profile(1280, 720, uri=f"rtsp://h/{path}")
    camera = Camera(address="1.2.3.4", name=name, model=model, profiles=(profile,))
    other = Camera(address="1.2.3.5", name=name, trouble=name)
    read = yaml.safe_load("\n".join(["cameras:", *camera_lines([camera, other], "${A}:${B}")]))
    rows = read["cameras"] or []
    assert len(rows) <= 1
    for row in rows:
        assert set(row) == {"camera_id", "name", "zone", "url"}
        assert row["url"].startswith("rtsp://${A}:${B}@1.2.3.4/") and row["url"].count("$") == 2
        assert "$" not in row["name"] + row["zone"]


LINES = ["  - camera_id: a", "    url: 'rtsp://h/1'"]


@pytest.mark.parametrize(
    "before", ["", "home: x\n", "home: x\ncameras:\n", "cameras: [] # none\nhome: x", "#c"]
)
def test_cameras_are_added_where_there_are_none(tmp_path, before):
    """In the place of an empty list, or at the end."""
    path = tmp_path / "agent.yaml"
    path.write_text(before)
    add_cameras(path, LINES)
    read = yaml.safe_load(path.read_text())
    assert read["cameras"] == [{"camera_id": "a", "url": "rtsp://h/1"}]
    assert read.get("home") == ("x" if "home" in before else None)


@pytest.mark.parametrize(
    "before",
    [
        "cameras: [{camera_id: b}]",
        "cameras: {}",
        "a: [",
        "- a",
        "a: |\n  cameras:\n",
        "a: 1\na: 2\ncameras: &x",
    ],
)
def test_a_file_that_is_unusual_is_left_alone(tmp_path, before):
    """Better by hand than wrong."""
    path = tmp_path / "agent.yaml"
    path.write_text(before)
    try:
        add_cameras(path, LINES)
    except SettingsFileError:
        assert path.read_text() == before
    else:
        read = yaml.safe_load(path.read_text())
        assert read["cameras"] and {**read, "cameras": 0} == {**yaml.safe_load(before), "cameras": 0}

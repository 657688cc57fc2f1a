"""The agent's settings: read once, every mistake told at once with its line."""

from pathlib import Path

import pytest

from common.settings import SettingsError
from edge_agent.config import DECODERS, EdgeConfig, read_edge_config, shown_address


def read(tmp_path: Path, text: str, **environment: str) -> EdgeConfig:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    return read_edge_config(path, environment)


def problems(tmp_path: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text, **environment)
    return [each.removeprefix(f"{tmp_path}/agent.yaml:") for each in refused.value.problems]


CAMERA = "cameras:\n  - {camera_id: gate, url: 'rtsp://u:p@10.0.0.5/1', zone: lobby}\n"


def test_what_is_left_out_has_a_default(tmp_path):
    """A camera is all that must be given."""
    config = read(tmp_path, CAMERA)
    assert (config.still_every_s, config.heartbeat_s, config.spool.max_mb) == (30, 15, 1000)
    assert (config.cameras[0].name, config.cameras[0].sample_fps) == ("gate", 5)


def test_a_pack_is_named_or_its_folder_given(tmp_path):
    """The name of a known pack stays a name, unless a folder beside the settings is called so."""
    assert read(tmp_path, CAMERA + "models: buffalo_m\n").models == Path("buffalo_m")
    assert read(tmp_path, CAMERA + "models: ours\n").models == tmp_path / "ours"
    assert read(tmp_path, CAMERA + "models: /opt/packs/buffalo_m\n").models == Path("/opt/packs/buffalo_m")
    (tmp_path / "buffalo_m").mkdir()
    assert read(tmp_path, CAMERA + "models: buffalo_m\n").models == tmp_path / "buffalo_m"


def test_every_mistake_is_told_at_once_with_its_line(tmp_path):
    """A wrong number, an unknown key, a wrong word and a camera without an address: four lines."""
    text = (
        "still_every_s: soon\nheartbeet_s: 5\nlog_level: LOUD\ncameras:\n  - camera_id: Gate 1\n    zone: x\n"
    )
    told = problems(tmp_path, text)
    assert [each.split(":")[0] for each in told] == ["1", "2", "3", "5", "5"]
    assert "heartbeat_s" in told[1], "what was probably meant is named"
    assert any("url" in each for each in told) and any("Gate 1" in each for each in told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("remote: no\n", "cameras"),
        ("cameras: []\n", "cameras"),
        ("[1, 2]", "the file"),
        ("a: [", "not YAML"),
        (CAMERA + "match: {threshold: 1.5}\n", "threshold"),
        (CAMERA + "snapshots: {days: 31}\n", "days"),
        (CAMERA + "liveness: {mode: enforce}\n", "off, observe"),
        (CAMERA + "liveness: {mode: observe}\n", "liveness needs models"),
        (CAMERA + "liveness: {mode: observe, models: a.onnx}\n", "must be a list"),
        (CAMERA + "liveness: {mode: observe, models: [[a.onnx]]}\n", "must be text"),
        (CAMERA + "  - {camera_id: gate, url: x.mp4}\n", "used by two cameras"),
        (CAMERA + "  - {camera_id: '', url: x.mp4}\n", "a camera needs camera_id"),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path, text, words):
    """No stack trace, and the key or the line is named."""
    assert any(words in each for each in problems(tmp_path, text))


def test_a_missing_file_says_how_to_begin(tmp_path):
    """The example is named."""
    with pytest.raises(SettingsError, match=r"agent\.example\.yaml"):
        read_edge_config(tmp_path / "nowhere.yaml", {})


def test_a_password_may_come_from_the_environment_or_a_file_and_is_never_shown(tmp_path):
    """Neither repr nor what people see of the address holds it."""
    (tmp_path / "gate.url").write_text("rtsp://admin:s3cret@10.0.0.5/1\n")
    text = (
        "cameras:\n  - {camera_id: a, url: 'rtsp://admin:${GATE}@10.0.0.5/1'}\n"
        "  - {camera_id: b, url_file: gate.url}\n"
    )
    config = read(tmp_path, text, GATE="s3cret")
    assert [each.url for each in config.cameras] == ["rtsp://admin:s3cret@10.0.0.5/1"] * 2
    assert "s3cret" not in repr(config) + "".join(each.shown_url for each in config.cameras)
    assert any("GATE" in each for each in problems(tmp_path, text)), "a variable that is not set is named"


def test_a_relative_file_is_meant_from_the_folder_of_the_settings(tmp_path):
    """Whatever the working directory is."""
    config = read(tmp_path, "home: data\ncameras:\n  - {camera_id: a, url: clip.mp4, loop: yes}\n")
    assert config.cameras[0].url == str(tmp_path / "clip.mp4")
    assert config.home == tmp_path / "data"


def test_liveness_is_off_unless_it_is_asked_for(tmp_path):
    """Its files are meant from the folder of the settings; insightface's own has a name instead."""
    models = "models: [a/2.7_80x80_x.onnx, insightface]"
    assert read(tmp_path, CAMERA).liveness == ()
    assert read(tmp_path, CAMERA + f"liveness: {{mode: off, {models}}}\n").liveness == ()
    observed = read(tmp_path, CAMERA + f"liveness: {{mode: observe, {models}}}\n").liveness
    assert observed == (str(tmp_path / "a" / "2.7_80x80_x.onnx"), "insightface")


def one_camera(*lines: str) -> str:
    return "cameras:\n  - camera_id: gate\n    url: 'rtsp://10.0.0.5/1'\n" + "".join(
        f"    {each}\n" for each in lines
    )


def test_how_a_camera_is_decoded_and_searched_can_be_said(tmp_path):
    """What is left out is the usual: the processor, rests, the model's own size, everywhere."""
    (plain,) = read(tmp_path, one_camera()).cameras
    assert (plain.decode, plain.rests, plain.search_px) == ("software", True, None)
    assert (plain.mask, plain.watch, plain.zones) == ((), (), ())
    for decoder in DECODERS:
        assert read(tmp_path, one_camera(f"decode: {decoder}")).cameras[0].decode == decoder
    (said,) = read(tmp_path, one_camera("rests: no", "search_px: 1280")).cameras
    assert (said.rests, said.search_px) == (False, 1280)


def test_parts_of_the_picture_are_polygons(tmp_path):
    """Masks, watched parts and named zones, as many as are needed, each written as its corners."""
    text = one_camera(
        "mask:",
        "  - 0,0  0.3,0  0.3,0.4  0,0.4",
        "  - 0.5,0.5 1,0.5 1,1",
        "watch: ['0,0.2 1,0.2 1,1 0,1']",
        "zones:",
        "  - name: Counter",
        "    area:",
        "      - 0.5,0.3  1,0.3  1,1  0.5,1",
        "  - {name: Door, area: ['0,0 .2,0 .2,1']}",
    )
    (camera,) = read(tmp_path, text).cameras
    assert camera.mask == (((0, 0), (0.3, 0), (0.3, 0.4), (0, 0.4)), ((0.5, 0.5), (1, 0.5), (1, 1)))
    assert camera.watch == (((0, 0.2), (1, 0.2), (1, 1), (0, 1)),)
    assert [each.name for each in camera.zones] == ["Counter", "Door"]
    assert camera.zones[0].polygon == ((0.5, 0.3), (1, 0.3), (1, 1), (0.5, 1))
    assert camera.zones[1].polygon == ((0, 0), (0.2, 0), (0.2, 1))


@pytest.mark.parametrize(
    ("lines", "at", "words"),
    [
        (["decode: nvdec"], 4, "decode must be one of software, cuda"),
        (["rests: sometimes"], 4, "rests must be yes or no"),
        (["search_px: 600"], 4, "multiple of 32, not 600"),
        (["search_px: 96"], 4, "between 160 and 3840"),
        (["search_px: .nan"], 4, "between 160 and 3840"),
        (["search_px: large"], 4, "must be a number"),
        (["mask: 0,0 1,0 1,1"], 4, "mask must be a list"),
        (["mask:", "  - 0,0 1,0"], 5, "three or more"),
        (["watch:", "  - 0,0 1,0 1,1.2"], 5, "'0,0 1,0 1,1.2'"),
        (["watch:", "  - 0,0 1,0 1,nan"], 5, "0 to 1"),
        (["watch:", "  - 0,0,0 1,0,0 1,1,1"], 5, "corners like"),
        (["watch:", "  - 0,0 1,0 x,1"], 5, "corners like"),
        (["watch:", "  - [0, 0]"], 5, "watch must be text"),
        (["watch:", "  - 0,0 1,0 1,1", "  - 0,0 -1,0 1,1"], 6, "'0,0 -1,0 1,1'"),
        (["zones:", "  - name: Door"], 5, "a zone needs area"),
        (["zones:", "  - area: ['0,0 1,0 1,1']"], 5, "a zone needs name"),
        (["zones:", "  - {name: '', area: ['0,0 1,0 1,1']}"], 5, "a zone needs name"),
        (["zones:", "  - name: A", "    area: ['0,0 1,0 1,1', '0,0 1,0 0,1']"], 6, "one polygon"),
        (["zones:", "  - name: Door", "    area: ['0,0 1,0']"], 6, "three or more"),
        (["zones: Door"], 4, "zones must be a list"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_part_of_the_picture_is_refused_with_its_line(tmp_path, lines, at, words):
    """One mistake, one sentence, at the line that it is in."""
    told = problems(tmp_path, one_camera(*lines))
    assert len(told) == 1 and told[0].startswith(f"{at}:") and words in told[0], told


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:geheim@10.0.0.5:554/Streaming/Channels/101", "rtsp://10.0.0.5:554/…"),
        ("rtsp://admin:ge/h@im@10.0.0.5/x", "rtsp://10.0.0.5/…"),
        ("rtsp://10.0.0.5/user=admin&password=geheim&channel=1.sdp", "rtsp://10.0.0.5/…"),
        ("http://10.0.0.5?pwd=geheim", "http://10.0.0.5/…"),
        ("rtsp://10.0.0.5", "rtsp://10.0.0.5"),
        ("/srv/clips/gate.mp4", "/srv/clips/gate.mp4"),
        ("webcam:0", "webcam:0"),
    ],
)
def test_an_address_is_shown_without_whatever_may_be_a_password(url, shown):
    """Cameras take passwords as user, in the path and in the query."""
    assert shown_address(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:ge/heim@10.0.0.5/x",
        "rtsp://admin:ge@heim@10.0.0.5/x",
        "rtsp://admin:ge:heim@10.0.0.5/x",
        "rtsp://admin:geheim@10.0.0.5:abc/x",
        "rtsp:///x",
    ],
)
def test_an_address_with_a_bare_sign_in_its_password_is_refused_and_not_repeated(tmp_path, url):
    """It would be read as another address, and somebody would look for the fault at the camera."""
    path = tmp_path / "agent.yaml"
    path.write_text(f"home: {tmp_path}\ncameras:\n  - camera_id: gate\n    url: {url}\n")
    with pytest.raises(SettingsError) as error:
        read_edge_config(path, {})
    assert ":4: url is not an address that can be read" in str(error.value)
    assert "%40" in str(error.value) and "heim" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://admin:ge%2Fheim@10.0.0.5:554/Streaming/Channels/101?x=1",
        "rtsp://[fe80::1]:554/x",
        "rtsp://cam.local",
        "webcam:0",
        "clips/gate.mp4",
    ],
)
def test_a_proper_address_is_taken(tmp_path, url):
    """With an escaped password, IPv6, a name alone, a webcam, a file."""
    path = tmp_path / "agent.yaml"
    path.write_text(f"home: {tmp_path}\ncameras:\n  - camera_id: gate\n    url: {url}\n")
    assert read_edge_config(path, {}).cameras[0].url.endswith(url)

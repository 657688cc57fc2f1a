"""The agent's settings: read once, every mistake told at once with its line."""

from pathlib import Path

import pytest

from common.settings import SettingsError
from edge_agent.config import EdgeConfig, read_edge_config


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
    assert (config.still_every_s, config.heartbeat_s, config.spool.max_mb) == (30, 15, 500)
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
        ("", "cameras"),
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

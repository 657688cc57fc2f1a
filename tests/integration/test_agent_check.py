"""`hadir agent check` on real video: files and RTSP, through the real decoder and recogniser."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_agent.bench.clips import Clip, make_clip
from edge_agent.bench.rtsp_camera import RtspServer
from edge_agent.cli import main

pytestmark = pytest.mark.shared_data


@pytest.fixture(autouse=True)
def _needs_ffmpeg() -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: no video can be cut")


@pytest.fixture
def checked(shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Return a function that checks cameras by their URLs; it returns the status and the JSON lines."""

    def check(*arguments: str, more: str = "", **urls: str) -> tuple[int, list[dict]]:
        lines = [f"home: {tmp_path / 'home'}", f"models: {shared_data / 'models' / 'field_sc'}", "cameras:"]
        lines += [
            f"  - {{camera_id: {name}, zone: z, url: '{url}', loop: yes{more}}}" for name, url in urls.items()
        ]
        config = tmp_path / "agent.yaml"
        config.write_text("\n".join(lines))
        status = main(["check", "--config", str(config), "--json", *arguments])
        return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return check


def reports(found: list[dict]) -> dict[str, dict]:
    return {each["subject"].removeprefix("camera "): each["camera"] for each in found if "camera" in each}


def advice(found: list[dict]) -> str:
    return " ".join(each["words"] for each in found if each.get("is_advice"))


def cut(video: Path, to: Path, *options: str) -> str:
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(video), *options, str(to)]
    subprocess.run(command, check=True)
    return str(to)


def test_people_who_walk_towards_the_camera_make_it_good(checked, shared_data):
    """A corridor at face height: large, sharp, usable faces, and nothing to change."""
    clip = shared_data / "media" / "clips" / "corridor_three_720p.mp4"
    _, found = checked("--seconds", "3", corridor=str(clip))
    report = reports(found)["corridor"]
    assert (report["verdict"], report["advice"], report["light"]) == ("good", [], "good")
    assert (report["width"], report["height"], report["has_colour"]) == (1280, 720, True)
    assert 80 < report["face_px"] < 160 and report["usable"] > 0.9
    assert 4 < report["fps"] < 6 and 0 < report["decode_ms"] < 300
    assert report["faces"] > 2 * report["pictures"]


def test_small_faces_are_answered_with_their_size(checked, shared_data, tmp_path):
    """A class room from afar: too small in the sub stream, just enough in the main stream."""
    mix = shared_data / "media" / "clips" / "site_mix_720p.mp4"
    main_stream = cut(mix, tmp_path / "main.mp4", "-ss", "210", "-t", "4")
    sub_stream = cut(Path(main_stream), tmp_path / "sub.mp4", "-vf", "scale=640:360")
    status, found = checked("--seconds", "3", large=main_stream, small=sub_stream)
    large, small = reports(found)["large"], reports(found)["small"]
    assert (large["verdict"], small["verdict"], status) == ("usable", "poor", 1)
    assert "modest" in large["advice"] and "main_stream" in small["advice"]
    assert small["flaws"]["too_small"] > small["faces"] / 2
    assert f"Faces are {small['face_px']:.0f} px wide: 40 px is the least for a good match" in advice(found)


def test_a_mask_over_every_face_is_told(checked, shared_data, tmp_path):
    """Drawn over the wrong half, it hides everybody: not the camera's fault, and easily put right."""
    clip = shared_data / "media" / "clips" / "corridor_three_720p.mp4"
    for name in ("mask", "watch"):
        area = "0,0 1,0 1,1 0,1" if name == "mask" else "0,0.9 1,0.9 1,1 0,1"
        status, found = checked("--seconds", "2", more=f", {name}: ['{area}']", corridor=str(clip))
        report = reports(found)["corridor"]
        assert (report["verdict"], report["faces"], status) == ("poor", 0, 1)
        assert report["hidden"] > 5 and "hidden" in report["advice"]
        assert "Every face that was seen is under `mask` or outside `watch`" in advice(found)


def test_a_box_says_how_many_cameras_it_bears(checked, shared_data):
    """Measured with the real pipeline on what this camera showed."""
    clip = shared_data / "media" / "clips" / "corridor_three_720p.mp4"
    _, found = checked("--seconds", "3", corridor=str(clip))
    cost = reports(found)["corridor"]["cost"]
    assert cost["is_seen"] and 0 < cost["quiet"] < cost["usual"] < cost["busy"] < 2
    (capacity,) = (each for each in found if each["subject"] == "capacity")
    assert capacity["numbers"]["more_crowded"] <= capacity["numbers"]["more_usual"]
    assert "more like corridor" in capacity["words"] or not capacity["ok"]  # on a machine that is busy


def test_a_dark_and_a_plain_picture_are_told(checked, shared_data, tmp_path):
    """Nobody can be recognised there, and the technician reads why."""
    clip = shared_data / "media" / "clips" / "corridor_three_720p.mp4"
    unlit = cut(clip, tmp_path / "dark.mp4", "-vf", "eq=brightness=-0.45:contrast=0.3")
    cloth = cut(clip, tmp_path / "cloth.mp4", "-vf", "eq=contrast=0.02,noise=alls=2:allf=t")
    status, found = checked("--seconds", "1", dark=unlit, plain=cloth)
    assert status == 1 and {each["verdict"] for each in reports(found).values()} == {"poor"}
    assert [each["advice"] for each in reports(found).values()] == [["dark"], ["plain"]]
    assert "The picture is dark" in advice(found) and "lens covered" in advice(found)


def test_over_rtsp_the_picture_is_measured_without_anybody(checked, tmp_path):
    """A live camera that nobody walks past: its picture is described, and that it is untried is no fault."""
    clip = Clip.read(make_clip(tmp_path / "clip.h264"))
    with RtspServer(clip) as server:
        _, found = checked("--seconds", "2", gate=server.url)
    report = reports(found)["gate"]
    assert (report["width"], report["height"], report["verdict"]) == (320, 180, "untried")
    assert 3.5 < report["fps"] < 6.5 and "nobody" in report["advice"]
    assert all(each["ok"] for each in found if each["subject"] == "camera gate")


def test_a_camera_without_a_picture_says_why(checked, tmp_path):
    """In words for a file; the reason as on the dashboard for a stream."""
    status, found = checked("--seconds", "1", gone=str(tmp_path / "none.mp4"))
    assert status == 1 and "there is no such file" in found[-1]["words"]


def test_one_camera_may_be_looked_through_alone(checked, shared_data, tmp_path, capsys):
    """--camera names one; an unknown one is answered with those that there are, and so is a silly time."""
    clip = str(shared_data / "media" / "clips" / "corridor_three_720p.mp4")
    _, found = checked("--seconds", "1", "--camera", "two", one=clip, two=clip)
    assert list(reports(found)) == ["two"]
    arguments = ["check", "--config", str(tmp_path / "agent.yaml")]
    assert main([*arguments, "--camera", "three"]) == 2
    assert "there are: one, two" in capsys.readouterr().err
    assert main([*arguments, "--seconds", "0"]) == 2
    assert "--seconds must be from 1 to 600" in capsys.readouterr().err

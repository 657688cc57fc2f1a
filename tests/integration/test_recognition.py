"""Who is named in real recordings, by the very pipeline of the agent."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from common.ids import EmployeeId
from edge_agent.adapters.face_analyser import InsightFaceAnalyser
from edge_agent.core.gallery import Gallery, Template
from edge_agent.enrolment import Enrolled, embed_portrait
from edge_agent.identify import gallery_of, identify_video

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def analyser(shared_data):
    return InsightFaceAnalyser(shared_data / "models" / "field_sc")


@pytest.fixture(scope="module")
def gallery(shared_data, analyser):
    return gallery_of(shared_data / "media" / "people", analyser)


def named(appearances) -> set[str]:
    return {each.employee_id for each in appearances if each.employee_id}


@pytest.mark.parametrize("fps", [5, 8])
def test_exactly_the_three_in_the_corridor_are_named(shared_data, analyser, gallery, fps):
    """One of them is enrolled from another camera; the man who is never there is never named."""
    clip = shared_data / "media" / "clips" / "corridor_three_720p.mp4"
    appearances, summary = identify_video(clip, analyser, gallery, sample_fps=fps)
    three = {"corridor_woman_dark_hair", "corridor_man_beard", "corridor_woman_blonde"}
    assert named(appearances) == three
    assert len([each for each in appearances if each.employee_id]) == 3, "one appearance each"
    assert summary.appearances == len(appearances)


@pytest.mark.parametrize("fps", [5, 8])
def test_strangers_on_a_stage_stay_unknown(shared_data, analyser, gallery, fps):
    """Two of those on the stage are enrolled and named; nobody else is."""
    clip = shared_data / "media" / "clips" / "hamilton_720p.mp4"
    appearances, _ = identify_video(clip, analyser, gallery, sample_fps=fps)
    assert named(appearances) == {"lin_manuel_miranda", "barack_obama"}
    assert any(each.employee_id is None for each in appearances)


def test_nobody_is_named_when_nobody_enrolled_is_there(shared_data, analyser, gallery):
    """With the three of the corridor taken out of the gallery, the corridor holds only unknowns."""
    people = shared_data / "media" / "people"
    presidents = [
        each for name in ("barack_obama", "joe_biden") for each in _templates(people / name, analyser)
    ]
    strangers = Gallery.build(gallery.model_id, 2, presidents)
    clip = shared_data / "media" / "clips" / "corridor_three_720p.mp4"
    appearances, _ = identify_video(clip, analyser, strangers, sample_fps=5)
    assert named(appearances) == set()


def _templates(folder: Path, analyser):
    for number, photo in enumerate(sorted(folder.glob("*.jpg"))):
        outcome = embed_portrait(photo.read_bytes(), analyser)
        if isinstance(outcome, Enrolled):
            yield Template(hash((folder.name, number)), EmployeeId(folder.name), outcome.embedding)


def test_the_threshold_parts_every_pair_of_portraits(shared_data, analyser):
    """Every two portraits of one person are above it, every two of different people below."""
    folder = shared_data / "media" / "pairs"
    kept = {each.name: embed_portrait(each.read_bytes(), analyser) for each in folder.glob("*.jpg")}
    wrong = []
    with (folder / "pairs.csv").open(newline="") as file:
        pairs = [(row["a"], row["b"], row["same"] == "1") for row in csv.DictReader(file)]
    compared = 0
    for a, b, is_same in pairs:
        one, other = kept[a], kept[b]
        if isinstance(one, Enrolled) and isinstance(other, Enrolled):
            compared += 1
            if (float(one.embedding @ other.embedding) >= analyser.policy.threshold) != is_same:
                wrong.append((a, b))
    assert compared >= 0.8 * len(pairs)
    assert wrong == []


def test_the_command_prints_one_line_an_appearance_and_a_summary(shared_data):
    """JSON for programs, with exactly the fields that the README promises."""
    media = shared_data / "media"
    arguments = [media / "clips" / "corridor_three_720p.mp4", "--people", media / "people", "--json"]
    arguments += ["--models", shared_data / "models" / "field_sc"]
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "identify", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    *appearances, summary = map(json.loads, done.stdout.splitlines())
    fields = {"employee_id", "first_s", "last_s", "sim_score", "frames", "track_id"}
    assert all(set(each) == fields for each in appearances)
    assert set(summary) == {"video_s", "sampled", "cpu_s", "wall_s", "appearances"}
    assert summary["appearances"] == len(appearances)


@pytest.mark.parametrize(
    ("video", "people", "words"),
    [
        ("nowhere.mp4", ".", "There is no video file"),
        ("text.mp4", ".", "No usable photo was found"),
        ("text.mp4", "nowhere", "There is no folder"),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_a_sentence(shared_data, tmp_path, video, people, words):
    """Exit status 2, and nothing of OpenCV's or FFmpeg's own talk."""
    (tmp_path / "text.mp4").write_text("no video")
    arguments = [tmp_path / video, "--people", tmp_path / people]
    arguments += ["--models", shared_data / "models" / "field_sc"]
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "identify", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr and "moov" not in done.stderr

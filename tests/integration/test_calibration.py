"""Calibration on real faces and a real pack, by the command itself."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.demo import scene
from edge_agent.adapters.opencv import cv2

ROOT = Path(__file__).parents[2]


@pytest.fixture
def people(shared_data, tmp_path) -> Path:
    """The labelled portraits as one folder a person: P1 has eight photos, the other four two or three."""
    source, folder = shared_data / "media" / "pairs", tmp_path / "people"
    groups: list[set[str]] = []
    with (source / "pairs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            two = [{row["a"], row["b"]}] if row["same"] == "1" else [{row["a"]}, {row["b"]}]
            for each in two:
                joined = each.union(*(group for group in groups if group & each))
                groups = [group for group in groups if not group & each] + [joined]
    for number, group in enumerate(sorted(groups, key=lambda each: (-len(each), min(each))), start=1):
        (folder / f"P{number}").mkdir(parents=True)
        for name in group:
            shutil.copy(source / name, folder / f"P{number}" / name)
    return folder


def calibrate(shared_data: Path, *arguments: object) -> tuple[str, str, dict]:
    """Return what the command printed, what it complained of, and its last line as JSON."""
    command = [sys.executable, "-m", "edge_agent", "calibrate", "--json", *map(str, arguments)]
    command += ["--models", str(shared_data / "models" / "field_sc")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr, json.loads(done.stdout.splitlines()[-1])


def test_five_people_and_strangers(shared_data, people, tmp_path):
    """No error between 0.37 and 0.6, too little to show one in a thousand, and a plot beside it."""
    strangers, plot = shared_data / "media" / "people", tmp_path / "plot.svg"
    words, _, figures = calibrate(shared_data, "--people", people, "--impostors", strangers, "--plot", plot)
    assert (figures["people"], figures["photos"], figures["impostor_people"]) == (5, 17, 8)
    assert figures["genuine"]["n"] == 17 and figures["impostor"]["n"] == 17 * 4 + 10 * 5
    assert figures["genuine"]["lowest"] > 0.6 and figures["impostor"]["highest"] < 0.37
    clean = [each for each in figures["points"] if 0.37 <= each["threshold"] <= 0.6]
    assert len(clean) >= 4
    assert all(each["fmr"] == each["fnmr"] == each["fpir"] == each["fnir"] == 0 for each in clean)
    assert all(each["fmr_at_most"] == pytest.approx(3 / 50) for each in clean)
    assert figures["unlike"] == figures["refused"] == figures["single"] == []
    assert 0.37 < figures["threshold"] < 0.6 and figures["basis"] in ("raised", "default_stands")
    assert "too few to show" in words and "Proposed threshold" in words
    assert figures["plot"] == str(plot) and ElementTree.parse(plot).getroot().tag.endswith("svg")


def test_a_photo_in_the_wrong_folder_is_found_and_changes_no_figure(shared_data, people, tmp_path):
    """One of P1's in P2's folder: named, with whose it is; the proposal is what it was without it."""
    plot = ("--plot", tmp_path / "plot.svg")
    _, _, before = calibrate(shared_data, "--people", people, *plot)
    photo = min((people / "P1").iterdir())
    shutil.move(photo, people / "P2" / "poison.jpg")
    words, _, after = calibrate(shared_data, "--people", people, *plot)
    (found,) = after["unlike"]
    assert found["photo"] == "P2/poison.jpg" and found["is_misplaced"]
    assert found["nearest_other"].startswith("P1/")
    assert "P2/poison.jpg" in words and "in the wrong folder?" in words
    assert after["threshold"] == before["threshold"] and after["left_out"] == 0


def test_bad_photos_are_named_and_the_rest_goes_on(shared_data, people, tmp_path):
    """Torn, without a face, with six, twice the same, one person twice: each in clear words."""
    some = min((people / "P2").iterdir())
    (people / "P2" / "torn.jpg").write_bytes(some.read_bytes()[:3000])
    shutil.copy(some, people / "P2" / "copy.jpg")
    cv2.imwrite(str(people / "P3" / "six.png"), scene.group_photograph())
    cv2.imwrite(str(people / "P3" / "wall.png"), scene.group_photograph()[:40, :300])
    shutil.copytree(people / "P1", people / "P1 again")
    words, complaints, figures = calibrate(shared_data, "--people", people, "--plot", tmp_path / "plot.svg")
    reasons = {each["photo"]: each["reason"] for each in figures["refused"]}
    assert reasons["P2/torn.jpg"] == "corrupt" and reasons["P3/six.png"] == "several_faces"
    assert reasons["P3/wall.png"] in ("no_face", "corrupt") and len(reasons) == 3
    assert "P2/torn.jpg: The file is not a picture" in words and "six.png is not used" in complaints
    assert len(figures["copies"]) == 1 and "P2/copy.jpg" in figures["copies"][0]
    worst = figures["alike"][0]
    assert worst["people"] == ["P1", "P1 again"] and worst["likeness"] == "same_picture"
    assert figures["threshold"] < 0.5, "the two that are one do not raise it"
    assert "Traceback" not in complaints

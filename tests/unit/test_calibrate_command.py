"""`hadir agent calibrate` from folders to words, JSON and plot, with an analyser that reads who it sees."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edge_agent import cli
from edge_agent.calibrate import calibrate
from edge_agent.calibration_plot import plot_of
from edge_agent.calibration_report import Calibration, as_json, lines_of
from edge_agent.core.calibration import Basis
from edge_agent.core.geometry import Box, Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.people_folder import impostors_in, people_in, portrait
from tests.vision_world import DIMENSION, POLICY, TEXTURE, detection_at, look_at

FACES = [Box(60, 60, 220, 220), Box(300, 60, 460, 220)]


class Reader:
    """Finds as many faces as the first pixel of a picture says, and embeds the person it names."""

    engine, model_id, dimension = "insightface", "test:0", DIMENSION
    search_px = TEXTURE.shape[1]
    policy: MatchPolicy = POLICY

    def detect(self, image: np.ndarray) -> list[Detection]:
        faces, *self.who = image[0, 0].tolist()
        return [detection_at(box) for box in FACES[:faces]]

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        return np.array(self.who)

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([look_at(f"p{person}", 0.9, int(look)) for person, look in crops], np.float32)


def write_photo(path: Path, person: int, look: int, *, faces: int = 1) -> None:
    picture = TEXTURE.copy()
    picture[0, 0] = faces, person, look
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Three people with three photos each, the third person's last one of the first."""
    folder = tmp_path / "people"
    for person in range(3):
        for look in range(3):
            write_photo(folder / f"EMP{person}" / f"{look}.png", person, look)
    write_photo(folder / "EMP2" / "poison.png", 0, 7)
    return folder


def calibration_of(people: Path, impostors: Path | None = None) -> Calibration:
    listed = [(person, True, photos) for person, photos in people_in(people)]
    listed += [(person, False, photos) for person, photos in impostors_in(impostors)] if impostors else []
    return calibrate(listed, Reader(), 0.001)


def test_a_calibration_tells_of_every_photo(people, tmp_path):
    """Ten used, the poisoned one named, two refused with their reasons, and one person without a photo."""
    write_photo(people / "EMP1" / "two faces.png", 1, 5, faces=2)
    (people / "EMP1" / "torn.jpg").write_bytes(b"\xff\xd8 torn")
    (people / "EMP9").mkdir()
    words = "\n".join(lines_of(calibration_of(people)))
    assert "10 photos of 3 people" in words and "2 photos not used" in words
    assert re.search(r"EMP2/poison\.png: 0\.\d\d at best .* to EMP0/\d\.png: in the wrong folder\?", words)
    assert "EMP1/two faces.png: There is more than one face" in words
    assert "EMP1/torn.jpg: The file is not a picture" in words
    assert "Without a photo that can be used (1)\n  EMP9" in words
    assert "too few to show a false match rate of 0.1 %" in words and "3000 pairs" in words
    assert "<- proposed, the model's own" in words


def test_impostors_are_photos_or_folders_of_photos(people, tmp_path):
    """A loose photo is a person of its own, a folder is one person; both meet all the enrolled."""
    strangers = tmp_path / "strangers"
    write_photo(strangers / "a.png", 10, 0)
    write_photo(strangers / "b.png", 11, 0)
    write_photo(strangers / "visitor" / "1.png", 12, 0)
    write_photo(strangers / "visitor" / "2.png", 12, 1)
    figures = as_json(calibration_of(people, strangers))
    assert (figures["impostor_photos"], figures["impostor_people"]) == (4, 3)
    assert figures["pairs"] == 3 + 3 * 3
    assert figures["impostor"]["n"] == 9 * 2 + 4 * 3


def test_the_json_is_one_object_without_nan(tmp_path):
    """Also where nothing can be compared: one person, one photo."""
    write_photo(tmp_path / "people" / "EMP1" / "1.png", 1, 1)
    calibration = calibration_of(tmp_path / "people")
    figures = json.loads(json.dumps(as_json(calibration), allow_nan=False))
    assert figures["basis"] == Basis.NOTHING and figures["highest_impostor"] is None
    assert figures["single"] == ["EMP1"] and figures["points"][0]["fmr"] is None
    assert "nobody was compared with anybody else" in "\n".join(lines_of(calibration))
    assert ElementTree.fromstring(plot_of(calibration)).tag.endswith("svg")


def test_the_plot_is_a_picture_that_explains_itself(people):
    """Well-formed, with a title, words for both axes, a legend, bars, curves and the threshold's line."""
    svg = plot_of(calibration_of(people))
    root = ElementTree.fromstring(svg)
    words = " ".join(text.text for text in root.iter("{http://www.w3.org/2000/svg}text"))
    for each in ("How alike", "similarity (cosine)", "error rate", "share of the comparisons", "genuine:"):
        assert each in words
    assert "proposed threshold 0.4" in words and "FMR asked for: 0.1 %" in words
    kinds = {each.get("class") for each in root.iter()}
    assert {"bar genuine", "bar impostor", "curve genuine", "curve impostor", "threshold"} <= kinds
    assert "prefers-color-scheme: dark" in svg
    assert "nan" not in re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL).lower()


def test_a_name_is_escaped_in_the_plot(people):
    """A model's name is text, not markup."""
    calibration = calibration_of(people)
    object.__setattr__(calibration, "model_id", "<pack> & co")
    assert "<pack> & co" in "".join(ElementTree.fromstring(plot_of(calibration)).itertext())


def test_what_is_no_persons_folder_is_passed_over_aloud(people):
    """Loose photos and names that cannot be codes are said; hidden files and other files are not photos."""
    write_photo(people / "loose.png", 1, 1)
    write_photo(people / "EMP0" / "._0.png", 1, 1)
    (people / "back\\slash").mkdir()
    (people / "EMP0" / "list.csv").write_text("x")
    said: list[str] = []
    found = people_in(people, said.append)
    assert [person for person, _ in found] == ["EMP0", "EMP1", "EMP2"]
    assert [photo.name for photo in found[0][1]] == ["0.png", "1.png", "2.png"]
    assert len(said) == 2 and all("passed over" in each for each in said)


def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path):
    """A link that leads nowhere: the rest goes on."""
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    outcome = portrait(tmp_path / "gone.jpg", Reader())
    assert outcome.reason == "unreadable" and "No such file" in outcome.words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--people", "nowhere"], "There is no folder nowhere"),
        (["--people", "empty"], "No usable photo was found in empty"),
        (["--people", "people", "--impostors", "nowhere"], "There is no folder nowhere"),
        (["--people", "people", "--impostors", "empty"], "No photo was found in empty"),
        (["--people", "people", "--impostors", "people"], "impostors are people who are not enrolled"),
        (["--people", "people", "--fmr", "0"], "--fmr must be"),
        (["--people", "people", "--fmr", "1"], "--fmr must be"),
        (["--people", "people", "--fmr", "nan"], "--fmr must be"),
        (["--people", "people", "--plot", "nowhere/plot.svg"], "no folder nowhere for the plot"),
        (["--people", "people", "--plot", "empty"], "needs the name of a file"),
        (["--people", "people", "--models", "nowhere"], "There is no model pack nowhere"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    people, tmp_path, monkeypatch, capsys, arguments, words
):
    """Exit status 2 before any long work, and no plot left behind."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cli.main(["calibrate", *arguments]) == 2
    said = capsys.readouterr()
    assert words in said.err and said.out == ""
    assert not list(tmp_path.rglob("*.svg"))

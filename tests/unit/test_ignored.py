"""The folder of faces to ignore."""

import os

import cv2
import pytest

from edge_agent.core.geometry import Box
from edge_agent.ignored import IgnoredFaces
from tests.vision_world import TEXTURE, Scripted, ScriptedAnalyser, face_of, gallery_of

PORTRAIT = cv2.imencode(".jpg", TEXTURE)[1].tobytes()


@pytest.fixture
def analyser():
    return ScriptedAnalyser(faces=[Scripted("poster", Box(100, 100, 300, 300), similarity=0.95)])


@pytest.fixture
def ignored(tmp_path, analyser):
    complaints = []
    faces = IgnoredFaces(tmp_path / "ignore", analyser, complaints.append)
    faces.complaints = complaints
    return faces


def put(tmp_path, name, content=PORTRAIT):
    (tmp_path / "ignore").mkdir(exist_ok=True)
    path = tmp_path / "ignore" / name
    path.write_bytes(content)
    return path


def test_without_the_folder_nobody_is_ignored(ignored):
    """It is there to be made when it is needed; nothing is said about it."""
    assert ignored.anchors() == [] and ignored.complaints == []


def test_each_photo_is_an_anchor_and_is_embedded_once(tmp_path, ignored, analyser):
    """Two photos make two anchors; asked again, they cost nothing; a changed one is another anchor."""
    put(tmp_path, "a.jpg"), put(tmp_path, "b.JPG"), put(tmp_path, "notes.txt")
    first = ignored.anchors()
    assert len(first) == 2 and all(each.is_ignored and each.template_id < 0 for each in first)
    (match,) = gallery_of("ani").with_anchors(first).search(face_of("poster")[None])
    assert match.is_ignored and match.similarity > 0.9
    assert ignored.anchors() == first and analyser.embedded == 2
    os.utime(tmp_path / "ignore" / "a.jpg", (1, 1))
    second = ignored.anchors()
    assert analyser.embedded == 3 and len({each.template_id for each in [*first, *second]}) == 3
    (tmp_path / "ignore" / "b.JPG").unlink()
    assert ignored.anchors() == second[:1]


def test_a_photo_that_cannot_be_used_is_named_once(tmp_path, ignored):
    """The others are used all the same."""
    put(tmp_path, "bad.jpg", b"no picture"), put(tmp_path, "good.jpg")
    assert len(ignored.anchors()) == len(ignored.anchors()) == 1
    (words,) = ignored.complaints
    assert "bad.jpg is not used: The file is not a picture" in words

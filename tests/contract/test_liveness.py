"""The liveness checkers keep the promises of ports.LivenessChecker, on real models and real faces."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from edge_agent.adapters.face_analyser import InsightFaceAnalyser
from edge_agent.adapters.liveness import AveragedLiveness, LivenessModelError, load_liveness
from edge_agent.core.geometry import Box, Detection
from edge_agent.faces import find_faces, search_scale
from edge_agent.picture import ColourPicture, PlanarPicture
from tests.vision_world import detection_at

ROOT = Path(__file__).parents[2]
NAMES = ("2.7_80x80_MiniFASNetV2.onnx", "4_0_0_80x80_MiniFASNetV1SE.onnx")


@pytest.fixture(scope="module")
def files(shared_data) -> list[Path]:
    return [shared_data / "models" / "liveness" / name for name in NAMES]


@pytest.fixture(scope="module")
def checker(files) -> AveragedLiveness:
    return load_liveness(files)


@pytest.fixture(scope="module")
def analyser(shared_data) -> InsightFaceAnalyser:
    return InsightFaceAnalyser(shared_data / "models" / "field_sc")


@pytest.fixture(scope="module")
def corridor(shared_data) -> list[np.ndarray]:
    """Every tenth picture of the clip: people who walk up to a camera."""
    return frames_of(shared_data / "media" / "clips" / "corridor_three_720p.mp4", every=10)


def frames_of(clip: Path, *, every: int, most: int = 100) -> list[np.ndarray]:
    capture, found, number = cv2.VideoCapture(str(clip)), [], 0
    while len(found) < most and capture.grab():
        if number % every == 0:
            found.append(capture.retrieve()[1])
        number += 1
    capture.release()
    return found


def faces_in(picture: ColourPicture, analyser: InsightFaceAnalyser) -> list[Detection]:
    found = find_faces(picture, analyser, scale=search_scale(picture, analyser))
    return [each for each in found if each.score >= 0.5]


def scores_in(images, checker, analyser) -> list[float]:
    pictures = [ColourPicture(image) for image in images]
    found = [checker.liveness(each, faces_in(each, analyser)) for each in pictures]
    return [score for scores in found for score in scores if score is not None]


def held_up(photo: np.ndarray, room: np.ndarray, height: int = 400) -> np.ndarray:
    """Return the room with the photo in it as a print on paper: duller, softer, with a white margin."""
    small = cv2.resize(
        photo, None, fx=height / len(photo), fy=height / len(photo), interpolation=cv2.INTER_AREA
    )
    dull = cv2.GaussianBlur(small.astype(np.float32) * 0.75 + 45, (0, 0), 1.0)
    paper = cv2.copyMakeBorder(dull, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=(235, 235, 235))
    picture, top = room.copy(), (len(room) - len(paper)) // 2
    picture[top : top + len(paper), 400 : 400 + paper.shape[1]] = paper.clip(0, 255).astype(np.uint8)
    return cv2.GaussianBlur(picture, (0, 0), 0.6)


def test_every_whole_face_is_judged_within_0_and_1(checker, analyser, corridor):
    """One score a face, in order, the same again and the same one by one; none for no faces."""
    picture = ColourPicture(corridor[2])
    faces = faces_in(picture, analyser)
    scores = checker.liveness(picture, faces)
    assert len(scores) == len(faces) == 3
    assert all(score is not None and 0 <= score <= 1 for score in scores)
    assert checker.liveness(picture, faces) == scores
    assert [checker.liveness(picture, [each])[0] for each in faces] == scores
    assert checker.liveness(picture, []) == []


def test_a_face_at_the_edge_is_not_judged(checker):
    """None is a good answer: it is not "doubtful"."""
    picture = ColourPicture(np.full((720, 1280, 3), 90, np.uint8))
    assert checker.liveness(picture, [detection_at(Box(-60, 200, 60, 340))]) == [None]
    assert checker.liveness(picture, [detection_at(Box(0, 200, 120, 340))]) != [None]


def test_the_models_see_what_they_were_trained_on(files, checker, analyser, corridor):
    """BGR of 0 to 255 in an 80 × 80 patch, the second of three classes: worked out here once more by hand."""
    image = corridor[1]
    picture = ColourPicture(image)
    for face in faces_in(picture, analyser):
        expected = []
        for file, scale in zip(files, (2.7, 4.0), strict=True):
            session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
            (x, y), w, h = face.box.centre, face.box.width, face.box.height
            k = min(scale, 1279 / w, 719 / h)
            left = min(max(x - w * k / 2, 0), 1279 - w * k)
            top = min(max(y - h * k / 2, 0), 719 - h * k)
            patch = image[int(top) : int(top + h * k) + 1, int(left) : int(left + w * k) + 1]
            tensor = cv2.resize(patch, (80, 80)).transpose(2, 0, 1)[None].astype(np.float32)
            powers = np.exp(session.run(None, {"input": tensor})[0][0])
            expected.append(powers[1] / powers.sum())
        assert checker.liveness(picture, [face])[0] == pytest.approx(np.mean(expected), abs=1e-3)


def test_a_decoded_frame_scores_as_its_colours_do(checker, analyser, corridor):
    """Planes and BGR are the same picture; two conversions of colour move a score only a little."""
    colour = ColourPicture(corridor[2])
    packed = cv2.cvtColor(corridor[2], cv2.COLOR_BGR2YUV_I420)
    u, v = (packed[720 + 180 * n : 900 + 180 * n].reshape(360, 640) for n in range(2))
    faces = faces_in(colour, analyser)
    planar = checker.liveness(PlanarPicture(packed[:720], u, v), faces)
    assert planar == pytest.approx(checker.liveness(colour, faces), abs=0.15)


def test_people_score_above_prints_of_people(checker, analyser, corridor, shared_data):
    """Portraits held up on paper before a camera, against three people who walk: by far, in the median.

    The prints are made, not filmed, and single faces of both kinds fall on the wrong side.
    """
    media = shared_data / "media"
    room = frames_of(media / "clips" / "site_mix_720p.mp4", every=1, most=1)[0]
    portraits = [cv2.imread(str(each)) for each in sorted((media / "people").glob("*/*.jpg"))]
    prints = scores_in([held_up(each, room) for each in portraits], checker, analyser)
    people = scores_in(corridor, checker, analyser)
    assert len(prints) >= 8 and len(people) >= 10
    assert np.median(people) - np.median(prints) > 0.4


def test_a_file_that_is_no_liveness_model_is_refused(shared_data, files, tmp_path):
    """A face detector, and a MiniFASNet of which the name does not tell what it looks at."""
    renamed = tmp_path / "spoof.onnx"
    renamed.symlink_to(files[0])
    with pytest.raises(LivenessModelError, match=r"spoof\.onnx.*2\.7_80x80_"):
        load_liveness([renamed])
    with pytest.raises(LivenessModelError, match="neither a MiniFASNet nor insightface's"):
        load_liveness([shared_data / "models" / "field_sc" / "det_500m.onnx"])


@pytest.fixture
def addon_like(tmp_path) -> Path:
    """A file with the inputs and outputs of insightface's addon; its answer is the mean of the green."""
    onnx = pytest.importorskip("onnx")
    given = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["N", 3, 80, 80])
    answer = onnx.helper.make_tensor_value_info("live", onnx.TensorProto.FLOAT, ["N"])
    nodes = [
        onnx.helper.make_node("Gather", ["input", "one"], ["green"], axis=1),
        onnx.helper.make_node("ReduceMean", ["green"], ["live"], axes=[1, 2], keepdims=0),
    ]
    index = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [], [1])
    graph = onnx.helper.make_graph(nodes, "addon", [given], [answer], [index])
    opset = [onnx.helper.make_opsetid("", 13)]
    file = tmp_path / "liveness.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(file))
    return file


def test_insightfaces_addon_is_known_by_its_answer(addon_like, files):
    """Its own crop, its own refusal of a face at the edge; averaged with MiniFASNet when both are asked."""
    image = np.zeros((720, 1280, 3), np.uint8)
    image[:, :, 1] = 153
    picture = ColourPicture(image)
    middle, corner = detection_at(Box(600, 300, 712, 412)), detection_at(Box(0, 0, 112, 112))
    addon = load_liveness([addon_like])
    inside, outside = addon.liveness(picture, [middle, corner])
    assert inside == pytest.approx(0.6, abs=0.01) and outside is None
    both = load_liveness([addon_like, files[0]]).liveness(picture, [middle])[0]
    own = load_liveness([files[0]]).liveness(picture, [middle])[0]
    assert both == pytest.approx((inside + own) / 2, abs=1e-6)


def test_identify_shows_it_when_asked(shared_data, files):
    """One more key a line; the same three people, who are named whatever the score says."""
    media = shared_data / "media"
    arguments = [media / "clips" / "corridor_three_720p.mp4", "--people", media / "people", "--json"]
    arguments += ["--models", shared_data / "models" / "field_sc", "--liveness", *files]
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "identify", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    *appearances, _ = map(json.loads, done.stdout.splitlines())
    assert len([each for each in appearances if each["employee_id"]]) == 3
    assert all(set(each["liveness"]) == {"score", "looks"} for each in appearances)
    assert all(0 <= each["liveness"]["score"] <= 1 and each["liveness"]["looks"] for each in appearances)


def test_identify_refuses_a_file_that_is_not_there(shared_data):
    """Exit status 2 and one sentence."""
    media = shared_data / "media"
    arguments = [media / "clips" / "corridor_three_720p.mp4", "--people", media / "people"]
    arguments += ["--models", shared_data / "models" / "field_sc", "--liveness", "nowhere.onnx"]
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "identify", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no file nowhere.onnx" in done.stderr and "Traceback" not in done.stderr

"""Every recognition engine keeps the promises of ports.FaceAnalyser, on real faces."""

import importlib.util
import warnings

import cv2
import numpy as np
import pytest

from deploy.demo import scene
from edge_agent.core.geometry import Detection
from edge_agent.enrolment import Enrolled, Refused, embed_portrait
from edge_agent.faces import embed_faces, find_faces, search_scale
from edge_agent.picture import ColourPicture
from edge_agent.ports import FaceAnalyser


@pytest.fixture(scope="module", params=["dlib", "insightface"])
def analyser(request) -> FaceAnalyser:
    """The dlib engine, which any machine can have, and a real InsightFace pack where there is one."""
    if request.param == "dlib":
        if importlib.util.find_spec("dlib") is None:
            pytest.skip("the dlib packages are not installed")
        from edge_agent.adapters.face_analyser_dlib import DlibAnalyser

        return DlibAnalyser()
    from edge_agent.adapters.face_analyser import InsightFaceAnalyser

    return InsightFaceAnalyser(request.getfixturevalue("shared_data") / "models" / "field_sc")


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return scene.group_photograph()


def found_in(image: np.ndarray, analyser: FaceAnalyser) -> list[Detection]:
    picture = ColourPicture(image)
    return find_faces(picture, analyser, scale=search_scale(picture, analyser))


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def embedding_of(photo: np.ndarray, analyser: FaceAnalyser) -> np.ndarray:
    outcome = embed_portrait(jpeg(photo), analyser)
    assert isinstance(outcome, Enrolled), outcome
    return outcome.embedding


def test_all_six_faces_are_found_where_they_are(analyser, photograph):
    """Best first, each on its own face, the landmarks inside the box."""
    found = [each for each in found_in(photograph, analyser) if each.score >= 0.5]
    assert len(found) == 6
    scores = [each.score for each in found_in(photograph, analyser)]
    assert all(0 <= score <= 1 for score in scores)
    for x, y, width, height in scene.FACES:
        middle = (x + width / 2, y + height / 2)
        own = [each for each in found if each.box.left < middle[0] < each.box.right]
        own = [each for each in own if each.box.top < middle[1] < each.box.bottom]
        assert len(own) == 1
        box, points = own[0].box.grown(1.3), own[0].landmarks
        assert points.shape == (5, 2)
        assert (box.left < points[:, 0]).all() and (points[:, 0] < box.right).all()


def test_embeddings_are_unit_rows_in_the_order_asked_for(analyser, photograph):
    """n × dimension float32; several at once give what each gives alone; none gives no rows."""
    found = found_in(photograph, analyser)[:4]
    together = embed_faces(ColourPicture(photograph), found, analyser)
    assert together.shape == (4, analyser.dimension)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for each, row in zip(found, together, strict=True):
        alone = embed_faces(ColourPicture(photograph), [each], analyser)[0]
        assert float(alone @ row) > 0.9999
    assert analyser.embed([]).shape == (0, analyser.dimension)


def test_a_person_is_like_themselves_and_unlike_the_others(analyser, photograph):
    """A darker, noisier picture of one of the six is theirs by the engine's own threshold and margin."""
    enrolled = [embedding_of(scene.portrait(photograph, person), analyser) for person in range(6)]
    noise = np.random.default_rng(3).normal(0, 6, photograph.shape)
    worse = np.clip(photograph * 0.7 + noise, 0, 255).astype(np.uint8)
    for person in range(6):
        probe = embedding_of(scene.portrait(worse, person), analyser)
        similarities = sorted(((float(probe @ each), who) for who, each in enumerate(enrolled)), reverse=True)
        (best, who), (second, _) = similarities[:2]
        assert who == person
        assert best >= analyser.policy.threshold and best - second >= analyser.policy.margin


def test_photos_that_cannot_be_used_are_refused_with_the_reason(analyser, photograph):
    """No face, six faces, a torn file, a tiny face: each has its own word."""
    nothing = np.full((400, 300, 3), 120, np.uint8)
    tiny = cv2.resize(scene.portrait(photograph, 0), (64, 70), interpolation=cv2.INTER_AREA)
    reasons = {
        "no_face": jpeg(nothing),
        "several_faces": jpeg(photograph),
        "corrupt": jpeg(photograph)[:200],
        "too_small": jpeg(cv2.copyMakeBorder(tiny, 40, 40, 40, 40, cv2.BORDER_REPLICATE)),
    }
    for reason, photo in reasons.items():
        outcome = embed_portrait(photo, analyser)
        allowed = {reason, "no_face"} if reason == "too_small" else {reason}  # too small even to be found
        assert isinstance(outcome, Refused) and outcome.reason in allowed


def test_insightface_s_own_path_gives_the_same_embedding(shared_data, photograph):
    """Our alignment and batching change nothing: cosine at least 0.999 with FaceAnalysis, face by face."""
    from insightface.model_zoo import get_model
    from insightface.utils import face_align

    from edge_agent.adapters.face_analyser import InsightFaceAnalyser

    pack = shared_data / "models" / "field_sc"
    ours = InsightFaceAnalyser(pack)
    theirs = get_model(str(pack / "mobilefacenet_arcface_y1.onnx"), providers=["CPUExecutionProvider"])
    found = found_in(photograph, ours)
    for each, row in zip(found, embed_faces(ColourPicture(photograph), found, ours), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-image's, about a call that insightface still makes
            crop = face_align.norm_crop(photograph, each.landmarks, 112)
        feature = theirs.get_feat(crop).ravel()
        assert float(feature @ row) / np.linalg.norm(feature) >= 0.999

"""What the real pipeline costs on a camera's own pictures, measured after a look through it."""

import time
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.adapters.decoding import LATE_DECODERS
from edge_agent.adapters.shared_analyser import UPRIGHT
from edge_agent.config import CameraConfig
from edge_agent.core.attention import GREY, AttentionPolicy
from edge_agent.core.capacity import CameraCost
from edge_agent.core.gallery import Gallery
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline
from edge_agent.ports import FaceAnalyser
from edge_agent.searching import Search, Tally

QUIET_S = 5.0  # how often the whole picture is searched though nothing moves
WHOLE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
LEAST_BUSY = 3  # pictures with faces, from which they are a measure
EVERYTHING = AttentionPolicy(is_gated=False)


def cost_of(
    camera: CameraConfig,
    analyser: FaceAnalyser,
    faces: Sequence[Frame],
    last: Frame,
    decode_ms: float,
) -> CameraCost:
    """Return the cost of camera; faces are pictures in which somebody was, last is any.

    Nothing else may be at work in this process meanwhile: its processor time is what is measured.
    """
    is_seen = len(faces) >= LEAST_BUSY
    return CameraCost(
        width=last.picture.width,
        height=last.picture.height,
        fps=camera.sample_fps,
        decode_ms=decode_ms,
        busy_ms=_pipeline_ms(camera, analyser, faces) if is_seen else _by_parts_ms(camera, analyser, last),
        quiet_ms=_quiet_ms(camera, analyser, last),
        rests=camera.rests and camera.decode not in LATE_DECODERS,
        is_seen=is_seen,
    )


def _pipeline(camera: CameraConfig, analyser: FaceAnalyser) -> CameraPipeline:
    nobody = Gallery.empty(analyser.model_id)
    return CameraPipeline(camera, analyser, analyser.policy, "check", lambda: nobody)


def _timed(pipeline: CameraPipeline, frames: Sequence[Frame], step_ms: float) -> float:
    """Return the processor time of one of frames, in ms, as if they came step_ms apart."""
    began = time.process_time()
    for number, frame in enumerate(frames):
        at = round(1000 + number * step_ms)
        pipeline.process(Frame(frame.picture, at, at, number))
    return (time.process_time() - began) * 1000 / len(frames)


def _pipeline_ms(camera: CameraConfig, analyser: FaceAnalyser, frames: Sequence[Frame]) -> float:
    return _timed(_pipeline(camera, analyser), frames, 1000 / camera.sample_fps)


def _quiet_ms(camera: CameraConfig, analyser: FaceAnalyser, frame: Frame) -> float:
    empty = replace(frame, picture=frame.picture.without((WHOLE,)))  # whoever sits there is not nothing
    pipeline = _pipeline(camera, analyser)
    pipeline.process(replace(empty, ts=0, mono=0))  # the first picture is searched whole; it is one of many
    return _timed(pipeline, [empty] * round(QUIET_S * camera.sample_fps + 1), 1000 / camera.sample_fps)


def _by_parts_ms(camera: CameraConfig, analyser: FaceAnalyser, frame: Frame) -> float:
    """Return the price of a whole search, and of two faces embedded a second: what a passer-by would cost."""
    began = time.process_time()
    search = Search(analyser, Tally(), EVERYTHING, camera.watch, camera.search_px)
    search.faces(frame, frame.picture.grey(GREY), [], is_cut=False)
    searched = time.process_time()
    image = frame.picture.cut().image
    analyser.embed([analyser.aligned(image, UPRIGHT)])
    embedded = time.process_time()
    return 1000 * ((searched - began) + 2 * (embedded - searched) / camera.sample_fps)

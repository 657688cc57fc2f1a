"""`hadir agent check`: everything a technician wants to know before leaving, each thing in one line."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from common.events import CameraState
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import Identity, IdentityError, load_identity
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.adapters.video_source import VideoSource
from edge_agent.agent import Paths
from edge_agent.config import CameraConfig, EdgeConfig
from edge_agent.engines import NoEngineError, NoLivenessError, choose_engine, choose_liveness
from edge_agent.faces import find_faces, search_scale
from edge_agent.ports import FaceAnalyser

LOOK_S = 6.0


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    is_good: bool
    words: str


def findings(config: EdgeConfig, say: Callable[[str], None]) -> Iterator[Finding]:
    """Yield what was found, as it is found."""
    yield Finding("configuration", True, f"{len(config.cameras)} cameras")
    try:
        identity = load_identity(Paths(config.home).identity)
    except IdentityError as error:
        yield Finding("identity", False, str(error))
    else:
        yield Finding("identity", True, f"{identity.agent_id} of {identity.site_name}")
        yield _server(identity)
        yield _broker(identity)
    try:
        analyser = choose_engine(
            config.models, allow_dlib=config.allow_dlib, allow_download=config.allow_download, say=say
        )
    except NoEngineError as error:
        yield Finding("recogniser", False, str(error))
        return
    yield Finding("recogniser", True, f"{analyser.engine}, {analyser.model_id}")
    if config.liveness:
        yield _liveness(config, say)
    for camera in config.cameras:
        yield _camera(camera, analyser)


def _liveness(config: EdgeConfig, say: Callable[[str], None]) -> Finding:
    try:
        choose_liveness(config.liveness, say=say)
    except NoLivenessError as error:
        return Finding("liveness", False, str(error))
    return Finding("liveness", True, f"observed with {len(config.liveness)} models")


def _server(identity: Identity) -> Finding:
    try:
        manifest = CentralAPI(identity.server_url, identity.token).manifest()
    except CentralError as error:
        return Finding("server", False, str(error))
    off_s = time.time() - manifest.issued / 1000
    words = f"{identity.server_url} knows this agent; the clocks differ by {abs(off_s):.1f} s"
    return Finding("server", abs(off_s) < 60, words)


def _broker(identity: Identity) -> Finding:
    broker = identity.broker
    try:
        reach(broker.host, broker.port)
    except LinkError as error:
        return Finding("broker", False, str(error))
    return Finding("broker", True, f"{broker.host}:{broker.port} is there")


def _camera(camera: CameraConfig, analyser: FaceAnalyser) -> Finding:
    """Look through the camera for a few seconds."""
    source, until, frames, faces = VideoSource(camera), time.monotonic() + LOOK_S, 0, 0
    source.start()
    size = ""
    try:
        while time.monotonic() < until:
            if (frame := source.take(0.5)) is not None:
                frames += 1
                picture = frame.picture
                found = find_faces(picture, analyser, scale=search_scale(picture, analyser))
                faces = max(faces, len(found))
                size = f"{picture.width}x{picture.height}"
        health = source.health()
    finally:
        source.stop()
    where = f"camera {camera.camera_id}"
    if not frames:
        return Finding(
            where, False, f"no picture from {camera.shown_url} ({health.reason.value or 'timeout'})"
        )
    words = f"{size}, {health.fps:.1f} pictures/s, up to {faces} faces at once"
    return Finding(where, health.state is CameraState.ONLINE, words)

"""`hadir agent check`: everything a technician wants to know before leaving, each thing in one line."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from common.events import CameraReason
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.hardware import probe_hardware
from edge_agent.adapters.identity_file import Identity, IdentityError, load_identity
from edge_agent.adapters.mqtt_link import LinkError, reach
from edge_agent.agent import Paths
from edge_agent.camera_words import advice_words, face_words, numbers, picture_words
from edge_agent.config import CameraConfig, EdgeConfig
from edge_agent.core.suitability import Verdict, suitability
from edge_agent.engines import NoEngineError, NoLivenessError, choose_engine, choose_liveness
from edge_agent.look_through import NoPictureError, look_through
from edge_agent.ports import FaceAnalyser


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    is_good: bool
    words: str
    is_advice: bool = False  # what to change, rather than what is
    numbers: Mapping[str, object] = field(default_factory=dict)  # of a camera, for a machine


def findings(
    config: EdgeConfig,
    say: Callable[[str], None],
    *,
    cameras: Sequence[CameraConfig] | None = None,
    look_s: float = 6.0,
) -> Iterator[Finding]:
    """Yield what was found, as it is found; look for look_s through each of cameras (all of them)."""
    yield Finding("configuration", True, _cameras(len(config.cameras)))
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
            config.models,
            allow_dlib=config.allow_dlib,
            allow_download=config.allow_download,
            execution=config.execution,
            say=say,
        )
    except NoEngineError as error:
        yield Finding("recogniser", False, str(error))
        return
    yield Finding("recogniser", True, f"{analyser.engine}, {analyser.model_id}")
    if config.liveness:
        yield _liveness(config, say)
    if config.ignore_dir and not config.ignore_dir.is_dir():
        yield Finding("ignore_dir", False, f"there is no folder {config.ignore_dir}")
    yield _decoding()
    for camera in config.cameras if cameras is None else cameras:
        say(f"Looking through {camera.camera_id} for {look_s:g} s: let somebody walk past as they would.")
        yield from _camera(camera, analyser, look_s)


def _decoding() -> Finding:
    probes = list(probe_hardware())
    working = [each.name for each in probes if each.works]
    others = ", ".join(f"{each.name} ({each.words})" for each in probes if not each.works)
    usable = ", ".join(["software", *working])
    return Finding("decoding", True, f"usable here: {usable}" + (f"; not: {others}" if others else ""))


def _liveness(config: EdgeConfig, say: Callable[[str], None]) -> Finding:
    try:
        choose_liveness(config.liveness, say=say)
    except NoLivenessError as error:
        return Finding("liveness", False, str(error))
    return Finding("liveness", True, f"observed with {len(config.liveness)} models")


def _server(identity: Identity) -> Finding:
    try:
        manifest = CentralAPI.of(identity).manifest()
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


def _cameras(count: int) -> str:
    if not count:
        return "no cameras yet: add them on the dashboard, or in this box's file"
    return f"{count} camera{'' if count == 1 else 's'}"


def _why(camera: CameraConfig, reason: CameraReason) -> str:
    """Return why there is no picture, in words where the bare reason would lead astray."""
    is_file = "://" not in camera.searched_url and not camera.searched_url.startswith("webcam:")
    if is_file and reason is CameraReason.REFUSED:
        return "there is no such file"
    if is_file and reason is CameraReason.ENDED:
        return "the file ended; with loop: yes it starts again"
    if reason is CameraReason.DECODE and camera.decode != "software":
        return f"decode: {camera.decode} shows nothing of it; the line decoding tells what works here"
    if is_file and reason is CameraReason.DECODE:
        return "it is not a video that can be read"
    return reason.value


def _camera(camera: CameraConfig, analyser: FaceAnalyser, look_s: float) -> Iterator[Finding]:
    """Yield how the picture is, how the faces are, and what to change."""
    where = f"camera {camera.camera_id}"
    try:
        look = look_through(camera, analyser, look_s)
    except NoPictureError as error:
        yield Finding(where, False, f"no picture from {camera.shown_url} ({_why(camera, error.reason)})")
        return
    judged = suitability(look)
    is_good = judged.verdict is not Verdict.POOR
    is_whole = look.broke_off in (CameraReason.NONE, CameraReason.ENDED)
    yield Finding(where, is_whole, picture_words(look, judged))
    yield Finding(where, is_good, face_words(look, judged), numbers=numbers(look, judged))
    for words in advice_words(look, judged):
        yield Finding(where, is_good, words, is_advice=True)

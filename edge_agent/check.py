"""`hadir agent check`: everything a technician wants to know before leaving, each thing in one line."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from common.events import CameraReason
from edge_agent import check_box, check_link
from edge_agent.adapters import vitals
from edge_agent.adapters.hardware import probe_hardware
from edge_agent.adapters.identity_file import IdentityError, load_identity
from edge_agent.adapters.live_socket import NotRunningError, read_live
from edge_agent.agent import Paths
from edge_agent.camera_words import advice_words, face_words, numbers, picture_words
from edge_agent.config import CameraConfig, EdgeConfig
from edge_agent.core.capacity import CameraCost
from edge_agent.core.suitability import Advice, CameraLook, Verdict, suitability
from edge_agent.engines import NoEngineError, NoLivenessError, choose_engine, choose_liveness
from edge_agent.finding import Finding
from edge_agent.look_through import NoPictureError, look_through
from edge_agent.ports import FaceAnalyser

Say = Callable[[str], None]
IDLE_S = 1.5  # of watching how busy the box is before the cameras are looked through


def findings(
    config: EdgeConfig,
    say: Say,
    *,
    cameras: Sequence[CameraConfig] | None = None,
    look_s: float = 6.0,
) -> Iterator[Finding]:
    """Yield what was found, as it is found; look for look_s through each of cameras (all of them)."""
    yield Finding("configuration", True, _cameras(len(config.cameras)))
    yield from _link(config, say)
    say("Looking at the box itself.")
    yield from check_box.disk(config)
    yield check_box.memory()
    yield from check_box.heat()
    use, free_mb = vitals.use_over(IDLE_S), vitals.memory().free_mb
    say("Loading the recogniser.")
    analyser = yield from _recogniser(config, say)
    say("Trying the decoders of this box.")
    yield _decoding()
    costs: dict[str, CameraCost] = {}
    looked_at = config.cameras if cameras is None else cameras
    for number, camera in enumerate(looked_at, 1):
        where = f"{camera.camera_id} ({number} of {len(looked_at)}) for {look_s:g} s"
        say(f"Looking through {where}: let somebody walk past as they would.")
        look = yield from _camera(camera, analyser, look_s)
        if look is not None and look.cost is not None:
            costs[camera.camera_id] = look.cost
    if costs:
        is_running = _is_running(config.home)
        yield check_box.bears(costs, use=use, free_mb=free_mb, is_running=is_running)


def _is_running(home: Path) -> bool:
    try:
        return bool(read_live(home))
    except NotRunningError:
        return False


def _link(config: EdgeConfig, say: Say) -> Iterator[Finding]:
    yield check_link.clock()
    try:
        identity = load_identity(Paths(config.home).identity)
    except IdentityError as error:
        yield Finding("identity", False, str(error))
        return
    yield Finding("identity", True, f"{identity.agent_id} of {identity.site_name}")
    say(f"Asking the server, {identity.server_url}.")
    yield check_link.server(identity)
    say(f"Logging in at the broker, {identity.broker.host}:{identity.broker.port}.")
    yield from check_link.broker(identity, config.home)


def _recogniser(config: EdgeConfig, say: Say) -> Generator[Finding, None, FaceAnalyser | None]:
    """Yield whether faces can be recognised; return the recogniser, None without one."""
    analyser = None
    try:
        analyser = choose_engine(
            config.models,
            allow_dlib=config.allow_dlib,
            allow_download=config.allow_download,
            execution=config.execution,
            say=say,
        )
    except NoEngineError as error:
        yield Finding("recogniser", False, f"{error} The cameras are looked through without it.")
    else:
        yield Finding("recogniser", True, f"{analyser.engine}, {analyser.model_id}")
    if config.liveness:
        yield _liveness(config, say)
    if config.ignore_dir and not config.ignore_dir.is_dir():
        yield Finding("ignore_dir", False, f"there is no folder {config.ignore_dir}")
    return analyser


def _decoding() -> Finding:
    probes = list(probe_hardware())
    working = [each.name for each in probes if each.works]
    others = ", ".join(f"{each.name} ({each.words})" for each in probes if not each.works)
    usable = ", ".join(["software", *working])
    return Finding("decoding", True, f"usable here: {usable}" + (f"; not: {others}" if others else ""))


def _liveness(config: EdgeConfig, say: Say) -> Finding:
    try:
        choose_liveness(config.liveness, say=say)
    except NoLivenessError as error:
        return Finding("liveness", False, str(error))
    return Finding("liveness", True, f"observed with {len(config.liveness)} models")


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


def _camera(
    camera: CameraConfig, analyser: FaceAnalyser | None, look_s: float
) -> Generator[Finding, None, CameraLook | None]:
    """Yield how the picture is, how the faces are, and what to change; return the look, None without one."""
    where = f"camera {camera.camera_id}"
    try:
        look = look_through(camera, analyser, look_s)
    except NoPictureError as error:
        yield Finding(where, False, f"no picture from {camera.shown_url} ({_why(camera, error.reason)})")
        return None
    judged = suitability(look)
    is_good = judged.verdict is not Verdict.POOR
    is_whole = look.broke_off in (CameraReason.NONE, CameraReason.ENDED)
    yield Finding(where, is_whole, picture_words(look, judged))
    if analyser is None:
        yield Finding(where, is_good, "faces were not looked for", numbers=numbers(look, judged))
    else:
        yield Finding(where, is_good, face_words(look, judged), numbers=numbers(look, judged))
    for advice, words in zip(judged.advice, advice_words(look, judged), strict=True):
        if analyser is not None or advice is not Advice.NOBODY:
            yield Finding(where, is_good, words, is_advice=True)
    return look

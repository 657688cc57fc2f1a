"""The root of `hadir agent run`: one box, models loaded once, many cameras, one link to the server."""

import faulthandler
import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import VERSION
from common.events import Birth, CameraHealth, CameraInfo, CameraStatus, Heartbeat
from edge_agent.adapters import machine
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.gallery_file import GalleryFile
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.live_socket import LiveSocket
from edge_agent.adapters.mqtt_link import AgentVoice, MQTTLink
from edge_agent.adapters.outbox import Outbox, OutboxDamaged, SpoolLimits, reported_to
from edge_agent.adapters.service_notice import ServiceNotice
from edge_agent.adapters.shared_analyser import shared
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig, EdgeConfig, MatchOverrides
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.memory import MemoryWatch
from edge_agent.core.pulse import Pulse, status_words
from edge_agent.errands import Errands
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.ignored import IgnoredFaces
from edge_agent.live_report import LiveReport
from edge_agent.liveness import LivenessWatch
from edge_agent.pipeline import CameraPipeline
from edge_agent.ports import FaceAnalyser
from edge_agent.recorder import Recorder
from edge_agent.watchdog import Watchdog

log = logging.getLogger("hadir.agent")

WATCH_EVERY_S = 0.5
STOP_S = 15.0  # for all cameras; systemd allows 30 for everything
EXIT_OK, EXIT_THREAD_DIED, EXIT_LEAKED = 0, 70, 70  # systemd starts the agent again after either


@dataclass(frozen=True, slots=True)
class Paths:
    """What the agent keeps, below its home."""

    home: Path

    @property
    def identity(self) -> Path:
        return self.home / "identity.json"

    @property
    def spool(self) -> Path:
        return self.home / "spool.db"

    @property
    def gallery(self) -> Path:
        return self.home / "gallery.db"

    @property
    def ignore(self) -> Path:
        return self.home / "ignore"

    @property
    def crops(self) -> Path:
        return self.home / "crops"


class Agent:
    """Everything wired together. `run` returns when it is told to stop, or when a part of it died."""

    def __init__(
        self,
        config: EdgeConfig,
        identity: Identity,
        analyser: FaceAnalyser,
        liveness: LivenessWatch | None = None,
    ) -> None:
        paths = Paths(config.home)
        self._config, self._identity, self._analyser = (
            config,
            identity,
            shared(analyser, config.execution.workers or machine.processors()),
        )
        self._liveness = liveness
        self._policy = policy_of(analyser.policy, config.match)
        limits = SpoolLimits(config.spool.max_mb * 1_000_000, int(config.spool.max_days * 86_400_000))
        self._outbox = open_spool(paths.spool, identity, limits)
        self._keeper = GalleryKeeper(
            GalleryFile(paths.gallery),
            identity.manifest_key,
            analyser.model_id,
            analyser.dimension,
            IgnoredFaces(config.ignore_dir or paths.ignore, self._analyser, log.warning).anchors,
        )
        crops = Evidence(paths.crops, config.snapshots.days) if config.snapshots.enabled else None
        self._recorder = Recorder(
            self._outbox, crops, model_id=analyser.model_id, gallery_gen=lambda: self._keeper.gen
        )
        self._cameras = [self._worker(camera) for camera in config.cameras]
        api = CentralAPI(identity.server_url, identity.token, analyser.model_id)
        self._errands = Errands(
            api,
            self._keeper,
            self._analyser,
            self._outbox,
            crops,
            lambda result: self._link.send_result(result),
        )
        self._link = MQTTLink(identity, self._outbox, self._voice(), heartbeat_s=config.heartbeat_s)

    def _live(self) -> LiveSocket:
        report = LiveReport(
            identity=self._identity,
            config=self._config,
            model_id=self._analyser.model_id,
            link=self._link,
            outbox=self._outbox,
            recorder=self._recorder,
            keeper=self._keeper,
            cameras=self._camera_health,
            started_s=time.monotonic(),
        )
        return LiveSocket(self._config.home, report)

    def _worker(self, camera: CameraConfig) -> CameraWorker:
        def pipeline() -> CameraPipeline:
            return CameraPipeline(
                camera,
                self._analyser,
                self._policy,
                secrets.token_hex(6),  # of each pipeline its own, so that track ids never repeat
                self._keeper.current,
                still_every_s=self._config.still_every_s,
                liveness=self._liveness,
            )

        return CameraWorker(camera, pipeline, self._recorder.put)

    def _voice(self) -> AgentVoice:
        api = CentralAPI(self._identity.server_url, self._identity.token)  # the link's own: another thread
        return AgentVoice(
            birth=self._birth,
            heartbeat=self._heartbeat,
            cameras=self._camera_states,
            on_manifest=self._errands.hear,
            on_command=self._errands.do,
            post_events=api.post_events,
        )

    def warm_up(self) -> None:
        """Take the memory for a crowd now, and find out now if there is not enough."""
        if self._analyser.engine == "insightface":
            self._analyser.warm_up()

    def run(self, stop: threading.Event) -> int:
        """Work until stop is set; return an exit status. A part that died ends it all, with its name."""
        parts: list[Any] = [self._recorder, self._errands, self._link, *self._cameras]
        for part in parts:
            part.start()
        who, cameras = self._identity.agent_id, len(self._cameras)
        log.info("Hadir %s, %s: %d cameras, model %s", VERSION, who, cameras, self._analyser.model_id)
        notice = ServiceNotice()
        watchdog = Watchdog(notice, self._pulses, self._status_words)
        live = self._live()
        live.start()
        notice.ready()
        status, memory = EXIT_OK, MemoryWatch(time.monotonic())
        while not stop.wait(WATCH_EVERY_S):
            if dead := [_name(part) for part in parts if not part.is_alive()]:
                log.critical("%s died or hangs: the agent ends, to be started again", " and ".join(dead))
                status = EXIT_THREAD_DIED
                break
            watchdog.look(time.monotonic())
            memory = memory.read(time.monotonic(), machine.rss_mb())
            if memory.has_leaked:
                log.critical("%s: the agent ends, to be started again; no event is lost", memory.words)
                status = EXIT_LEAKED
                break
        notice.stopping()
        live.stop()
        _stop_together(self._cameras)
        for part in (self._recorder, self._errands, self._link):
            part.stop()
        waiting = self._outbox.state().depth
        self._outbox.close()
        log.info("stopped; %d events wait for the next start", waiting)
        return status

    # -- what systemd is told --------------------------------------------------------------------------------

    def _pulses(self) -> Iterable[Pulse]:
        yield from (pulse for camera in self._cameras for pulse in camera.pulses())
        yield from (self._recorder.pulse(), self._link.pulse())

    def _status_words(self, stuck: Sequence[str]) -> str:
        states = [camera.health().state for camera in self._cameras]
        return status_words(self._link.phase.value, states, self._outbox.state().depth, stuck)

    # -- what the link asks for; all of it quick -------------------------------------------------------------

    def _birth(self, sid: str) -> Birth:
        self._errands.server_is_back()
        spool = self._outbox.state()
        return Birth(
            sid=sid,
            ts=_now_ms(),
            version=VERSION,
            model_id=self._analyser.model_id,
            engine=self._analyser.engine,
            epoch=self._outbox.epoch,
            cameras=tuple(
                CameraInfo(camera_id=each.camera_id, name=each.name, zone=each.zone)
                for each in self._config.cameras
            ),
            gallery_gen=self._keeper.gen,
            spool_depth=spool.depth,
            spool_dropped=spool.dropped,
            extra=dict(self._analyser.execution),
        )

    def _heartbeat(self, sid: str) -> Heartbeat:
        now = _now_ms()  # first: what comes into being from here on is later than this
        in_hand = [ts for camera in self._cameras for ts in camera.in_hand()]
        in_hand += self._recorder.in_hand()
        spool = self._outbox.state()
        return Heartbeat(
            sid=sid,
            ts=now,
            reported_to=reported_to(now, spool, in_hand),
            clock=machine.clock_now(),
            spool_depth=spool.depth,
            spool_oldest_ts=spool.oldest_ts,
            gallery_gen=self._keeper.gen,
            interval_s=self._config.heartbeat_s,
            cameras=tuple(self._camera_health()),
            temperature_c=machine.temperature_c(),
            disk_free_mb=machine.disk_free_mb(self._config.home),
            cpu_percent=machine.load_percent(),
            extra={"rss_mb": machine.rss_mb()},
        )

    def _camera_health(self) -> Iterable[CameraHealth]:
        for worker in self._cameras:
            health = worker.health()
            yield CameraHealth(
                camera_id=worker.camera.camera_id,
                state=health.state,
                since=health.since_ms,
                reason=health.reason,
                fps=round(health.fps, 2),
                last_frame_age_ms=health.last_frame_age_ms,
            )

    def _camera_states(self) -> list[CameraStatus]:
        return [
            CameraStatus(
                camera_id=each.camera_id, state=each.state, since=each.since, ts=_now_ms(), reason=each.reason
            )
            for each in self._camera_health()
        ]


def run_agent(
    config: EdgeConfig, identity: Identity, analyser: FaceAnalyser, liveness: LivenessWatch | None = None
) -> int:
    """Run until SIGINT or SIGTERM; return the exit status."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    faulthandler.enable()  # systemd's watchdog ends with SIGABRT: where every thread hung goes to the journal
    machine.share_heaps()
    agent = Agent(config, identity, analyser, liveness)
    agent.warm_up()
    status = agent.run(stop)
    if status != EXIT_OK:  # a thread may hang for good, and would keep this process from ending
        logging.shutdown()
        os._exit(status)
    return status


def _stop_together(cameras: Iterable[CameraWorker]) -> None:
    """Stop all cameras at once: one that does not answer takes seconds, and there may be many."""
    stops = [threading.Thread(target=each.stop, daemon=True) for each in cameras]
    until = time.monotonic() + STOP_S
    for each in stops:
        each.start()
    for each in stops:
        each.join(max(0.0, until - time.monotonic()))


def policy_of(default: MatchPolicy, overrides: MatchOverrides) -> MatchPolicy:
    """Return the model's own policy, with what the configuration says otherwise."""
    changes = {"threshold": overrides.threshold, "margin": overrides.margin}
    return replace(default, **{name: value for name, value in changes.items() if value is not None})


def open_spool(path: Path, identity: Identity, limits: SpoolLimits) -> Outbox:
    """Return the spool. A damaged one is set aside, for somebody to look at, and a new one begins."""
    try:
        return Outbox(path, identity.agent_id, limits)
    except OutboxDamaged as error:
        aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        log.error("%s; it is now %s, and a new spool begins", error, aside.name)
        return Outbox(path, identity.agent_id, limits)


def _name(part: Any) -> str:
    return f"camera {part.camera.camera_id}" if isinstance(part, CameraWorker) else type(part).__name__


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

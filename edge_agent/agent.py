"""The root of `hadir agent run`: one box, models loaded once, many cameras, one link to the server."""

import logging
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import VERSION
from common.events import Birth, CameraHealth, CameraInfo, CameraStatus, CommandResult, Heartbeat
from common.topics import AgentTopics
from edge_agent.adapters import machine
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.gallery_file import GalleryFile
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.mqtt_link import MQTTLink
from edge_agent.adapters.outbox import Outbox, OutboxDamaged, SpoolLimits, reported_to
from edge_agent.adapters.shared_analyser import shared
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig, EdgeConfig, MatchOverrides
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.memory import MemoryWatch
from edge_agent.errands import Errands
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.hearing import AgentVoice
from edge_agent.http_road import HTTPRoad
from edge_agent.ignored import IgnoredFaces
from edge_agent.liveness import LivenessWatch
from edge_agent.pipeline import CameraPipeline
from edge_agent.ports import FaceAnalyser
from edge_agent.recorder import Recorder

log = logging.getLogger("hadir.agent")

WATCH_EVERY_S = 0.5
FALL_BACK_AFTER_S = 30.0  # without the broker: then messages go by HTTPS
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
        self._instance = secrets.token_hex(8)
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
        api = CentralAPI.of(identity, analyser.model_id)
        self._errands = Errands(
            api,
            self._keeper,
            self._analyser,
            self._outbox,
            crops,
            self._send_result,
        )
        voice = self._voice()
        self._link = MQTTLink(identity, self._outbox, voice, heartbeat_s=config.heartbeat_s)
        self._road = HTTPRoad(
            CentralAPI.of(identity),
            AgentTopics(identity.agent_id),
            self._outbox,
            voice,
            lambda: self._link.offline_s() > FALL_BACK_AFTER_S,
            heartbeat_s=config.heartbeat_s,
        )

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
        return AgentVoice(
            birth=self._birth,
            heartbeat=self._heartbeat,
            cameras=self._camera_states,
            on_manifest=self._errands.hear,
            on_command=self._errands.do,
        )

    def _send_result(self, result: CommandResult) -> None:
        road = self._road if self._road.is_open else self._link
        road.send_result(result)

    def warm_up(self) -> None:
        """Take the memory for a crowd now, and find out now if there is not enough."""
        if self._analyser.engine == "insightface":
            self._analyser.warm_up()

    def run(self, stop: threading.Event) -> int:
        """Work until stop is set; return an exit status. A part that died ends it all, with its name."""
        parts: list[Any] = [self._recorder, self._errands, self._link, self._road, *self._cameras]
        for part in parts:
            part.start()
        log.info("%d cameras, model %s", len(self._cameras), self._analyser.model_id)
        status, memory = EXIT_OK, MemoryWatch(time.monotonic())
        while not stop.wait(WATCH_EVERY_S):
            if dead := [_name(part) for part in parts if not part.is_alive()]:
                log.critical("%s died or hangs: the agent ends, to be started again", " and ".join(dead))
                status = EXIT_THREAD_DIED
                break
            memory = memory.read(time.monotonic(), machine.rss_mb())
            if memory.has_leaked:
                log.critical("%s: the agent ends, to be started again; no event is lost", memory.words)
                status = EXIT_LEAKED
                break
        _stop_together(self._cameras)
        for part in (self._recorder, self._errands, self._road, self._link):
            part.stop()
        self._outbox.close()
        return status

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
            instance=self._instance,
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
        now, mono = _now_ms(), machine.mono_ms()  # first: what comes into being from here on is later
        in_hand = [ts for camera in self._cameras for ts in camera.in_hand()]
        in_hand += self._recorder.in_hand()
        spool = self._outbox.state()
        return Heartbeat(
            sid=sid,
            ts=now,
            reported_to=reported_to(now, spool, in_hand),
            mono=mono,
            boot_id=machine.boot_id(),
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

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
from common.events import Birth, CameraInfo, Command, CommandResult, ConfigError, Heartbeat
from common.topics import AgentTopics
from edge_agent.account_renewal import AccountRenewal
from edge_agent.adapters import machine, vitals
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.adapters.config_file import ConfigFile, owner_of
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.gallery_file import GalleryFile
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.live_socket import LiveSocket
from edge_agent.adapters.mqtt_link import MQTTLink
from edge_agent.adapters.outbox import Outbox, OutboxDamaged, SpoolLimits
from edge_agent.adapters.service_notice import ServiceNotice
from edge_agent.adapters.shared_analyser import shared
from edge_agent.adapters.still import still_jpeg
from edge_agent.camera_set import CameraSet
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig, EdgeConfig, MatchOverrides
from edge_agent.config_keeper import PATIENCE, ConfigKeeper, Hooks, Patience
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.memory import MemoryWatch
from edge_agent.core.pulse import Pulse, status_words
from edge_agent.core.watermark import reported_to
from edge_agent.errands import Errands, Undone
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.hearing import AgentVoice
from edge_agent.http_road import HTTPRoad
from edge_agent.ignored import IgnoredFaces
from edge_agent.live_report import LiveReport
from edge_agent.liveness import LivenessWatch
from edge_agent.pipeline import CameraPipeline
from edge_agent.ports import FaceAnalyser
from edge_agent.recorder import Recorder
from edge_agent.wanted_config import Plan, without_secrets
from edge_agent.watchdog import Watchdog

log = logging.getLogger("hadir.agent")

WATCH_EVERY_S = 0.5
FALL_BACK_AFTER_S = 30.0  # without the broker: then messages go by HTTPS
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
    def config(self) -> Path:
        return self.home / "config.json"

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
        patience: Patience = PATIENCE,
    ) -> None:
        paths = Paths(config.home)
        self._config, self._identity, self._analyser = (
            config,
            identity,
            shared(analyser, config.execution.workers or machine.processors()),
        )
        self._liveness, self._instance, self._meter = liveness, secrets.token_hex(8), vitals.CpuMeter()
        self._configured = ConfigKeeper(
            ConfigFile(paths.config, owner_of(identity)),
            config,
            identity.manifest_key,
            CentralAPI.of(identity),  # one a thread
            patience,
        )
        plan = self._configured.plan
        self._policy = policy_of(analyser.policy, plan.match)
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
        self._cameras = CameraSet(self._worker, plan.cameras, gone=self._configured.known_cameras)
        self._errands = Errands(
            CentralAPI.of(identity, analyser.model_id),
            self._keeper,
            self._analyser,
            self._outbox,
            crops,
            self._send_result,
            self._speak_soon,
            also_hear=self._configured.hear,
            more={"still": self._still},
        )
        self._link, self._road = self._roads(paths.identity)

    def _roads(self, identity_path: Path) -> tuple[MQTTLink, HTTPRoad]:
        """Return the link, and the road that is taken where the link's broker cannot be reached."""
        identity, every_s, voice = self._identity, self._config.heartbeat_s, self._voice()
        renewal = AccountRenewal(
            CentralAPI.of(identity), identity, identity_path, revoked=self._errands.server_is_back
        )
        link = MQTTLink(identity, self._outbox, voice, heartbeat_s=every_s, renew_account=renewal.renew)
        road = HTTPRoad(
            CentralAPI.of(identity),
            AgentTopics(identity.agent_id),
            self._outbox,
            voice,
            lambda: link.offline_s() > FALL_BACK_AFTER_S,
            heartbeat_s=every_s,
            closed=link.introduce_again,
        )
        return link, road

    def _live(self) -> LiveSocket:
        report = LiveReport(
            identity=self._identity,
            config=self._config,
            model_id=self._analyser.model_id,
            link=self._link,
            road=self._road,
            outbox=self._outbox,
            recorder=self._recorder,
            keeper=self._keeper,
            cameras=self._cameras.health,
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
        return AgentVoice(
            birth=self._birth,
            heartbeat=self._heartbeat,
            cameras=self._cameras.statuses,
            on_manifest=self._errands.hear,
            on_command=self._errands.do,
        )

    def _speak_soon(self) -> None:
        self._link.speak_soon()
        self._road.speak_soon()

    def _introduce_again(self) -> None:
        self._link.introduce_again()
        self._road.introduce_again()

    def _send_result(self, result: CommandResult) -> None:
        road = self._road if self._road.is_open else self._link
        road.send_result(result)

    def warm_up(self) -> None:
        """Take the memory for a crowd now, and find out now if there is not enough."""
        if self._analyser.engine == "insightface":
            self._analyser.warm_up()

    def run(self, stop: threading.Event) -> int:
        """Work until stop is set; return an exit status. A part that died ends it all, with its name."""
        parts: list[Any] = [self._recorder, self._errands, self._link, self._road]
        for part in (*parts, self._cameras):
            part.start()
        self._configured.start(Hooks(self._apply, self._unfit, self._cameras.looks, self._introduce_again))
        parts.append(self._configured)
        who, cameras = self._identity.agent_id, len(self._cameras.cameras)
        log.info("Hadir %s, %s: cameras %d, model %s", VERSION, who, cameras, self._analyser.model_id)
        notice, live = ServiceNotice(), self._live()
        watchdog = Watchdog(notice, self._pulses, self._status_words)
        live.start()
        notice.ready()
        status, memory = EXIT_OK, MemoryWatch(time.monotonic())
        while not stop.wait(WATCH_EVERY_S):
            dead = [type(part).__name__ for part in parts if not part.is_alive()]
            if dead := dead + [f"camera {each}" for each in self._cameras.dead()]:
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
        self._configured.stop()
        self._cameras.stop()
        for part in (self._recorder, self._errands, self._road, self._link):
            part.stop()
        waiting = self._outbox.depth
        self._outbox.close()
        log.info("stopped; %d events wait for the next start", waiting)
        return status

    # -- what systemd is told --------------------------------------------------------------------------------

    def _pulses(self) -> Iterable[Pulse]:
        parts = (self._recorder, self._link, self._road)
        return (*self._cameras.pulses(), *(each.pulse() for each in parts))

    def _status_words(self, stuck: Sequence[str]) -> str:
        states = [each.state for each in self._cameras.health()]
        link = "by HTTPS" if self._road.is_open else self._link.phase.value
        return status_words(link, states, self._outbox.depth, stuck)

    # -- what the dashboard may change, and ask for ----------------------------------------------------------

    def _apply(self, plan: Plan) -> None:
        """Run a plan from now on. The models stay; only cameras that changed are stopped and started."""
        self._policy = policy_of(self._analyser.policy, plan.match)  # first: new cameras begin with it
        self._cameras.use(self._policy)
        self._cameras.replace(plan.cameras)

    def _unfit(self, plan: Plan) -> ConfigError | None:
        """Return why this model cannot be asked for the plan's thresholds, if it cannot."""
        try:
            policy_of(self._analyser.policy, plan.match)
        except ValueError as error:
            return ConfigError(key="match", words=str(error))
        return None

    def _still(self, command: Command, api: CentralAPI) -> str:
        """Bring the server one picture of a camera, for somebody to draw on."""
        camera_id = str(command.args.get("camera_id", ""))
        if (picture := self._cameras.newest(camera_id)) is None:
            look = self._cameras.looks().get(camera_id)
            raise Undone(f"no picture ({look.reason.value or 'starting'})" if look else "no such camera here")
        api.put_still(camera_id, still_jpeg(picture))
        return "a picture was brought"

    # -- what the link asks for; all of it quick -------------------------------------------------------------

    def _birth(self, sid: str) -> Birth:
        self._errands.server_is_back()
        spool, standing = self._outbox.state(), self._configured.standing()
        return Birth(
            sid=sid,
            ts=_now_ms(),
            version=VERSION,
            model_id=self._analyser.model_id,
            engine=self._analyser.engine,
            epoch=self._outbox.epoch,
            instance=self._instance,
            hardware_id=machine.hardware_id(self._config.home),
            cameras=tuple(
                CameraInfo(camera_id=each.camera_id, name=each.name, zone=each.zone)
                for each in self._cameras.cameras
            ),
            config_gen=standing.gen,
            config_wanted=standing.wanted,
            config_origin=standing.origin,
            config_errors=standing.errors,
            gallery_gen=self._keeper.gen,
            spool_depth=spool.depth,
            spool_dropped=spool.dropped,
            extra=dict(self._analyser.execution)
            | {"configuration": without_secrets(self._configured.plan) | {"stage": standing.stage.value}},
        )

    def _heartbeat(self, sid: str) -> Heartbeat:
        now, mono = _now_ms(), machine.mono_ms()  # first: what comes into being from here on is later
        pending = [*self._cameras.in_hand(), *self._recorder.in_hand()]  # in this order: that is their way
        spool = self._outbox.state()
        in_hand = [now - (mono - each) for each in pending]  # the wall clock may have been set since
        if spool.first:
            in_hand.append(spool.first.by_now(now, mono, machine.boot_id()))
        return Heartbeat(
            sid=sid,
            ts=now,
            reported_to=reported_to(now, spool.oldest_ts, in_hand),
            mono=mono,
            boot_id=machine.boot_id(),
            clock=machine.clock_now(),
            spool_depth=spool.depth,
            spool_oldest_ts=spool.oldest_ts,
            gallery_gen=self._keeper.gen,
            interval_s=self._config.heartbeat_s,
            cameras=tuple(self._cameras.health()),
            temperature_c=machine.temperature_c(),
            disk_free_mb=machine.disk_free_mb(self._config.home),
            cpu_percent=round(self._meter.percent(), 1),
            extra={
                "rss_mb": machine.rss_mb(),
                "lease_left_s": self._keeper.lease_left_s,
                "leased_out": self._keeper.leased_out,
            },
        )


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


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""`hadir demo`: the whole product on one machine, on embedded defaults and real faces."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from central_server.config import read_server_config
from central_server.db.engine import open_engine
from central_server.db.migrate import upgrade
from central_server.db.unit_of_work import UnitOfWork
from central_server.supervisor import Supervisor
from common.ids import CameraId
from common.logs import set_up
from deploy.demo import cast, company, scene, story
from deploy.demo.hr import HR, DashboardError
from deploy.demo.only_one import only_one
from deploy.demo.options import DemoOptions, parse
from deploy.demo.secrets_file import demo_secrets
from deploy.demo.stage import Stage, free_port
from deploy.demo.watch import Watch
from edge_agent.adapters.identity_file import IdentityError, load_identity, save_identity
from edge_agent.adapters.outbox import OutboxError
from edge_agent.adapters.video_source import VideoSource
from edge_agent.config import CameraConfig
from edge_agent.engines import NoEngineError, choose_engine

ONCE_PATIENCE_S = 180.0
USERNAME = "hr"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class DemoFailed(Exception):
    """The demo cannot go on; the message is for the person at the terminal."""


@dataclass
class Demo:
    options: DemoOptions

    def run(self) -> int:
        began = time.monotonic()
        self._players()  # complains before anything is touched
        with only_one(self.options.home):
            self._clear_away()
            return self._run(self._set_the_stage(), began)

    def _run(self, stage: Stage, began: float) -> int:
        supervisor = Supervisor(say)
        try:
            self._open_the_server(stage, supervisor)
            engine_name = self._prepare_the_camera(stage)
            hr = HR(stage.web_url)
            hr.wait_until_up(60)
            say(f"\n  The dashboard is at  {stage.web_url}   (ready after {time.monotonic() - began:.1f} s)")
            say(f"  Sign in as           {USERNAME}   password   {stage.secrets['password']}")
            say(f"  The phones are at    {stage.sandbox_url}   (WhatsApp sandbox)\n")
            return self._play(stage, supervisor, hr, engine_name)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave orphans
            if not self.options.once:
                say("\nStopping ...")
            supervisor.stop()
            if not self.options.once:
                say(f"Stopped. What it stored is in {self.options.home}, with its logs; --fresh forgets it.")

    def _clear_away(self) -> None:
        if self.options.fresh and self.options.home.exists():
            for name in ("server", "agent", "sandbox", "logs", "secrets.json", "agent.yaml"):
                target = self.options.home / name
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)

    def _set_the_stage(self) -> Stage:
        self.options.home.mkdir(parents=True, exist_ok=True)
        kept = self.options.home / "ports.json"
        ports = json.loads(kept.read_text()) if kept.exists() else {}
        stage = Stage(
            options=self.options,
            secrets=demo_secrets(self.options.home / "secrets.json"),
            web_port=self._web_port(ports.get("web", 8080)),
            broker_port=free_port(ports.get("broker", 0)),
            sandbox_port=free_port(ports.get("sandbox", 8090)),
        )
        chosen = {"web": stage.web_port, "broker": stage.broker_port, "sandbox": stage.sandbox_port}
        kept.write_text(json.dumps(chosen))
        return stage

    def _web_port(self, usual: int) -> int:
        if self.options.port is not None:
            return free_port(self.options.port, instead=False)
        port = free_port(usual)
        if port != usual:
            say(f"Port {usual} is taken; the dashboard gets another one.")
        return port

    def _open_the_server(self, stage: Stage, supervisor: Supervisor) -> None:
        say("Starting the broker, the web server, the worker and the WhatsApp sandbox ...")
        config = read_server_config(stage.environment())
        upgrade(config.database_url)
        database = open_engine(config.database_url)
        login = company.Login(USERNAME, stage.secrets["password"])
        with UnitOfWork(database) as work:
            company.found(work.session, self._players(), login, datetime.now(UTC))
        database.dispose()
        for name in ("broker", "web", "worker"):
            supervisor.start(stage.server(name))
        supervisor.start(stage.sandbox())

    def _players(self) -> tuple[cast.Player, ...]:
        if self.options.people is not None:
            try:
                return cast.from_folder(self.options.people)
            except ValueError as problem:
                raise DemoFailed(f"--people: {problem}") from problem
        if self.options.camera is not None:
            return ()  # one's own camera without --people: HR enrols on the dashboard
        return cast.from_group_photograph()

    def _prepare_the_camera(self, stage: Stage) -> str:
        analyser = choose_engine(self.options.models, allow_dlib=True, allow_download=True, say=say)
        engine_name, model_id = analyser.engine, analyser.model_id
        say(f"Recogniser ready: {engine_name}, model {model_id}")
        video, anchor = self.options.camera, None
        if video is None or self.options.loops:
            anchor = time.time()
        if video is None:
            video = str(self._clip())
        else:
            _look_through(video)
        stage.write_agent_config(
            models=self.options.models, allow_dlib=engine_name == "dlib", video=video, anchor_s=anchor
        )
        return engine_name

    def _clip(self) -> Path:
        """Return the virtual camera's clip; made on first use."""
        real_time = self.options.real_time
        path = self.options.home.parent / "clips" / ("office-real-time.mp4" if real_time else "office.mp4")
        if not path.exists():
            plot = story.office_morning(330 if real_time else 36)
            say(f"Making the virtual camera's clip ({plot.length_s:.0f} s, once) ...")
            scene.write_clip(path, plot, 5 if real_time else 10, _Percent().show)
        return path

    def _play(self, stage: Stage, supervisor: Supervisor, hr: HR, engine_name: str) -> int:
        started = time.monotonic()
        self._join(stage)
        supervisor.start(stage.agent())
        database = open_engine(read_server_config(stage.environment()).database_url)
        watch = Watch(database, stage.sandbox_url, say)
        watch.skip_the_past()
        self._enrol(stage, hr)
        told_enrolled = False
        while True:
            time.sleep(0.4)
            supervisor.step()
            watch.look()
            if not told_enrolled:
                told_enrolled = self._tell_enrolled(watch)
            if self.options.once:
                if self._story_is_told(watch):
                    return self._finish_once(stage, watch, engine_name, started)
                if time.monotonic() - started > ONCE_PATIENCE_S:
                    raise DemoFailed(self._what_is_missing(stage, watch))

    def _join(self, stage: Stage) -> None:
        kept = stage.agent_home / "identity.json"
        if kept.exists():
            identity = load_identity(kept)
            if identity.server_url != stage.web_url:  # the port was taken this time
                save_identity(kept, replace(identity, server_url=stage.web_url))
            return
        say("An administrator makes a one-time code; the agent joins with it ...")
        code = self._command(
            stage, "central_server", "join-code", "--site", company.SITE, "--agent-name", "demo"
        )
        link = next((word for word in code.split() if word.startswith("http")), "")
        self._command(stage, "edge_agent", "join", link, "--config", str(stage.agent_config))

    def _enrol(self, stage: Stage, hr: HR) -> None:
        players = self._players()
        if not players:
            return
        say(f"HR signs in and uploads the portraits of {len(players)} people; the agent embeds them ...")
        hr.sign_in(USERNAME, stage.secrets["password"])
        for player in players:
            hr.enrol(player)

    def _tell_enrolled(self, watch: Watch) -> bool:
        wanted = sum(len(player.photos) for player in self._players())
        decided, refused = watch.enrolled()
        if wanted and decided < wanted:
            return False
        if not wanted:
            say("Nobody is enrolled yet: add people and their photos on the dashboard.")
            return True
        say(
            f"Enrolled: {decided - len(refused)} photos accepted"
            + "".join(f"\n  refused: {each}" for each in refused)
        )
        return True

    def _story_is_told(self, watch: Watch) -> bool:
        enough = len(watch.recognised) >= min(5, len(self._players()) or 1)
        return enough and watch.unknown_events > 0 and bool(watch.alert_text)

    def _what_is_missing(self, stage: Stage, watch: Watch) -> str:
        alert = "sent" if watch.alert_text else "not sent"
        return (
            f"the story was not complete after {ONCE_PATIENCE_S:.0f} s: recognised "
            f"{sorted(watch.recognised)}, {watch.unknown_events} unknown events, alert {alert}; "
            f"the logs are in {stage.log('x').parent}"
        )

    def _finish_once(self, stage: Stage, watch: Watch, engine_name: str, started: float) -> int:
        day = watch.business_date.isoformat()
        said = self._command(stage, "central_server", "report", "--site", company.SITE, "--date", day)
        written = [Path(word) for word in said.split() if word.endswith((".pdf", ".csv"))]
        files = {path.suffix: path for path in written if path.is_file() and path.stat().st_size > 0}
        if {".pdf", ".csv"} - files.keys():
            raise DemoFailed(f"the daily report was not written: {said.strip() or 'no answer'}")
        result = {
            "engine": engine_name,
            "recognised": sorted(watch.recognised),
            "unknown_events": watch.unknown_events,
            "alert_text": watch.alert_text,
            "report_pdf": str(files[".pdf"]),
            "report_csv": str(files[".csv"]),
            "seconds": round(time.monotonic() - started, 1),
        }
        print(json.dumps(result, ensure_ascii=False), flush=True)
        return 0

    def _command(self, stage: Stage, module: str, *arguments: str) -> str:
        """Run one of the product's own commands and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=stage.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise DemoFailed(f"{module} {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def _look_through(url: str) -> None:
    """Raise DemoFailed when a camera or file of one's own shows nothing."""
    camera = CameraConfig(camera_id=CameraId("probe"), name="", url=url, zone="")
    source = VideoSource(camera)
    source.start()
    try:
        if source.take(camera.open_timeout_s + camera.read_timeout_s) is None:
            reason = source.health().reason.value
            raise DemoFailed(f"there is no picture from {camera.shown_url} ({reason})")
    finally:
        source.stop()


class _Percent:
    """Progress on one line of a terminal, or every tenth percent elsewhere."""

    def __init__(self) -> None:
        self._shown = -1

    def show(self, share: float) -> None:
        percent = int(share * 100)
        if sys.stderr.isatty() and percent != self._shown:
            print(f"\r  {percent} %", end="\n" if percent == 100 else "", file=sys.stderr, flush=True)
        elif not sys.stderr.isatty() and percent // 20 > self._shown // 20:
            say(f"  {percent} %")
        self._shown = percent


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    set_up("WARNING")
    demo = Demo(parse(arguments))
    for number in (signal.SIGINT, signal.SIGTERM):  # also where the shell started us deaf to Ctrl-C
        signal.signal(number, _interrupt)
    try:
        return demo.run()
    except KeyboardInterrupt:
        return 130 if demo.options.once else 0
    except (DemoFailed, DashboardError, NoEngineError, OutboxError, IdentityError, OSError) as problem:
        say(f"hadir demo: {problem}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

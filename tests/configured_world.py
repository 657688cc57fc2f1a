"""A server with its pages, its worker's end of the link and a broker, and an agent with cameras over RTSP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from central_server.adapters.mqtt_subscriber import Subscriber
from central_server.adapters.sealing import Seal
from central_server.config import ServerConfig
from central_server.db.models import Agent as AgentRow
from central_server.db.models import Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import Sealing
from central_server.services import configure_agent
from central_server.services.configure_agent import Change
from central_server.services.join_agent import token_hash
from common.camera_settings import CameraConfig
from common.ids import CameraId
from edge_agent.adapters.identity_file import Identity
from edge_agent.agent import Agent
from edge_agent.config import EdgeConfig
from edge_agent.config_keeper import Patience
from tests.delivery_world import serving
from tests.link_world import KEY, BrokerProcess, a_broker, identity_of, running, server_config, wait_until
from tests.vision_world import ScriptedAnalyser
from tests.web_world import WebWorld, a_config, a_web_world

TOKEN = "t" * 32
QUICK = Patience(running_s=3.0, booting_s=4.0)


def a_camera(camera_id: str, url: str, **more: object) -> CameraConfig:
    """A camera that gives up quickly when nobody answers."""
    quick = {"open_timeout_s": 1.0, "read_timeout_s": 1.0, "zone": "Entrance", "name": camera_id.title()}
    return CameraConfig(camera_id=CameraId(camera_id), url=url, **quick | more)  # type: ignore[arg-type]


@dataclass
class RunningAgent:
    """An agent in a thread of its own, until it is stopped."""

    agent: Agent
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self.agent.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive(), "the agent ends when it is told to"


@dataclass
class ConfiguredWorld:
    web: WebWorld
    identity: Identity
    home: Path
    seal: Sealing

    def row(self) -> AgentRow:
        with UnitOfWork(self.web.engine) as work:
            return work.session.get_one(AgentRow, self.identity.agent_id)

    def change(self) -> Change:
        return Change(self.row().config_gen, "admin", datetime.now(UTC))

    def do(self, change: Callable[..., object], *arguments: object) -> None:
        """Do one of configure_agent's use cases, as the admin."""
        by = self.change()
        with UnitOfWork(self.web.engine) as work:
            agent = work.session.get_one(AgentRow, self.identity.agent_id)
            change(work, agent, self.seal, *arguments, by)

    def put(self, *cameras: CameraConfig) -> int:
        """Save cameras on the dashboard, each with a generation of its own; return the last."""
        for camera in cameras:
            change = self.change()
            with UnitOfWork(self.web.engine) as work:
                row = work.session.get_one(AgentRow, self.identity.agent_id)
                before = configure_agent.wanted_settings(work.session, row, self.seal)
                known = camera.camera_id if before and before.camera(camera.camera_id) else ""
                configure_agent.put_camera(work, row, self.seal, camera, change, known)
        return self.row().config_gen

    @contextmanager
    def agent(self, *cameras: CameraConfig, patience: Patience = QUICK, **more: object) -> Iterator[Agent]:
        config = EdgeConfig(home=self.home, cameras=cameras, heartbeat_s=1.0, **more)  # type: ignore[arg-type]
        agent = Agent(config, self.identity, ScriptedAnalyser(), patience=patience)
        runs = RunningAgent(agent)
        try:
            yield agent
        finally:
            runs.end()

    def until_told(self, within_s: float = 20.0, **wanted: object) -> AgentRow:
        """Wait until the server has heard this of the agent; return its row."""

        def is_so() -> AgentRow | None:
            row = self.row()
            return row if all(getattr(row, name) == value for name, value in wanted.items()) else None

        return wait_until(is_so, within_s, about=f"{wanted}, not {self._told(wanted)}")

    def _told(self, wanted: dict[str, object]) -> dict[str, object]:
        return {name: getattr(self.row(), name) for name in wanted}


@contextmanager
def a_configured_world(engine: Engine, tmp_path: Path, port: int, kind: str) -> Iterator[ConfiguredWorld]:
    web = a_web_world(engine, tmp_path / "server")
    with UnitOfWork(engine) as work:
        work.session.add(Site(site_id="plant", name="Plant One", timezone="Asia/Jakarta"))
        work.session.flush()
        work.session.add(
            AgentRow(
                agent_id="gate", site_id="plant", name="Gate box", token_hash=token_hash(TOKEN),
                manifest_key=KEY, joined_at=datetime.now(UTC),
            )
        )  # fmt: skip
    config = a_config(tmp_path / "server", engine)
    with a_broker(kind, tmp_path / "broker", port) as broker, serving(web.app) as url:
        broker.accounts.put("gate", "password of gate")
        identity = replace(identity_of(broker), server_url=url, token=TOKEN)
        with running(_subscriber(engine, broker, config)):
            yield ConfiguredWorld(
                web, identity, tmp_path / "edge", Seal(config.secret_key, configure_agent.PURPOSE)
            )


def _subscriber(engine: Engine, broker: BrokerProcess, config: ServerConfig) -> Subscriber:
    whole = replace(server_config(broker), secret_key=config.secret_key, home=config.home)
    return Subscriber(whole, engine, most_wait_s=1.0)

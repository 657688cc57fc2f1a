"""A real agent process with scripted faces, a systemd that is a socket, and no server at all."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.link_world import ROOT

_RUN = """
import sys
from pathlib import Path
from common.logs import set_up
from edge_agent.adapters import mqtt_link, video_source
from edge_agent.adapters.identity_file import load_identity
from edge_agent.agent import Paths, run_agent
from edge_agent.config import read_edge_config
from tests.vision_world import ScriptedAnalyser
config = read_edge_config(Path(sys.argv[1]))
identity = load_identity(Paths(config.home).identity)
set_up(config.log_level, secrets=identity.secrets())
if len(sys.argv) > 2:
    video_source.LONGEST_ROUND_S = float(sys.argv[2])
sys.exit(run_agent(config, identity, ScriptedAnalyser(engine="dlib")))  # nothing to warm up
"""


class Systemd:
    """The socket that a service tells its state to."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self.told: list[tuple[float, str]] = []

    def listen(self, until: Callable[[list[str]], bool], within_s: float = 20.0) -> list[str]:
        """Return everything that was told, once that is enough; fail when it is not in time."""
        end = time.monotonic() + within_s
        while not until(self.lines):
            left = end - time.monotonic()
            assert left > 0, f"systemd was told no more than {self.lines}"
            self._socket.settimeout(left)
            try:
                words = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            self.told += [(time.monotonic(), line) for line in words.splitlines()]
        return self.lines

    @property
    def lines(self) -> list[str]:
        return [line for _, line in self.told]

    def close(self) -> None:
        self._socket.close()


@dataclass
class AgentBox:
    """A folder with settings and an identity; `start` runs the agent there."""

    folder: Path
    broker_port: int
    cameras: Mapping[str, str] = field(default_factory=dict)  # id: url
    more: str = ""  # of every camera, in YAML's braces
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home.mkdir(mode=0o700, parents=True)
        broker = {
            "host": "127.0.0.1", "port": self.broker_port, "username": "gate", "password": "a-password",
            "protocol": "5", "ca_pem": "",
        }  # fmt: skip
        identity = {
            "agent_id": "gate", "site_id": "plant", "site_name": "Plant One", "token": "t" * 32,
            "manifest_key": "00" * 32, "server_url": "http://127.0.0.1:9", "broker": broker,
        }  # fmt: skip
        (self.home / "identity.json").write_text(json.dumps(identity))
        lines = [f"home: {self.home}", "heartbeat_s: 1", "cameras:"]
        lines += [
            f"  - {{camera_id: {name}, zone: z, url: '{url}'{self.more}}}"
            for name, url in self.cameras.items()
        ]
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def config(self) -> Path:
        return self.folder / "agent.yaml"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            if environment.pop("as_journal", ""):
                about = os.fstat(log.fileno())
                environment["JOURNAL_STREAM"] = f"{about.st_dev}:{about.st_ino}"
            self.process = subprocess.Popen(
                [sys.executable, "-c", _RUN, str(self.config), *arguments],
                cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=log,
            )  # fmt: skip
        return self.process

    def stop(self) -> int:
        """End the agent as systemd does; return its status."""
        assert self.process
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def an_agent_box(folder: Path, broker_port: int, more: str = "", **cameras: str) -> Iterator[AgentBox]:
    box = AgentBox(folder, broker_port, cameras, more)
    try:
        yield box
    finally:
        if box.process and box.process.poll() is None:
            box.process.kill()
            box.process.wait(10)

"""The demo's processes: what each is told, and in which order they start."""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from central_server.supervisor import ProcessSpec
from deploy.demo.company import STAFF, TIMEZONE, ZONE
from deploy.demo.options import ROOT, DemoOptions

PHONE_NUMBER_ID = "100000000000001"
CAMERA = "cam-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where everything is: addresses on loopback, folders, secrets."""

    options: DemoOptions
    secrets: Mapping[str, str]
    web_port: int
    broker_port: int
    sandbox_port: int

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def agent_config(self) -> Path:
        return self.options.home / "agent.yaml"

    @property
    def agent_home(self) -> Path:
        return self.options.home / "agent"

    @property
    def server_home(self) -> Path:
        return self.options.home / "server"

    def log(self, name: str) -> Path:
        return self.options.home / "logs" / f"{name}.log"

    def environment(self) -> dict[str, str]:
        """Return the server's settings: what the demo must change; the rest are the product's defaults."""
        return {
            **_clean_environment(),
            "HADIR_HOME": str(self.server_home),
            "HADIR_BASE_URL": self.web_url,
            "HADIR_WEB_PORT": str(self.web_port),
            "HADIR_COOKIE_SECURE": "no",
            "HADIR_TIMEZONE": TIMEZONE,
            "HADIR_TICK_S": "1",
            "HADIR_UNSEEN_AFTER_S": str(self.options.unseen_after_s),
            "HADIR_SANDBOX_URL": self.sandbox_url,
            "HADIR_BROKER_PORT": str(self.broker_port),
            "HADIR_BROKER_PASSWORD": self.secrets["broker_password"],
            "HADIR_BROKER_ACCOUNTS_DIR": str(self.server_home / "broker"),
            "WHATSAPP_BASE_URL": self.sandbox_url,
            "WHATSAPP_PHONE_NUMBER_ID": PHONE_NUMBER_ID,
            "WHATSAPP_TOKEN": self.secrets["whatsapp_token"],
            "WHATSAPP_APP_SECRET": self.secrets["whatsapp_app_secret"],
            "WHATSAPP_VERIFY_TOKEN": self.secrets["whatsapp_verify_token"],
        }

    def python(self, name: str, *arguments: str) -> ProcessSpec:
        command = (sys.executable, "-m", *arguments)
        return ProcessSpec(name, command, self.environment(), self.log(name))

    def server(self, name: str) -> ProcessSpec:
        return self.python(name, "central_server", name)

    def sandbox(self) -> ProcessSpec:
        arguments = ["--port", str(self.sandbox_port), "--home", str(self.options.home / "sandbox")]
        arguments += ["--callback", f"{self.web_url}/webhooks/whatsapp"]
        # Everybody has written to us, so that alerts arrive as free text: the four lines, byte for byte.
        arguments += ["--open-windows", ",".join(phone for *_, phone in STAFF)]
        arguments += [f"--contact={phone}={name}" for _, name, _, phone in STAFF]
        return self.python("sandbox", "central_server.sandbox", *arguments)

    def agent(self) -> ProcessSpec:
        return self.python("agent", "edge_agent", "run", "--config", str(self.agent_config))

    def write_agent_config(
        self, *, models: Path | None, allow_dlib: bool, video: str, anchor_s: float | None
    ) -> None:
        """Write the agent's YAML. Where five minutes became twenty seconds, its rhythm quickens alike."""
        camera: dict[str, object] = {"camera_id": CAMERA, "name": "Entrance", "url": video, "zone": ZONE}
        if anchor_s is not None:
            camera |= {"loop": True, "loop_anchor_s": anchor_s}
        settings = {
            "home": str(self.agent_home),
            "engine": {"allow_dlib": allow_dlib, "allow_download": False},
            "still_every_s": 30 if self.options.real_time else 5,
            "heartbeat_s": 15 if self.options.real_time else 2,
            "cameras": [camera],
        }
        if models is not None:
            settings["models"] = str(models)
        self.agent_config.parent.mkdir(parents=True, exist_ok=True)
        self.agent_config.write_text(yaml.safe_dump(settings, sort_keys=False))


def free_port(wanted: int, *, instead: bool = True) -> int:
    """Return wanted if nobody listens there; else a free port, or OSError when there shall be no other."""
    for port in (wanted, 0) if instead else (wanted,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError(f"port {wanted} of 127.0.0.1 is taken")


def _clean_environment() -> dict[str, str]:
    """Return this process's environment without settings of a real installation on the same machine."""
    ours = ("HADIR_", "WHATSAPP_", "SMTP_", "HRIS_", "DATABASE_URL", "EDGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

"""Start the long-running processes: each alone, or all of one box together."""

import argparse
import os
import sys
from typing import Any

from central_server.config import ServerConfig
from central_server.db.migrate import upgrade
from central_server.private_home import keep_private

WEB_THREADS = 100  # each open live page holds one


def run(config: ServerConfig, _given: argparse.Namespace) -> int:
    """Bring the database up to date, then run the broker (if embedded), web and worker until told to stop."""
    from central_server.supervisor import ProcessSpec, supervise

    keep_private(config.home)
    upgrade(config.database_url)
    names = (["broker"] if config.broker.accounts_dir else []) + ["web", "worker"]
    specs = tuple(
        ProcessSpec(name, (sys.executable, "-m", "central_server", name), dict(os.environ)) for name in names
    )
    print(f"Hadir is starting at {config.base_url}", file=sys.stderr)
    return supervise(specs, lambda words: print(words, file=sys.stderr))


def web(config: ServerConfig, _given: argparse.Namespace) -> int:
    """Serve the dashboard with gunicorn: one process (live pages share it), many threads."""
    from gunicorn.app.base import BaseApplication

    from central_server.adapters.web_worker import PatientWorker

    class Server(BaseApplication):
        def load_config(self) -> None:
            settings: dict[str, Any] = {
                "bind": f"{config.web_host}:{config.web_port}",
                "worker_class": PatientWorker,
                "workers": 1,
                "threads": WEB_THREADS,
                "timeout": 60,
                "graceful_timeout": 3,
                "loglevel": config.log_level.lower(),
                "proc_name": "hadir-web",
                "control_socket_disable": True,
            }
            if config.web_cert_file:  # read again at each connection: a renewed one needs no restart
                settings |= {"certfile": config.web_cert_file, "keyfile": config.web_key_file}
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from central_server.web import create_app

            return create_app(config)

    Server().run()
    return 0


def worker(config: ServerConfig, _given: argparse.Namespace) -> int:
    """Run the one worker."""
    from central_server import worker

    return worker.run(config)


def broker(config: ServerConfig, _given: argparse.Namespace) -> int:
    """Run the embedded broker."""
    from central_server.adapters import embedded_broker

    return embedded_broker.run(config)

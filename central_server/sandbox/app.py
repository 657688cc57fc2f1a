"""The sandbox as a Flask application: the Graph API and the page, over one memory."""

from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask, Response

from central_server.sandbox import graph, page
from central_server.sandbox.callbacks import Callbacks
from central_server.sandbox.graph import Faults
from central_server.sandbox.network import Network
from central_server.sandbox.settings import Settings
from central_server.sandbox.store import Store

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass
class Sandbox:
    """What the requests share."""

    network: Network
    callbacks: Callbacks
    faults: Faults = field(default_factory=Faults)

    def close(self) -> None:
        self.callbacks.stop()
        self.network.store.close()


def create_sandbox(home: Path, settings: Settings) -> Flask:
    """Return the application; its callbacks run from now on. Close with app.extensions["sandbox"].close()."""
    app = Flask(__name__)
    store = Store(home)
    callbacks = Callbacks(store, settings)
    app.extensions["sandbox"] = Sandbox(Network(store, settings), callbacks)
    app.register_blueprint(page.blueprint)
    app.register_blueprint(graph.blueprint)
    app.after_request(_guarded)
    callbacks.start()
    return app


def _guarded(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = CSP
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    if answer.mimetype in {"application/json", "text/html"}:
        answer.headers["Cache-Control"] = "no-store"
    return answer

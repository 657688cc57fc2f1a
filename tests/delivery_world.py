"""What tests of delivery need: senders that obey, outbox rows, and real servers on loopback."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from central_server.adapters.whatsapp.cloud import WhatsAppCloudSender
from central_server.blueprints import webhooks
from central_server.config import WhatsAppConfig
from central_server.db.models import Alert, DeliveryAttempt, Notification
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.delivery import Message, Outcome, Sent
from central_server.domain.messages import OutOfArea, out_of_area_text
from central_server.sandbox.app import create_sandbox
from central_server.sandbox.settings import Settings

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
PHONE = "6281234567890"


@dataclass
class FakeSender:
    """A sender that answers as told, and with Sent when nothing is told."""

    outcomes: list[Outcome] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> Outcome:
        self.sent.append(message)
        if self.outcomes:
            return self.outcomes.pop(0)
        return Sent(f"id-{len(self.sent)}")


def an_alert_text(**changes: str) -> OutOfArea:
    """The facts of an alert six minutes after Budi was last seen."""
    facts: dict[str, Any] = {
        "employee_id": "EMP001",
        "employee_name": "Budi Santoso",
        "zone_name": "Entrance Zone",
        "supervisor_name": "Sari Dewi",
    }
    facts |= changes
    return OutOfArea(last_seen=NOON - timedelta(minutes=6, seconds=40), opened_at=NOON, **facts)


def an_alert_payload(facts: OutOfArea | None = None) -> dict[str, Any]:
    """The payload of an alert, as the alert engine writes it."""
    facts = facts or an_alert_text()
    template = {"name": "out_of_area_v1", "language": "en", "params": facts.template_params()}
    return {"text": out_of_area_text(facts), "template": template}


def an_alert_row(session: Session, key: str = "out_of_area:EMP001:2026-11-23:1", **more: Any) -> Alert:
    alert = Alert(dedupe_key=key, kind="out_of_area", ts=NOON, site_id="plant", log="words", **more)
    session.add(alert)
    session.flush()
    return alert


def a_notification(engine: Engine, notification_id: str = "ntf_1", **changes: Any) -> str:
    """Put a message about a new alert into the outbox; it is due at NOON."""
    fields: dict[str, Any] = {
        "dedupe_key": notification_id,
        "kind": "alert",
        "channel": "whatsapp",
        "recipient": PHONE,
        "recipient_name": "Sari Dewi",
        "payload": an_alert_payload(),
        "next_attempt_at": NOON,
        "expires_at": NOON + timedelta(minutes=15),
        "created_at": NOON,
        "updated_at": NOON,
    }
    fields |= changes
    with UnitOfWork(engine) as work:
        if fields["kind"] == "alert" and "alert_id" not in fields:
            fields["alert_id"] = an_alert_row(work.session, notification_id).alert_id
        work.session.add(Notification(notification_id=notification_id, **fields))
    return notification_id


def the_row(engine: Engine, notification_id: str = "ntf_1") -> Notification:
    with Session(engine, expire_on_commit=False) as session:
        return session.get_one(Notification, notification_id)


def the_attempts(engine: Engine, notification_id: str = "ntf_1") -> list[str]:
    with Session(engine) as session:
        rows = select(DeliveryAttempt.outcome).where(DeliveryAttempt.notification_id == notification_id)
        return list(session.scalars(rows.order_by(DeliveryAttempt.id)))


# -- real servers ------------------------------------------------------------------------------------------


@contextmanager
def serving(app: Flask, port: int = 0) -> Iterator[str]:
    """Serve app on a real socket of loopback and give its address."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def whatsapp_config(base_url: str, **changes: str) -> WhatsAppConfig:
    known = {
        "base_url": base_url,
        "api_version": "v25.0",
        "phone_number_id": "100000000000001",
        "token": "EAAB-test-token",
        "app_secret": "test-app-secret",
        "verify_token": "test-verify-token",
        "alert_template": "out_of_area_v1",
        "report_template": "daily_report_v1",
        "language": "en",
    }
    return WhatsAppConfig(**(known | changes))


@dataclass
class SandboxServer:
    """A running sandbox and what a test does with it."""

    url: str
    config: WhatsAppConfig

    def sender(self, **more: Any) -> WhatsAppCloudSender:
        return WhatsAppCloudSender(self.config, **more)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}/sandbox/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def meet(self, *faults: dict[str, Any]) -> None:
        self.post("faults", faults=list(faults))

    def messages(self, direction: str = "out") -> list[dict[str, Any]]:
        found = requests.get(f"{self.url}/sandbox/messages", timeout=10).json()["messages"]
        return [each for each in found if each["direction"] == direction]

    def visible(self) -> list[dict[str, Any]]:
        """The messages of ours that reached a phone."""
        return [each for each in self.messages() if each["status"] in {"delivered", "read"}]


@contextmanager
def a_sandbox(home: Path, callback: str = "", **changes: Any) -> Iterator[SandboxServer]:
    """Run a sandbox whose people are quick."""
    config = whatsapp_config("http://unknown")
    settings: dict[str, Any] = {
        "phone_number_id": config.phone_number_id,
        "token": config.token,
        "app_secret": config.app_secret,
        "verify_token": config.verify_token,
        "callback": callback,
        "sent_after_s": 0.0,
        "delivered_after_s": 0.02,
        "read_after_s": -1.0,
    }
    app = create_sandbox(home, Settings(**(settings | changes)))
    try:
        with serving(app) as url:
            yield SandboxServer(url, whatsapp_config(url))
    finally:
        app.extensions["sandbox"].close()


def a_webhook_app(engine: Engine, config: WhatsAppConfig | None = None) -> Flask:
    """The web application with nothing but the webhook in it."""
    app = Flask("webhook")
    whatsapp = config or whatsapp_config("http://unknown")
    app.extensions["hadir"] = SimpleNamespace(config=SimpleNamespace(whatsapp=whatsapp), engine=engine)
    app.register_blueprint(webhooks.blueprint)
    return app


def until(true: Callable[[], object], *, within_s: float = 10.0) -> None:
    """Wait until true() is; fail when it does not become so in time."""
    patience = threading.Event()
    for _ in range(int(within_s / 0.02)):
        if true():
            return
        patience.wait(0.02)
    raise AssertionError(f"it did not become true within {within_s:g} s")

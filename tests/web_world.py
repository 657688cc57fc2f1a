"""A dashboard over a real database, with a user of each role; and a reader of its pages."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_login import FlaskLoginClient
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from central_server.blueprints.access import ROLES, signed_in
from central_server.config import ServerConfig, read_server_config
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.web import create_app
from tests import builders

PASSWORD = "kata-sandi-yang-panjang"
CHEAP_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
VOID = {"meta", "link", "img", "input", "br", "hr", "use", "rect", "circle", "path"}


def a_config(home: Path, engine: Engine, **settings: str) -> ServerConfig:
    return read_server_config(
        {
            "HADIR_HOME": str(home),
            "DATABASE_URL": engine.url.render_as_string(hide_password=False),
            "HADIR_SECRET_KEY": "a key for tests",
            "HADIR_COOKIE_SECURE": "no",
        }
        | settings
    )


@dataclass(frozen=True)
class WebWorld:
    app: Flask
    engine: Engine
    home: Path

    def client(self, role: str) -> FlaskClient:
        """Return a browser that is signed in as the user of that role."""
        with UnitOfWork(self.engine) as work:
            user = work.session.scalars(select(models.User).where(models.User.username == role)).one()
        return self.app.test_client(user=signed_in(user))

    def stranger(self) -> FlaskClient:
        return self.app.test_client()

    def rows(self, table: Any) -> list[Any]:
        with UnitOfWork(self.engine) as work:
            return list(work.session.scalars(select(table)))


def a_web_world(engine: Engine, home: Path, **settings: str) -> WebWorld:
    """Users admin, hr, supervisor (EMP002) and viewer; nobody and nothing else."""
    app = create_app(a_config(home, engine, **settings))
    app.test_client_class = FlaskLoginClient
    with UnitOfWork(engine) as work:
        for role in ROLES:
            work.session.add(
                models.User(
                    username=role,
                    name=role.title(),
                    password_hash=CHEAP_HASH,
                    role=role,
                    employee_id=None,
                    language="en",
                    created_at=datetime.now(UTC),
                )
            )
    return WebWorld(app, engine, home)


def inhabit(world: WebWorld) -> None:
    """A site with three people: EMP001 in the area, EMP003 out of it, and EMP002, who leads EMP001."""
    now = datetime.now(UTC)
    with UnitOfWork(world.engine) as work:
        session = work.session
        builders.a_site(session)
        builders.a_shift(session, weekdays="mon,tue,wed,thu,fri,sat,sun")
        long_ago = now - timedelta(days=60)
        known = {"department": "Gudang", "phone": "6281234567890"}
        known |= {"created_at": long_ago, "consent_at": long_ago}
        for code, name in (("EMP001", "Budi Santoso"), ("EMP002", "Sari Dewi"), ("EMP003", "Ahmad Hidayat")):
            builders.an_employee(session, code, name=name, **known)
        session.add(models.OrgHierarchy(employee_id="EMP001", supervisor_id="EMP002", level=1))
        leader = session.scalars(select(models.User).where(models.User.username == "supervisor")).one()
        leader.employee_id = "EMP002"
        put_presence(session, "EMP001", "available", "in_area", now - timedelta(seconds=130))
        put_presence(session, "EMP003", "off", "out_of_area", now - timedelta(minutes=9))
    builders.all_healthy(world.engine, now)
    with UnitOfWork(world.engine) as work:
        for name in ("worker", "broker"):
            work.session.add(models.Lease(name=name, owner="test", until=now + timedelta(hours=1)))


def put_presence(session: Any, employee_id: str, state: str, reason: str, last_seen: datetime) -> None:
    session.merge(
        models.Presence(
            employee_id=employee_id,
            site_id="plant",
            state=state,
            reason=reason,
            since=last_seen,
            last_seen=last_seen,
            zone_id="plant-gate",
            camera_id="plant-cam",
            business_date=last_seen.date(),
        )
    )


def open_alert(world: WebWorld, employee_id: str) -> int:
    """An open alert about somebody, of which the supervisor was told by WhatsApp."""
    now = datetime.now(UTC)
    with UnitOfWork(world.engine) as work:
        alert = models.Alert(
            dedupe_key=f"out_of_area:{employee_id}:1",
            kind="out_of_area",
            ts=now,
            employee_id=employee_id,
            site_id="plant",
            zone_id="plant-gate",
            last_seen=now - timedelta(minutes=6),
            log=f"[ALERT] {employee_id} - Somebody\nStatus: OUT OF AREA (last seen 6 min ago)",
        )
        work.session.add(alert)
        work.session.flush()
        told = models.Notification(
            notification_id=f"ntf_{alert.alert_id}",
            dedupe_key=f"{alert.dedupe_key}:whatsapp:62811",
            kind="alert",
            channel="whatsapp",
            alert_id=alert.alert_id,
            recipient="62811",
            recipient_name="Sari Dewi",
            payload={"text": alert.log},
            state="failed",
            error_text="Message undeliverable",
            next_attempt_at=now,
            expires_at=now,
            created_at=now,
            updated_at=now,
        )
        work.session.add(told)
        work.session.flush()
        work.session.add(
            models.DeliveryAttempt(
                notification_id=told.notification_id, at=now, outcome="failed", error_code="131026"
            )
        )
        return alert.alert_id


def token_on(page: str) -> str:
    """Return the CSRF token that a page carries."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, "the page has no CSRF token"
    return found.group(1)


def post(client: FlaskClient, url: str, data: dict[str, Any] | None = None, **more: Any) -> TestResponse:
    """Send a form as a browser does, with the session's token."""
    token = token_on(client.get("/settings/").text)
    return client.post(url, data={"csrf_token": token, **(data or {})}, **more)


class PageReader(HTMLParser):
    """Notes what makes a page usable for everybody."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.language = ""
        self.headings = 0
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.problems: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        if self._open:
            self.problems.append(f"never closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self._open.append(tag)
        if found := given.get("id"):
            self.ids.append(found)
        self._note(tag, given)
        for name in given:
            if name.startswith("on") or name == "style":
                self.problems.append(f"inline {name} on <{tag}>")

    def _note(self, tag: str, given: dict[str, str | None]) -> None:
        if tag == "html":
            self.language = given.get("lang") or ""
        elif tag == "h1":
            self.headings += 1
        elif tag == "label":
            self.labelled.add(given.get("for") or "")
        elif tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.fields.append(given)
        elif tag == "img" and "alt" not in given:
            self.problems.append("an image without alt")
        elif tag == "style" or (tag == "script" and "src" not in given):
            self.problems.append(f"inline <{tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1:]}")
        else:
            self._open.pop()

    @property
    def unlabelled(self) -> list[dict[str, str | None]]:
        known = self.labelled
        return [
            each
            for each in self.fields
            if each.get("id") not in known and "aria-label" not in each and each.get("aria-hidden") != "true"
        ]

    @property
    def repeated_ids(self) -> set[str]:
        return {each for each in self.ids if self.ids.count(each) > 1}

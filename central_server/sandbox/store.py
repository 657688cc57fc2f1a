"""The sandbox's memory: chats, media, templates and the callbacks still to be made, in one SQLite file."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from central_server.sandbox.catalogue import PRELOADED, Template

_TABLES = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, wamid TEXT UNIQUE, phone TEXT, direction TEXT, kind TEXT, text TEXT,
    buttons TEXT, media_id TEXT, filename TEXT, template TEXT, tracker TEXT, about TEXT, status TEXT,
    error TEXT, at REAL, changed INTEGER, raw TEXT);
CREATE INDEX IF NOT EXISTS message_changed ON message (changed);
CREATE TABLE IF NOT EXISTS media (id TEXT PRIMARY KEY, filename TEXT, mime TEXT, sha256 TEXT, content BLOB);
CREATE TABLE IF NOT EXISTS contact (phone TEXT PRIMARY KEY, name TEXT, last_inbound REAL);
CREATE TABLE IF NOT EXISTS template (name TEXT, language TEXT, definition TEXT, PRIMARY KEY (name, language));
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, wamid TEXT, value TEXT, due REAL, attempts INTEGER,
    shown INTEGER, done INTEGER);
CREATE INDEX IF NOT EXISTS callback_due ON callback (done, due);
"""


class Store:
    """All of it behind one lock: a sandbox has few visitors."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(home / "sandbox.db", check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        with self._writing() as database:
            database.executescript(_TABLES)
        for template in PRELOADED:
            self.add_template(template)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._database:
            yield self._database

    def _all(self, question: str, *values: Any) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._database.execute(question, values)]

    def _one(self, question: str, *values: Any) -> dict[str, Any] | None:
        return next(iter(self._all(question, *values)), None)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    # -- chats

    def add_message(self, **fields: Any) -> None:
        """Keep a message; buttons and raw are JSON values."""
        for name in ("buttons", "raw"):
            fields[name] = json.dumps(fields.get(name, []), ensure_ascii=False)
        names = ", ".join(fields)
        marks = ", ".join("?" for _ in fields)
        with self._writing() as database:
            database.execute(
                f"INSERT INTO message ({names}, changed) VALUES ({marks}, {_NEXT})", tuple(fields.values())
            )

    def set_status(self, wamid: str, status: str, error: str = "") -> None:
        with self._writing() as database:
            database.execute(
                f"UPDATE message SET status = ?, error = ?, changed = {_NEXT} WHERE wamid = ?",
                (status, error, wamid),
            )

    def messages(self, since: int = 0) -> list[dict[str, Any]]:
        """Return what changed after `since`, oldest first."""
        return [
            _message(row) for row in self._all("SELECT * FROM message WHERE changed > ? ORDER BY id", since)
        ]

    def message(self, wamid: str) -> dict[str, Any] | None:
        row = self._one("SELECT * FROM message WHERE wamid = ?", wamid)
        return _message(row) if row else None

    def heard_from(self, phone: str, name: str, at: float) -> None:
        """Note that phone wrote to us: its window is open for 24 hours."""
        with self._writing() as database:
            database.execute(
                "INSERT INTO contact VALUES (?, ?, ?) ON CONFLICT (phone) DO UPDATE SET last_inbound = ?,"
                " name = CASE WHEN ? = '' THEN name ELSE ? END",
                (phone, name, at, at, name, name),
            )

    def name_contact(self, phone: str, name: str) -> None:
        """Show the phone of somebody who has not written yet."""
        with self._writing() as database:
            database.execute(
                "INSERT INTO contact VALUES (?, ?, 0) ON CONFLICT (phone) DO UPDATE SET name = ?",
                (phone, name, name),
            )

    def contacts(self) -> dict[str, dict[str, Any]]:
        return {row["phone"]: row for row in self._all("SELECT * FROM contact")}

    def is_window_open(self, phone: str, at: float) -> bool:
        row = self.contacts().get(phone)
        return row is not None and at < row["last_inbound"] + 24 * 3600

    def close_window(self, phone: str) -> None:
        with self._writing() as database:
            database.execute("UPDATE contact SET last_inbound = 0 WHERE phone = ?", (phone,))

    # -- media and templates

    def add_media(self, media_id: str, filename: str, mime: str, sha256: str, content: bytes) -> None:
        with self._writing() as database:
            database.execute(
                "INSERT INTO media VALUES (?, ?, ?, ?, ?)", (media_id, filename, mime, sha256, content)
            )

    def media(self, media_id: str) -> dict[str, Any] | None:
        return self._one("SELECT * FROM media WHERE id = ?", media_id)

    def delete_media(self, media_id: str) -> None:
        with self._writing() as database:
            database.execute("DELETE FROM media WHERE id = ?", (media_id,))

    def add_template(self, template: Template) -> None:
        values = [getattr(template, name) for name in Template.__slots__]
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO template VALUES (?, ?, ?)",
                (template.name, template.language, json.dumps(values)),
            )

    def template(self, name: str, language: str) -> Template | None:
        row = self._one("SELECT * FROM template WHERE name = ? AND language = ?", name, language)
        return _template(row) if row else None

    def templates(self) -> list[Template]:
        return [_template(row) for row in self._all("SELECT * FROM template ORDER BY name, language")]

    # -- callbacks still to be made

    def add_callback(self, kind: str, wamid: str, value: dict[str, Any], due: float) -> None:
        with self._writing() as database:
            database.execute(
                "INSERT INTO callback (kind, wamid, value, due, attempts, shown, done)"
                " VALUES (?, ?, ?, ?, 0, 0, 0)",
                (kind, wamid, json.dumps(value, ensure_ascii=False), due),
            )

    def due_callbacks(self, at: float, limit: int) -> list[dict[str, Any]]:
        found = self._all(
            "SELECT * FROM callback WHERE done = 0 AND due <= ? ORDER BY due, id LIMIT ?", at, limit
        )
        return [{**row, "value": json.loads(row["value"])} for row in found]

    def due_statuses(self, at: float) -> list[dict[str, Any]]:
        """Return what has happened to messages and does not show on the page yet."""
        found = self._all(
            "SELECT * FROM callback WHERE shown = 0 AND kind = 'statuses' AND due <= ? ORDER BY due, id", at
        )
        return [{**row, "value": json.loads(row["value"])} for row in found]

    def mark_shown(self, ids: list[int]) -> None:
        self._mark(ids, "shown = 1")

    def mark_done(self, ids: list[int]) -> None:
        self._mark(ids, "done = 1")

    def put_off(self, ids: list[int], due: float) -> None:
        self._mark(ids, f"attempts = attempts + 1, due = {due!r}")

    def _mark(self, ids: list[int], change: str) -> None:
        with self._writing() as database:
            database.executemany(f"UPDATE callback SET {change} WHERE id = ?", [(each,) for each in ids])


_NEXT = "(SELECT COALESCE(MAX(changed), 0) + 1 FROM message)"


def _message(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "buttons": json.loads(row["buttons"]), "raw": json.loads(row["raw"])}


def _template(row: dict[str, Any]) -> Template:
    name, language, body, buttons, header, category = json.loads(row["definition"])
    return Template(name, language, body, tuple(buttons), header, category)

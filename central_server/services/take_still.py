"""One picture of a camera, for an administrator to draw masks on: asked for, kept ten minutes, then gone."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, AgentCommand
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit
from central_server.services.enrol_person import write_private
from common.ids import is_slug

STILLS = "stills"  # the folder below the server's home
KIND = "still"
LIFE = timedelta(minutes=10)
ANSWERED_WITHIN = timedelta(minutes=1)  # else the agent is away, or too old to know the command
MOST_BYTES = 1_000_000


class StillRefused(Exception):
    """The picture is not taken; says why."""


@dataclass(frozen=True, slots=True)
class Still:
    """How it stands with the picture of a camera: none | waiting | ready | failed."""

    state: str
    detail: str = ""  # why it failed, as the agent says
    taken_at: datetime | None = None


def ask_for_still(work: UnitOfWork, agent: Agent, camera_id: str, *, by: str, now: datetime) -> None:
    """Ask the agent for a picture; asking again while it is on its way changes nothing."""
    asked = _asked(work.session, agent, camera_id)
    if asked and asked.finished_at is None and now - asked.created_at < ANSWERED_WITHIN:
        return
    work.session.add(
        AgentCommand(
            command_id=f"still-{secrets.token_hex(8)}",
            agent_id=agent.agent_id,
            kind=KIND,
            args={"camera_id": camera_id},
            created_at=now,
        )
    )
    audit.note(work, f"user:{by}", "still.ask", camera_id, now=now, agent_id=agent.agent_id)


def store_still(
    work: UnitOfWork, home: Path, agent: Agent, camera_id: str, jpeg: bytes, *, now: datetime
) -> None:
    """Keep the picture that the agent was asked for. Raises StillRefused: none is taken unasked."""
    if len(jpeg) > MOST_BYTES or not jpeg.startswith(b"\xff\xd8\xff"):
        raise StillRefused(f"A still is a JPEG of at most {MOST_BYTES // 1000} kB.")
    asked = _asked(work.session, agent, camera_id) if is_slug(camera_id) else None
    if asked is None or asked.finished_at is not None or now - asked.created_at > 2 * ANSWERED_WITHIN:
        raise StillRefused("Nobody has asked for a picture of this camera.")
    write_private(_path(home, agent.agent_id, camera_id), jpeg)


def still_of(session: Session, home: Path, agent: Agent, camera_id: str, *, now: datetime) -> Still:
    """Return how it stands with the picture of a camera."""
    asked = _asked(session, agent, camera_id)
    path = still_file(home, agent.agent_id, camera_id, now=now)
    taken_at = _written_at(path) if path else None
    if taken_at and (asked is None or asked.ok or taken_at >= asked.created_at.replace(microsecond=0)):
        return Still("ready", taken_at=taken_at)
    if asked is None or now - asked.created_at > LIFE:
        return Still("none")
    if asked.finished_at is not None:
        return Still("failed", asked.detail)
    return Still("waiting" if now - asked.created_at < ANSWERED_WITHIN else "failed")


def still_file(home: Path, agent_id: str, camera_id: str, *, now: datetime) -> Path | None:
    """Return the picture's file, if there is one that may still be shown."""
    path = _path(home, agent_id, camera_id)
    written_at = _written_at(path) if is_slug(agent_id) and is_slug(camera_id) else None
    return path if written_at and now - written_at < LIFE else None


def note_look(work: UnitOfWork, actor: str, agent_id: str, camera_id: str, *, now: datetime) -> None:
    """Write down that somebody looked at a camera's picture: people may be in it."""
    audit.note(work, actor, "still.view", camera_id, now=now, agent_id=agent_id)


def sweep_stills(home: Path, *, now: datetime) -> int:
    """Delete the pictures that are past their time; return how many."""
    old = [
        path
        for path in (home / STILLS).glob("*/*")
        if (written_at := _written_at(path)) and now - written_at >= LIFE
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _path(home: Path, agent_id: str, camera_id: str) -> Path:
    return home / STILLS / agent_id / f"{camera_id}.jpg"


def _written_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime).astimezone()
    except OSError:
        return None


def _asked(session: Session, agent: Agent, camera_id: str) -> AgentCommand | None:
    newest = (
        select(AgentCommand)
        .where(AgentCommand.agent_id == agent.agent_id, AgentCommand.kind == KIND)
        .order_by(AgentCommand.created_at.desc())
        .limit(50)
    )
    asked = session.scalars(newest)
    return next((each for each in asked if each.args.get("camera_id") == camera_id), None)

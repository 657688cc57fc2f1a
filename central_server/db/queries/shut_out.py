"""Agents that were shut out, for whoever may let them in again."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Camera
from central_server.db.queries.places import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedLine:
    agent_id: str
    name: str
    site: str
    since: datetime | None  # local
    cameras: int


def revoked_agents(session: Session, places: Places) -> tuple[RevokedLine, ...]:
    """Return the agents that are revoked, the newest first."""
    counted = select(Camera.agent_id, func.count()).group_by(Camera.agent_id)
    cameras = dict(session.execute(counted).all())
    rows = session.scalars(
        select(Agent).where(Agent.revoked_at.is_not(None)).order_by(Agent.revoked_at.desc())
    )
    return tuple(
        RevokedLine(
            agent_id=row.agent_id,
            name=row.name,
            site=places.sites[row.site_id].name if row.site_id in places.sites else "",
            since=places.local(row.revoked_at, row.site_id),
            cameras=cameras.get(row.agent_id, 0),
        )
        for row in rows
    )

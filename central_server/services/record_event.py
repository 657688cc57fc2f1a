"""Record what cameras saw, and what follows from it, in one transaction."""

from collections.abc import Mapping
from datetime import datetime

from central_server.config import RulesConfig
from central_server.db.models import Agent, Camera
from central_server.db.stores import events
from central_server.db.unit_of_work import UnitOfWork
from common.events import Ack, Envelope


class UnknownAgent(Exception):
    """Events from an agent that this server does not know."""


def record_events(
    agent_id: str,
    envelope: Envelope,
    work: UnitOfWork,
    rules: RulesConfig,
    *,
    now: datetime,
    parked: Mapping[int, str] | None = None,
) -> Ack:
    """Store each event once, with what follows from it; return how far the agent may forget.

    parked: the sequence numbers in this batch that could not be read, with the reason; they hold
    a place in the record, so that one bad event never stops its siblings.
    Raises UnknownAgent.
    """
    agent = work.session.get(Agent, agent_id)
    if agent is None:
        raise UnknownAgent(f"{agent_id} is not an agent of this server")
    for event in envelope.events:
        camera = work.session.get(Camera, event.camera_id)
        events.add(work.session, agent, envelope.epoch, event, camera, now=now, business_date=now.date())
    return Ack(envelope.epoch, events.advance_mark(work.session, agent_id, envelope, now))

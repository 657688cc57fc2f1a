"""/agent/v1/events: the way round a blocked broker. The same envelope, and the ack is the answer."""

from typing import Any

from flask import Blueprint, Response, request

from central_server.adapters.event_intake import read_envelope
from central_server.blueprints.agent_access import PREFIX, for_agents, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import record_health
from central_server.services.record_event import record_events
from common import topics, wire

blueprint = Blueprint("agent_link", __name__, url_prefix=PREFIX)


@blueprint.post("/events")
@for_agents
def events(work: UnitOfWork, agent: Agent) -> Any:
    """The way round a blocked broker: the same envelope, and the ack is the answer."""
    payload = request.get_data()
    topic = topics.AgentTopics(agent.agent_id).events  # type: ignore[arg-type]
    try:
        intake = read_envelope(payload)
    except wire.MalformedMessage as error:
        record_health.park_message(topic, payload, str(error), work, utc_now())
        return refused(422, f"The envelope cannot be read: {error}")
    for bad in intake.bad:
        record_health.park_message(topic, bad.payload, bad.reason, work, utc_now())
    ack = record_events(
        agent.agent_id, intake.envelope, work, hadir().config.rules, now=utc_now(), parked=intake.parked
    )
    return Response(wire.encode(ack), mimetype="application/json")

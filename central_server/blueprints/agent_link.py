"""/agent/v1/events and /messages: the road beside MQTT, for sites that let nothing but HTTPS out.

The same messages, recorded in the same way; what MQTT would bring down is the answer.
"""

from typing import Any

from flask import Blueprint, Response, request

from central_server.adapters.message_intake import record_messages
from central_server.blueprints.agent_access import PREFIX, as_agent, for_agents, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent
from central_server.services.command_agents import commands_waiting
from central_server.services.publish_gallery import current_manifest
from common import topics, wire
from common.letters import Letter, bundle, unbundle

blueprint = Blueprint("agent_link", __name__, url_prefix=PREFIX)


@blueprint.post("/events")
@for_agents
def events(work: UnitOfWork, agent: Agent) -> Any:
    """Take an envelope of events; the answer is the ack."""
    letter = (_topics(agent).events, request.get_data())
    acks = record_messages([letter], work, hadir().config.rules, utc_now(), road="http")
    if agent.agent_id not in acks:
        return refused(422, "The envelope cannot be read; it is kept for somebody to look at.")
    return Response(wire.encode(acks[agent.agent_id]), mimetype="application/json")


@blueprint.post("/messages")
@as_agent
def messages(agent: Agent) -> Any:
    """Take what the agent says of itself; the answer holds its manifest and the commands that wait."""
    try:
        letters = unbundle(request.get_data())
    except wire.MalformedMessage as error:
        return refused(422, str(error))
    addresses = [topics.parse(topic) for topic, _ in letters]
    if any(each is None or (each.direction, each.agent_id) != ("up", agent.agent_id) for each in addresses):
        return refused(403, "These are not this agent's topics.")
    down, now = _topics(agent), utc_now()
    with hadir().work() as work:
        acks = record_messages(letters, work, hadir().config.rules, now, road="http")
    answer: list[Letter] = [(down.ack, wire.encode(ack)) for ack in acks.values()]
    with UnitOfWork(hadir().engine, writes=False) as work:  # with many people a manifest takes a while
        current = work.session.get_one(Agent, agent.agent_id)
        config = configure_agent.served(work.session, current, hadir().seal(configure_agent.PURPOSE))
        manifest = current_manifest(work, current, now=now, config=config)
        commands = commands_waiting(work, agent.agent_id, now=now)
    answer.append((down.manifest, wire.encode(manifest)))
    answer += [(down.command(each.command_id), wire.encode(each)) for each in commands]
    return Response(bundle(answer), mimetype="application/json")


def _topics(agent: Agent) -> topics.AgentTopics:
    return topics.AgentTopics(agent.agent_id)  # type: ignore[arg-type]

"""/agent/v1: an agent's own configuration, and the pictures that were asked of its cameras."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from central_server.blueprints.agent_access import PREFIX, for_agents, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent, take_still

blueprint = Blueprint("agent_config", __name__, url_prefix=PREFIX)


@blueprint.get("/config")
@for_agents
def configuration(work: UnitOfWork, agent: Agent) -> Any:
    """The bytes that the manifest signs for. Cameras' passwords are in them: for this agent, and no cache."""
    current = configure_agent.served(work.session, agent, hadir().seal(configure_agent.PURPOSE))
    if not current.gen:
        return refused(404, "The dashboard configures nothing for this agent.")
    etag = f"{current.gen}-{current.sha256[:32]}"
    if request.if_none_match.contains(etag):
        return Response(status=304, headers={"Cache-Control": "no-store"})
    reply = Response(current.content, mimetype="application/json")
    reply.set_etag(etag)
    reply.headers["Cache-Control"] = "no-store"
    return reply


@blueprint.put("/stills/<camera_id>")
@for_agents
def still(work: UnitOfWork, agent: Agent, camera_id: str) -> Any:
    try:
        take_still.store_still(work, hadir().config.home, agent, camera_id, request.get_data(), now=utc_now())
    except take_still.StillRefused as refusal:
        return refused(404, str(refusal))
    return jsonify(stored=True)

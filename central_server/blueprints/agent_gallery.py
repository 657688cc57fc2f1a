"""/agent/v1: the signed manifest, and the templates that an agent should hold."""

import base64
from typing import Any

from flask import Blueprint, Response, jsonify, request

from central_server.blueprints.agent_access import PREFIX, for_agents, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent, publish_gallery
from common import wire

blueprint = Blueprint("agent_gallery", __name__, url_prefix=PREFIX)


@blueprint.get("/manifest")
@for_agents
def manifest(work: UnitOfWork, agent: Agent) -> Any:
    config = configure_agent.served(work.session, agent, hadir().seal(configure_agent.PURPOSE))
    current = publish_gallery.current_manifest(work, agent, now=utc_now(), config=config)
    return Response(wire.encode(current), mimetype="application/json")


@blueprint.get("/templates")
@for_agents
def templates(work: UnitOfWork, agent: Agent) -> Any:
    """The agent's people since a generation. Reading embeddings is written down in the audit log."""
    model_id = request.args.get("model", "")
    if not model_id:
        return refused(400, "Which model? Give model=.")
    since = request.args.get("since", 0, type=int)
    delta = publish_gallery.delta(work, agent, since, model_id)
    etag = f"{since}-{delta.gen}-{delta.sha256[:32]}"
    if request.if_none_match.contains_weak(etag):
        return Response(status=304)
    publish_gallery.note_read(work, agent, delta, since, now=utc_now())
    reply = jsonify(
        gen=delta.gen,
        model_id=delta.model_id,
        sha256=delta.sha256,
        full=delta.full,
        add=[
            {
                "template_id": each.template_id,
                "employee_id": each.employee_id,
                "embedding": base64.b64encode(each.embedding).decode(),
            }
            for each in delta.add
        ],
        remove=list(delta.remove),
    )
    reply.set_etag(etag, weak=True)
    reply.headers["Cache-Control"] = "no-store"
    return reply

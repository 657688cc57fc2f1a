"""/agent/v1: photos to embed, and the face crops of events."""

import base64
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from central_server.blueprints.agent_access import PREFIX, for_agents, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import embed_photos, store_snapshot

blueprint = Blueprint("agent_pictures", __name__, url_prefix=PREFIX)


# -- enrolment ---------------------------------------------------------------------------------------------


@blueprint.get("/enrolments")
@for_agents
def enrolments(work: UnitOfWork, agent: Agent) -> Any:
    """A few photos to embed, which no other agent of the same model gets meanwhile."""
    photos = embed_photos.claim_photos(work, agent, utc_now())
    return jsonify(photos=[{"photo_id": each.photo_id, "employee_id": each.employee_id} for each in photos])


@blueprint.get("/enrolments/<photo_id>/photo")
@for_agents
def enrolment_photo(work: UnitOfWork, agent: Agent, photo_id: str) -> Any:
    try:
        photo = embed_photos.photo_for(work, agent, photo_id, now=utc_now())
    except embed_photos.NotWanted as reason:
        return refused(409, str(reason))
    if photo is None:
        return refused(404, "There is no such photo to be embedded.")
    try:
        content = (hadir().config.home / photo.path).read_bytes()
    except OSError:
        current_app.logger.exception("photo %s cannot be read", photo_id)
        lost = embed_photos.Enrolment(False, agent.model_id, reason="file_gone")
        embed_photos.record_enrolment(work, agent, photo_id, lost, now=utc_now())
        return refused(410, "The photo's file is gone.")
    reply = Response(content, mimetype="application/octet-stream")
    reply.headers["Cache-Control"] = "no-store"
    return reply


@blueprint.post("/enrolments/<photo_id>/result")
@for_agents
def enrolment_result(work: UnitOfWork, agent: Agent, photo_id: str) -> Any:
    try:
        enrolment = _enrolment_in(request.get_json(silent=True))
        wanted = embed_photos.record_enrolment(work, agent, photo_id, enrolment, now=utc_now())
    except embed_photos.BadEmbedding as error:
        return refused(400, str(error))
    return jsonify(recorded=wanted)


def _enrolment_in(body: Any) -> embed_photos.Enrolment:
    try:
        return embed_photos.Enrolment(
            accepted=body["accepted"] is True,
            model_id=str(body["model_id"]),
            embedding=base64.b64decode(body.get("embedding", ""), validate=True),
            quality=float(body.get("quality", 0)),
            reason=str(body.get("reason", "")),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise embed_photos.BadEmbedding(f"the result cannot be read: {error!r}") from error


# -- face crops ---------------------------------------------------------------------------------


@blueprint.put("/snapshots/<event_id>")
@for_agents
def snapshot(work: UnitOfWork, agent: Agent, event_id: str) -> Any:
    config = hadir().config
    try:
        store_snapshot.store_snapshot(
            work,
            config.home,
            agent,
            event_id,
            request.get_data(),
            days=config.rules.snapshot_days,
            now=utc_now(),
        )
    except store_snapshot.SnapshotRefused as refusal:
        return refused(404, str(refusal))
    return jsonify(stored=True)

"""/agent/v1: the signed manifest, and the templates that an agent should hold."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, current_app, request, send_file

from central_server.blueprints.agent_access import PREFIX, as_agent, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent, gallery_bodies, publish_gallery
from common import wire
from common.gallery_body import MEDIA_TYPE

blueprint = Blueprint("agent_gallery", __name__, url_prefix=PREFIX)

ONE_DOWNLOAD_S = 3600.0  # the rest of a body that is asked for within this time is no new reading of it
MOST_REMEMBERED = 10_000


@dataclass
class Downloads:
    """Which agents have begun which bodies; for one process."""

    begun: dict[tuple[str, str], float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_new(self, agent_id: str, sha256: str, offset: int, now: float) -> bool:
        """Tell whether a request from this byte on begins a download, and remember it."""
        with self.lock:
            if offset and now - self.begun.get((agent_id, sha256), -ONE_DOWNLOAD_S) < ONE_DOWNLOAD_S:
                return False
            if len(self.begun) >= MOST_REMEMBERED:
                self.begun.clear()
            self.begun[agent_id, sha256] = now
            return True


@blueprint.get("/manifest")
@as_agent
def manifest(agent: Agent) -> Any:
    """What the agent should hold. It says what it does hold: the heartbeats may be unable to."""
    held = request.args.get("held", type=int)
    if held is not None and held >= 0 and held != agent.gallery_gen:
        agent.gallery_gen = held
        with hadir().work() as work:
            work.session.get_one(Agent, agent.agent_id).gallery_gen = agent.gallery_gen
    with UnitOfWork(hadir().engine, writes=False) as work:
        config = configure_agent.served(work.session, agent, hadir().seal(configure_agent.PURPOSE))
        current = publish_gallery.current_manifest(work, agent, now=utc_now(), config=config)
    return Response(wire.encode(current), mimetype="application/json")


@blueprint.get("/templates")
@as_agent
def templates(agent: Agent) -> Any:
    """The agent's people since a generation, to be had in parts. Reading it is written in the audit log."""
    model_id, since = request.args.get("model", ""), request.args.get("since", 0, type=int)
    if not model_id:
        return refused(400, "Which model? Give model=.")
    try:
        return _sent(agent, since, model_id)
    except publish_gallery.TooOld as error:
        return refused(410, f"Ask for everybody: {error}.")
    except (gallery_bodies.GalleryChanging, FileNotFoundError):
        return refused(503, "The gallery is changing; try again.")


def _sent(agent: Agent, since: int, model_id: str) -> Response:
    config = hadir().config
    wanted = (request.if_range.etag or "") if request.range else ""
    body = gallery_bodies.body_for(hadir().engine, config.home, agent, since, model_id, wanted)
    reply = send_file(
        body.path, mimetype=MEDIA_TYPE, conditional=True, etag=body.sha256, last_modified=None, max_age=0
    )
    reply.headers["Cache-Control"] = "no-store"
    offset = reply.content_range.start or 0 if reply.status_code == 206 else 0
    if reply.status_code in (200, 206) and _begins(agent, body, offset):
        head = body.head()
        with hadir().work() as work:
            publish_gallery.note_read(work, agent, head, since, now=utc_now())
    return reply


def _begins(agent: Agent, body: gallery_bodies.Body, offset: int) -> bool:
    downloads: Downloads = current_app.extensions.setdefault("hadir.downloads", Downloads())
    return downloads.is_new(agent.agent_id, body.sha256, offset, time.monotonic())

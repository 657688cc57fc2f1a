"""/agent/v1: what agents ask over HTTP. A bearer token names the agent, which reaches its own site only."""

import base64
import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.exc import OperationalError

from central_server.adapters.broker_accounts import BrokerAccounts, protocol_of
from central_server.adapters.event_intake import read_envelope
from central_server.config import BrokerConfig, ServerConfig
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import enrol_person, join_agent, publish_gallery, record_health, store_snapshot
from central_server.services.record_event import record_events
from common import topics, wire

blueprint = Blueprint("agent_api", __name__, url_prefix="/agent/v1")

JOIN_TRIES = 10  # that failed, of one address
JOIN_WINDOW_S = 60.0
MOST_REQUEST_BYTES = 1_000_000


def _now() -> datetime:
    return datetime.now(UTC)


def _config() -> ServerConfig:
    config: ServerConfig = current_app.extensions["hadir"].config
    return config


def _work() -> UnitOfWork:
    return UnitOfWork(current_app.extensions["hadir"].engine)


def _no(status: int, words: str) -> tuple[Response, int]:
    return jsonify(error=words), status


def for_agents(view: Callable[..., Any]) -> Callable[..., Any]:
    """Call view with a transaction and the agent whose token came with the request; 401 without one."""

    @functools.wraps(view)
    def guarded(**given: Any) -> Any:
        if (request.content_length or 0) > MOST_REQUEST_BYTES:
            return _no(413, "The request is too large.")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            with _work() as work:
                known = scheme.lower() == "bearer" and token
                agent = join_agent.agent_of_token(work, token.strip()) if known else None
                if agent is None:
                    return _no(401, "The agent's token is not (or no longer) valid; join again.")
                join_agent.note_model(agent, request.headers.get(topics.MODEL_HEADER, ""))
                return view(work=work, agent=agent, **given)
        except OperationalError:
            current_app.logger.exception("the database cannot be used")
            return _no(503, "The server's database is busy; try again.")

    return guarded


# -- joining -----------------------------------------------------------------------------------------------


@dataclass
class Throttle:
    """Failed tries by address, for one process: enough against guessing 40 random bits in 24 hours."""

    most: int
    window_s: float
    failures: dict[str, deque[float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_closed(self, address: str, now: float) -> bool:
        with self.lock:
            tries = self.failures.get(address, deque())
            while tries and now - tries[0] > self.window_s:
                tries.popleft()
            return len(tries) >= self.most

    def note_failure(self, address: str, now: float) -> None:
        with self.lock:
            if len(self.failures) > 10_000:
                self.failures.clear()
            self.failures.setdefault(address, deque(maxlen=self.most)).append(now)


def _throttle() -> Throttle:
    extensions = current_app.extensions
    return extensions.setdefault("hadir.join_throttle", Throttle(JOIN_TRIES, JOIN_WINDOW_S))


@blueprint.post("/join")
def join() -> Any:
    """Spend a code; the answer holds every secret that the agent will ever need."""
    address = request.remote_addr or ""
    if _throttle().is_closed(address, time.monotonic()):
        return _no(429, "Too many tries. Wait a minute.")
    body = request.get_json(silent=True) if (request.content_length or 0) < 20_000 else None
    if not isinstance(body, dict) or not all(
        isinstance(body.get(each), str) for each in ("code", "hardware_id")
    ):
        return _no(400, "A join needs a code and the machine's hardware_id.")
    config = _config()
    try:
        with _work() as work:
            joined = join_agent.join_agent(
                work,
                body["code"],
                hardware_id=body["hardware_id"][:64],
                name=str(body.get("name") or "")[:120],
                secret_key=config.secret_key,
                now=_now(),
            )
            answer = join_agent.broker_answer(_broker_for_agents(config.broker), joined)
            if config.broker.accounts_dir:
                accounts = BrokerAccounts(config.broker.accounts_dir)
                accounts.put(joined.agent.agent_id, joined.broker_password)
    except join_agent.JoinRefused as refusal:
        _throttle().note_failure(address, time.monotonic())
        return _no(403, str(refusal))
    return jsonify(answer | {"server_time": round(time.time() * 1000)})


def _broker_for_agents(broker: BrokerConfig) -> dict[str, Any]:
    ca_pem = Path(broker.ca_file).read_text() if broker.ca_file else ""
    return {
        "host": broker.public_host,
        "port": broker.public_port,
        "protocol": protocol_of(broker),
        "ca_pem": ca_pem,
    }


# -- galleries ---------------------------------------------------------------------------------------------


@blueprint.get("/manifest")
@for_agents
def manifest(work: UnitOfWork, agent: Agent) -> Any:
    current = publish_gallery.current_manifest(work, agent, now=_now())
    return Response(wire.encode(current), mimetype="application/json")


@blueprint.get("/templates")
@for_agents
def templates(work: UnitOfWork, agent: Agent) -> Any:
    """The agent's people since a generation. Reading embeddings is written down in the audit log."""
    model_id = request.args.get("model", "")
    if not model_id:
        return _no(400, "Which model? Give model=.")
    since = request.args.get("since", 0, type=int)
    delta = publish_gallery.delta(work, agent, since, model_id)
    etag = f"{since}-{delta.gen}-{delta.sha256[:32]}"
    if request.if_none_match.contains_weak(etag):
        return Response(status=304)
    publish_gallery.note_read(work, agent, delta, since, now=_now())
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


# -- enrolment ---------------------------------------------------------------------------------------------


@blueprint.get("/enrolments")
@for_agents
def enrolments(work: UnitOfWork, agent: Agent) -> Any:
    photos = enrol_person.pending_photos(work, agent)
    return jsonify(photos=[{"photo_id": each.photo_id, "employee_id": each.employee_id} for each in photos])


@blueprint.get("/enrolments/<photo_id>/photo")
@for_agents
def enrolment_photo(work: UnitOfWork, agent: Agent, photo_id: str) -> Any:
    photo = enrol_person.photo_for(work, agent, photo_id, now=_now())
    if photo is None:
        return _no(404, "There is no such photo to be embedded.")
    try:
        content = (_config().home / photo.path).read_bytes()
    except OSError:
        current_app.logger.exception("photo %s cannot be read", photo_id)
        return _no(410, "The photo's file is gone.")
    reply = Response(content, mimetype="application/octet-stream")
    reply.headers["Cache-Control"] = "no-store"
    return reply


@blueprint.post("/enrolments/<photo_id>/result")
@for_agents
def enrolment_result(work: UnitOfWork, agent: Agent, photo_id: str) -> Any:
    try:
        enrolment = _enrolment_in(request.get_json(silent=True))
        wanted = enrol_person.record_enrolment(work, agent, photo_id, enrolment, now=_now())
    except enrol_person.BadEmbedding as error:
        return _no(400, str(error))
    return jsonify(recorded=wanted)


def _enrolment_in(body: Any) -> enrol_person.Enrolment:
    try:
        return enrol_person.Enrolment(
            accepted=body["accepted"] is True,
            model_id=str(body["model_id"]),
            embedding=base64.b64decode(body.get("embedding", ""), validate=True),
            quality=float(body.get("quality", 0)),
            reason=str(body.get("reason", "")),
        )
    except (TypeError, KeyError, ValueError) as error:
        raise enrol_person.BadEmbedding(f"the result cannot be read: {error!r}") from error


# -- events and face crops ---------------------------------------------------------------------------------


@blueprint.post("/events")
@for_agents
def events(work: UnitOfWork, agent: Agent) -> Any:
    """The way round a blocked broker: the same envelope, and the ack is the answer."""
    payload = request.get_data()
    topic = topics.AgentTopics(agent.agent_id).events  # type: ignore[arg-type]
    try:
        intake = read_envelope(payload)
    except wire.MalformedMessage as error:
        record_health.park_message(topic, payload, str(error), work, _now())
        return _no(422, f"The envelope cannot be read: {error}")
    for bad in intake.bad:
        record_health.park_message(topic, bad.payload, bad.reason, work, _now())
    ack = record_events(
        agent.agent_id, intake.envelope, work, _config().rules, now=_now(), parked=intake.parked
    )
    return Response(wire.encode(ack), mimetype="application/json")


@blueprint.put("/snapshots/<event_id>")
@for_agents
def snapshot(work: UnitOfWork, agent: Agent, event_id: str) -> Any:
    config = _config()
    try:
        store_snapshot.store_snapshot(
            work,
            config.home,
            agent,
            event_id,
            request.get_data(),
            days=config.rules.snapshot_days,
            now=_now(),
        )
    except store_snapshot.SnapshotRefused as refusal:
        return _no(404, str(refusal))
    return jsonify(stored=True)

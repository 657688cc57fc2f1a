"""Whom an agent's HTTP request is from: a bearer token names the agent, which reaches its own site only."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, jsonify, request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.exceptions import RequestEntityTooLarge

from central_server.blueprints.extensions import hadir, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import join_agent
from common import topics

PREFIX = "/agent/v1"
NO_TOKEN = "The agent's token is not (or no longer) valid; join again."
MOST_REQUEST_BYTES = 1_000_000


def refused(status: int, words: str, **more: Any) -> tuple[Response, int]:
    return jsonify(error=words, **more), status


def for_agents(view: Callable[..., Any]) -> Callable[..., Any]:
    """Call view with a transaction and the agent whose token came with the request; 401 without one."""

    @functools.wraps(view)
    def guarded(**given: Any) -> Any:
        return _answered(lambda work, agent: view(work=work, agent=agent, **given))

    return guarded


def as_agent(view: Callable[..., Any]) -> Callable[..., Any]:
    """Call view with the agent whose token came with the request, and no transaction: for what takes long."""

    @functools.wraps(view)
    def guarded(**given: Any) -> Any:
        limit_body()
        try:
            with UnitOfWork(hadir().engine, writes=False) as work:
                agent = _caller(work.session)
            if agent is None or agent.revoked_at is not None:
                return _stranger(agent)
            model_id = request.headers.get(topics.MODEL_HEADER, "")
            if model_id not in ("", agent.model_id):
                with hadir().work() as work:
                    agent = work.session.get_one(Agent, agent.agent_id)
                    join_agent.note_model(work, agent, model_id, utc_now())
            return view(agent=agent, **given)
        except OperationalError:
            return _busy()

    return guarded


def _answered(answer: Callable[[UnitOfWork, Agent], Any]) -> Any:
    limit_body()
    try:
        with UnitOfWork(hadir().engine, writes=False) as work:  # a stranger holds up nobody who writes
            if (agent := _caller(work.session)) is None:
                return _stranger(None)
        with hadir().work() as work:
            agent = _caller(work.session)
            if agent is None or agent.revoked_at is not None:
                return _stranger(agent)
            join_agent.note_model(work, agent, request.headers.get(topics.MODEL_HEADER, ""), utc_now())
            return answer(work, agent)
    except OperationalError:
        return _busy()


def limit_body(most: int = MOST_REQUEST_BYTES) -> None:
    """Take no more of this request than most bytes, whether or not it says how many come. Raises 413."""
    request.max_content_length = most
    if (request.content_length or 0) > most:
        raise RequestEntityTooLarge


def _caller(session: Session) -> Agent | None:
    """Return the agent whose token came with the request, revoked or not."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        return None
    return join_agent.holder_of_token(session, token.strip())


def _stranger(agent: Agent | None) -> Any:
    """Refuse; whoever holds the token of a revoked agent is told so, and forgets the faces that it knows."""
    return refused(401, NO_TOKEN) if agent is None else refused(401, NO_TOKEN, revoked=True)


def _busy() -> Any:
    current_app.logger.exception("the database cannot be used")
    return refused(503, "The server's database is busy; try again.")

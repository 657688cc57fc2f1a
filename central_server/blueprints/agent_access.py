"""Whom an agent's HTTP request is from: a bearer token names the agent, which reaches its own site only."""

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, jsonify, request
from sqlalchemy.exc import OperationalError

from central_server.blueprints.extensions import hadir
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import join_agent
from common import topics

PREFIX = "/agent/v1"
MOST_REQUEST_BYTES = 1_000_000


def refused(status: int, words: str) -> tuple[Response, int]:
    return jsonify(error=words), status


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
        found: list[Agent] = []
        refusal = _answered(lambda work, agent: found.append(agent))
        try:
            return refusal if refusal is not None else view(agent=found[0], **given)
        except OperationalError:
            return _busy()

    return guarded


def _answered(answer: Callable[[UnitOfWork, Agent], Any]) -> Any:
    if (request.content_length or 0) > MOST_REQUEST_BYTES:
        return refused(413, "The request is too large.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        with hadir().work() as work:
            known = scheme.lower() == "bearer" and token
            agent = join_agent.agent_of_token(work, token.strip()) if known else None
            if agent is None:
                return refused(401, "The agent's token is not (or no longer) valid; join again.")
            join_agent.note_model(agent, request.headers.get(topics.MODEL_HEADER, ""))
            return answer(work, agent)
    except OperationalError:
        return _busy()


def _busy() -> Any:
    current_app.logger.exception("the database cannot be used")
    return refused(503, "The server's database is busy; try again.")

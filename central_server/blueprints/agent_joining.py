"""How a machine becomes an agent: with a code, or by knocking. The only endpoints that need no token."""

import time
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from central_server.blueprints.agent_access import PREFIX, limit_body, refused
from central_server.blueprints.agent_account import broker_for_agents
from central_server.blueprints.extensions import hadir, utc_now
from central_server.blueprints.throttle import Throttle
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AccountsError
from central_server.services import answer_knock, join_agent
from central_server.services.join_agent import Joined, JoinRefused, Offer
from common.pairing import certificate_in, pem_of

blueprint = Blueprint("agent_joining", __name__, url_prefix=PREFIX)

MOST_BYTES = 20_000
JOIN_TRIES = 5  # that failed, of one address in a window
KNOCK_TRIES = 10
POLL_TRIES = 120
WINDOW_S = 60.0


def _throttle(name: str, most: int) -> Throttle:
    return current_app.extensions.setdefault(f"hadir.{name}_throttle", Throttle(most, WINDOW_S))


@blueprint.get("/ca")
def ca() -> Any:
    """Hand out the certificate that vouches for this server; who asks must check it by its hash."""
    if not (der := own_ca()):
        return refused(404, "This server's certificate is vouched for by a public CA.")
    return Response(pem_of(der), mimetype="application/x-pem-file")


@blueprint.post("/join")
def join() -> Any:
    """Spend a code. The box has made its secrets; the answer carries none."""
    address = request.remote_addr or ""
    throttle = _throttle("join", JOIN_TRIES)
    if not throttle.admits(address, time.monotonic()):
        return refused(429, "Too many tries. Wait a minute.")
    try:
        body = _body()
        with hadir().work() as work:
            joined = join_agent.join_agent(
                work,
                _text(body, "code", 40),
                _offer(body),
                secret_key=hadir().config.secret_key,
                now=utc_now(),
            )
            answer = _welcome(joined, _text(body, "broker_password", 64))
    except JoinRefused as refusal:
        return refused(403, str(refusal))
    except AccountsError as error:
        throttle.give_back(address)  # that was no guess
        return _no_account(error)
    throttle.give_back(address)
    return answer


@blueprint.post("/knock")
def knock() -> Any:
    """Let a box without a code wait for an administrator's word."""
    address = request.remote_addr or ""
    if not _throttle("knock", KNOCK_TRIES).admits(address, time.monotonic()):
        return refused(429, "Too many tries. Wait a minute.")
    try:
        body = _body()
        asked = answer_knock.Knock(
            hardware_id=_text(body, "hardware_id", 64),
            name=_text(body, "name", 60),
            version=_text(body, "version", 40),
            address=address[:64],
            token_hash=_text(body, "token_sha256", 64),
            promise=_text(body, "promise", 64),
            nonce=_text(body, "nonce", 64),
            sees_our_ca=body.get("sees_our_ca") is True,
        )
        with hadir().work() as work:
            row = answer_knock.note_knock(work, asked, ca_der=own_ca(), now=utc_now())
            answer = {"request_id": row.request_id, "state": row.state}
    except JoinRefused as refusal:
        return refused(429 if isinstance(refusal, answer_knock.KnockRefused) else 403, str(refusal))
    return jsonify(answer | {"server_time": round(time.time() * 1000)})


@blueprint.post("/knock/state")
def knock_state() -> Any:
    """Tell a waiting box how it stands. Its id is in the body, so that no log of addresses holds it."""
    if not _throttle("poll", POLL_TRIES).admits(request.remote_addr or "", time.monotonic()):
        return refused(429, "Too many questions. Wait a minute.")
    try:
        request_id = _text(_body(), "request_id", 64)
    except JoinRefused as refusal:
        return refused(403, str(refusal))
    with UnitOfWork(hadir().engine, writes=False) as work:
        return jsonify(state=answer_knock.state_of(work, request_id, now=utc_now()))


@blueprint.post("/knock/claim")
def claim() -> Any:
    """Make a box that was let in an agent, with the secrets that it promised when it knocked."""
    if not _throttle("claim", KNOCK_TRIES).admits(request.remote_addr or "", time.monotonic()):
        return refused(429, "Too many tries. Wait a minute.")
    try:
        body = _body()
        password = _text(body, "broker_password", 64)
        with hadir().work() as work:
            joined = answer_knock.claim(
                work,
                _text(body, "request_id", 64),
                manifest_key=_text(body, "manifest_key", 64),
                broker_password=password,
                now=utc_now(),
            )
            return _welcome(joined, password)
    except JoinRefused as refusal:
        return refused(403, str(refusal))
    except AccountsError as error:
        return _no_account(error)


def _no_account(error: AccountsError) -> Any:
    """Nothing is spent, as the transaction was undone: it works when the broker does."""
    current_app.logger.error("a machine wants to join, but %s", error)
    return refused(503, "The broker takes no new accounts now. Try again in a moment.")


def _welcome(joined: Joined, broker_password: str) -> Response:
    """Open the agent's account at the broker, and say where everything is; within the join's transaction."""
    _open_account(joined.agent.agent_id, broker_password)
    answer = join_agent.answer_to(joined, broker_for_agents())
    return jsonify(answer | {"server_time": round(time.time() * 1000)})


def _open_account(agent_id: str, password: str) -> None:
    """Let the agent in at the broker, with the password that it has made itself. Raises AccountsError."""
    if (accounts := hadir().accounts) is not None:
        accounts.put(agent_id, password)


def own_ca() -> bytes:
    """Return this server's own CA certificate in DER; empty when a public one vouches for it."""
    path = hadir().config.web_ca_file
    return _certificate(path) if path else b""


@cache
def _certificate(path: str) -> bytes:
    """Read once: the settings were checked at the start, and a CA lasts longer than a process."""
    return certificate_in(Path(path).read_text())


def _body() -> dict[str, Any]:
    """Return the request's JSON object. Raises JoinRefused."""
    limit_body(MOST_BYTES)
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # so deep that nobody means it
        body = None
    if not isinstance(body, dict):
        raise JoinRefused("The request is not a JSON object.")
    return body


def _text(body: dict[str, Any], name: str, most: int) -> str:
    """Return a printable text of the request, empty when it is not there or something else."""
    value = body.get(name)
    return "".join(filter(str.isprintable, value)).strip()[:most] if isinstance(value, str) else ""


def _offer(body: dict[str, Any]) -> Offer:
    return Offer(
        hardware_id=_text(body, "hardware_id", 64),
        name=_text(body, "name", 60),
        token_hash=_text(body, "token_sha256", 64),
        manifest_key=_text(body, "manifest_key", 64),
        broker_password=_text(body, "broker_password", 64),
    )

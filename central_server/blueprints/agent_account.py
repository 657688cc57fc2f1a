"""/agent/v1/broker-account: an agent that the broker does not know (any more) opens its account again."""

import hashlib
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, jsonify, request

from central_server.blueprints.agent_access import PREFIX, for_agents, refused
from central_server.blueprints.extensions import hadir, limiter, utc_now
from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AccountsError
from central_server.services.renew_account import AccountRefused, renew_account

blueprint = Blueprint("agent_account", __name__, url_prefix=PREFIX)


def _token() -> str:
    return hashlib.sha256(request.headers.get("Authorization", "").encode()).hexdigest()


@blueprint.put("/broker-account")
@limiter.limit("6 per minute", key_func=_token)
@for_agents
def renew(work: UnitOfWork, agent: Agent) -> Any:
    """Open the account with the password in the request; the answer says where the broker is."""
    accounts, body = hadir().accounts, request.get_json(silent=True)
    if accounts is None:
        return refused(409, "The broker's accounts are not made by this server. Ask its operator.")
    if not isinstance(body, dict) or not isinstance(body.get("password"), str):
        return refused(400, "Which password? Send it as password.")
    try:
        renew_account(work, agent, body["password"], accounts, now=utc_now())
    except AccountRefused as refusal:
        return refused(403, str(refusal))
    except AccountsError as error:
        current_app.logger.error("agent %s wants its account renewed, but %s", agent.agent_id, error)
        return refused(503, "The broker does not take accounts now; try again.")
    return jsonify(broker=broker_for_agents() | {"username": agent.agent_id})


def broker_for_agents() -> dict[str, Any]:
    """Return where agents find the broker, and whom they shall trust to be it."""
    broker = hadir().config.broker
    return {
        "host": broker.public_host,
        "port": broker.public_port,
        "protocol": hadir().mqtt_version(),
        "ca_pem": Path(broker.public_ca_file).read_text() if broker.public_ca_file else "",
    }

"""/agent/v1/join: how a machine becomes an agent. The only thing here that needs no token."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, jsonify, request

from central_server.adapters.broker_accounts import BrokerAccounts, protocol_of
from central_server.blueprints.agent_access import PREFIX, refused
from central_server.blueprints.extensions import hadir, utc_now
from central_server.config import BrokerConfig
from central_server.services import join_agent

blueprint = Blueprint("agent_joining", __name__, url_prefix=PREFIX)

JOIN_TRIES = 10  # that failed, of one address
JOIN_WINDOW_S = 60.0


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
        return refused(429, "Too many tries. Wait a minute.")
    body = request.get_json(silent=True) if (request.content_length or 0) < 20_000 else None
    if not isinstance(body, dict) or not all(
        isinstance(body.get(each), str) for each in ("code", "hardware_id")
    ):
        return refused(400, "A join needs a code and the machine's hardware_id.")
    config = hadir().config
    try:
        with hadir().work() as work:
            joined = join_agent.join_agent(
                work,
                body["code"],
                hardware_id=body["hardware_id"][:64],
                name=str(body.get("name") or "")[:120],
                secret_key=config.secret_key,
                now=utc_now(),
            )
            answer = join_agent.broker_answer(_broker_for_agents(config.broker), joined)
            if config.broker.accounts_dir:
                accounts = BrokerAccounts(config.broker.accounts_dir)
                accounts.put(joined.agent.agent_id, joined.broker_password)
    except join_agent.JoinRefused as refusal:
        _throttle().note_failure(address, time.monotonic())
        return refused(403, str(refusal))
    return jsonify(answer | {"server_time": round(time.time() * 1000)})


def _broker_for_agents(broker: BrokerConfig) -> dict[str, Any]:
    ca_pem = Path(broker.ca_file).read_text() if broker.ca_file else ""
    return {
        "host": broker.public_host,
        "port": broker.public_port,
        "protocol": protocol_of(broker),
        "ca_pem": ca_pem,
    }

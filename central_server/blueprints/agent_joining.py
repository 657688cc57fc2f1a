"""/agent/v1/join: how a machine becomes an agent. The only thing here that needs no token."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, current_app, jsonify, request

from central_server.blueprints.agent_access import PREFIX, refused
from central_server.blueprints.agent_account import broker_for_agents
from central_server.blueprints.extensions import hadir, utc_now
from central_server.ports import AccountsError
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
            answer = join_agent.broker_answer(broker_for_agents(), joined)
            _open_account(joined.agent.agent_id, joined.broker_password)
    except join_agent.JoinRefused as refusal:
        _throttle().note_failure(address, time.monotonic())
        return refused(403, str(refusal))
    except AccountsError as error:  # nothing is spent: the code works when the broker does
        current_app.logger.error("a machine wants to join, but %s", error)
        return refused(503, "The broker takes no new accounts now. Try again with the same code.")
    return jsonify(answer | {"server_time": round(time.time() * 1000)})


def _open_account(agent_id: str, password: str) -> None:
    """Let the agent in at the broker. Raises AccountsError."""
    if (accounts := hadir().accounts) is not None:
        accounts.put(agent_id, password)

"""Is it alive, and is it fit for work? JSON without secrets, for a load balancer or a monitor."""

from datetime import UTC, datetime

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from central_server.db.migrate import is_engine_current
from central_server.db.models import Lease
from central_server.services.deliver_notifications import channels_held

CSRF_EXEMPT = True
WORKER_LEASE = "worker"  # renewed by the worker while it lives
BROKER_LEASE = "broker"  # renewed by the worker while its link to the broker stands

blueprint = Blueprint("health", __name__, url_prefix="/health")


@blueprint.get("/live")
def live() -> Response:
    """The process answers."""
    return jsonify(status="live")


@blueprint.get("/ready")
def ready() -> tuple[Response, int]:
    """200 when everything that must work does; else 503. A held channel is told, but is not our illness."""
    engine, now = current_app.extensions["hadir"].engine, datetime.now(UTC)
    checks = checks_of(engine, now)
    is_ready = all(answer == "ok" for answer in checks.values())
    answer = {"status": "ready" if is_ready else "not ready", "checks": checks}
    if checks.get("migrations") == "ok":
        with Session(engine) as session:
            answer["held_channels"] = channels_held(session, now)
    return jsonify(answer), 200 if is_ready else 503


def checks_of(engine: Engine, now: datetime) -> dict[str, str]:
    """Return every check with "ok" or what is wrong."""
    try:
        with Session(engine) as session:
            session.execute(text("SELECT 1"))
            if not is_engine_current(engine):
                return {"database": "ok", "migrations": "not current: run hadir server migrate"}
            return {
                "database": "ok",
                "migrations": "ok",
                "worker": _lease(session, WORKER_LEASE, now),
                "broker": _lease(session, BROKER_LEASE, now),
            }
    except SQLAlchemyError as error:
        return {"database": f"not reachable ({type(error).__name__})"}


def _lease(session: Session, name: str, now: datetime) -> str:
    until = session.scalar(select(Lease.until).where(Lease.name == name))
    if until is None:
        return "never seen"
    return "ok" if until > now else f"not heard of since {until.isoformat(timespec='seconds')}"

"""What agents are asked to do, as it goes out to them."""

from datetime import datetime, timedelta

from sqlalchemy import select

from central_server.db.models import AgentCommand
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.embed_photos import JOB
from common.events import Command

COMMAND_LIFE = timedelta(minutes=5)  # an agent that was away asks by itself when it is back


def as_message(row: AgentCommand) -> Command:
    return Command(
        command_id=row.command_id,
        kind=row.kind,
        ts=round(row.created_at.timestamp() * 1000),
        args=row.args,
    )


def commands_waiting(work: UnitOfWork, agent_id: str, *, now: datetime) -> list[Command]:
    """Return the commands of one agent that it has not finished, and that are not too old, in order."""
    rows = work.session.scalars(
        select(AgentCommand)
        .where(
            AgentCommand.agent_id == agent_id,
            AgentCommand.kind != JOB,  # a claim on a photo, which nobody is told of
            AgentCommand.finished_at.is_(None),
            AgentCommand.created_at > now - COMMAND_LIFE,
        )
        .order_by(AgentCommand.created_at)
    )
    return [as_message(row) for row in rows]

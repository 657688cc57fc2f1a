"""An agent is shut out, e.g. because its box was stolen; or let in again."""

from datetime import datetime

from sqlalchemy import select

from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AccountsError, AgentAccounts
from central_server.services.audit import note


class UnknownAgent(Exception):
    """No agent has this id."""


class NotRevoked(Exception):
    """This agent may come in anyway."""


def revoke_agent(work: UnitOfWork, agent_id: str, *, now: datetime, actor: str) -> Agent:
    """Note that an agent is revoked: once this is committed its token is refused. Raises UnknownAgent.

    Its account at the broker is the caller's to take then, by shut_out(); the worker looks after it too.
    """
    agent = agent_known(work, agent_id)
    if agent.revoked_at is None:
        agent.revoked_at = now
        note(work, actor, "agent.revoked", agent_id, now=now)
    return agent


def restore_agent(work: UnitOfWork, agent_id: str, *, now: datetime, actor: str) -> Agent:
    """Let a revoked agent in again: its token counts, and with it the agent renews its account itself.

    Raises UnknownAgent, NotRevoked.
    """
    agent = agent_known(work, agent_id)
    if agent.revoked_at is None:
        raise NotRevoked(f"{agent_id} is not revoked: there is nothing to take back.")
    agent.revoked_at = None
    note(work, actor, "agent.restored", agent_id, now=now)
    return agent


def shut_out(accounts: AgentAccounts | None, agent_id: str) -> str:
    """Take a revoked agent's account, which ends its open session. Return why that must wait, or ""."""
    if accounts is None:
        return "its account at the broker is not Hadir's to take; remove it there"
    try:
        accounts.remove(agent_id)
    except AccountsError as error:
        return f"{error}; the worker goes on trying"
    return ""


def agent_known(work: UnitOfWork, agent_id: str) -> Agent:
    """Return the agent, held until the transaction ends. Raises UnknownAgent."""
    agent = work.session.scalar(select(Agent).where(Agent.agent_id == agent_id).with_for_update())
    if agent is None:
        raise UnknownAgent(f"There is no agent {agent_id}.")
    return agent

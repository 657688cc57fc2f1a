"""An agent's account at the broker gets a new password: the agent's own wish, or the operator's."""

import re
import secrets
from datetime import datetime

from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AgentAccounts
from central_server.services.audit import note
from central_server.services.revoke_agent import agent_known

PASSWORD = re.compile(r"[A-Za-z0-9_-]{32,128}")


class AccountRefused(Exception):
    """The account is not renewed; says why in a sentence."""


def renew_account(
    work: UnitOfWork, agent: Agent, password: str, accounts: AgentAccounts, *, now: datetime
) -> None:
    """Open the agent's account with a password that the agent made. Raises AccountRefused, AccountsError.

    For a broker that was set up anew, and so has forgotten its accounts, and after rotate_password(). The
    agent's row is held meanwhile: a revocation comes before this, and is seen, or after it, and undoes it.
    """
    if not PASSWORD.fullmatch(password):
        raise AccountRefused("The password must be 32 to 128 letters, digits, '-' or '_', chosen at random.")
    if agent_known(work, agent.agent_id).revoked_at is not None:
        raise AccountRefused("This agent was revoked.")
    accounts.put(agent.agent_id, password)
    note(work, f"agent:{agent.agent_id}", "agent.account_renewed", agent.agent_id, now=now)


def rotate_password(
    work: UnitOfWork, agent_id: str, accounts: AgentAccounts, *, now: datetime, actor: str
) -> None:
    """Make the agent's password at the broker worthless: it is put out, and renews its account by itself.

    Raises UnknownAgent, AccountRefused, AccountsError.
    """
    if agent_known(work, agent_id).revoked_at is not None:
        raise AccountRefused("This agent is revoked: it has no account at the broker.")
    accounts.put(agent_id, secrets.token_urlsafe(32))  # nobody is told
    note(work, actor, "agent.password_rotated", agent_id, now=now)

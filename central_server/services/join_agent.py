"""A machine becomes an agent of a site with a one-time code."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, JoinCode, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit
from central_server.services.retire_models import change_model
from common.ids import slug_from

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing that looks like something else
CODE_LENGTH = 8
CODE_LIFE = timedelta(hours=24)
RETRY_WITHIN = timedelta(minutes=10)


class JoinRefused(Exception):
    """The code does not let this machine in; says why in a sentence."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A new agent, and the secrets that only this answer carries."""

    agent: Agent
    site: Site
    token: str = field(repr=False)
    broker_password: str = field(repr=False)


def make_join_code(
    work: UnitOfWork, site_id: str, *, agent_name: str = "", by: str, secret_key: str, now: datetime
) -> str:
    """Return a new code, XXXX-XXXX, good for one agent and 24 hours. Only its hash is kept."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    work.session.add(
        JoinCode(
            code_hash=_code_hash(letters, secret_key),
            site_id=site_id,
            agent_name=agent_name,
            created_at=now,
            created_by=by,
            expires_at=now + CODE_LIFE,
        )
    )
    audit.note(work, f"user:{by}", "join_code.made", site_id, now=now, agent_name=agent_name)
    return f"{letters[:4]}-{letters[4:]}"


def read_code(text: str) -> str:
    """Return the eight letters meant by text: dashes, spaces, case and look-alikes do not matter."""
    letters = text.upper().replace("-", "").replace(" ", "")
    return letters.replace("O", "0").replace("I", "1").replace("L", "1")


def join_agent(
    work: UnitOfWork, code: str, *, hardware_id: str, name: str, secret_key: str, now: datetime
) -> Joined:
    """Spend the code and return the agent with its secrets. Raises JoinRefused.

    The secrets are derived from the code, the machine and the server's key: a machine that lost the answer
    and asks again within ten minutes gets the same one. A machine that was of this site before is the same
    agent again, with new secrets.
    """
    letters = read_code(code)
    row = work.session.scalar(
        select(JoinCode).where(JoinCode.code_hash == _code_hash(letters, secret_key)).with_for_update()
    )
    if row is None:
        raise JoinRefused("This join code is not known. Check it, or ask for a new one.")
    agent = _agent_again(work, row, hardware_id, now) if row.used_at else None
    if row.used_at is None and row.expires_at <= now:
        raise JoinRefused("This join code has expired. Ask for a new one.")
    if agent is None:
        agent = _new_or_former(work, row, hardware_id, name or row.agent_name, now)
        row.used_at, row.used_by_agent, row.used_by_hardware = now, agent.agent_id, hardware_id
        audit.note(
            work, f"agent:{agent.agent_id}", "agent.joined", row.site_id, now=now, hardware=hardware_id
        )
    derive = _Derivation(secret_key, f"{letters}|{hardware_id}|{agent.agent_id}")
    token = derive("token")
    agent.token_hash = token_hash(token)
    agent.manifest_key = derive("manifest")
    agent.revoked_at = None
    site = work.session.get_one(Site, agent.site_id)
    return Joined(agent, site, token, derive("broker"))


def token_hash(token: str) -> str:
    """Return what is kept of a bearer token: it is 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def note_model(work: UnitOfWork, agent: Agent, model_id: str, now: datetime) -> None:
    """Keep what an agent says it recognises with; its birth says so too, but may still be on its way."""
    if model_id:
        change_model(work, agent, model_id, now)


def agent_of_token(session: Session, token: str) -> Agent | None:
    """Return the agent that the bearer token belongs to, unless it was revoked."""
    digest = token_hash(token)
    agent = session.scalar(select(Agent).where(Agent.token_hash == digest))
    if agent is None or agent.revoked_at or not hmac.compare_digest(agent.token_hash, digest):
        return None
    return agent


@dataclass(frozen=True, slots=True)
class _Derivation:
    key: str = field(repr=False)
    seed: str = field(repr=False)

    def __call__(self, purpose: str) -> str:
        return hmac.new(self.key.encode(), f"{purpose}|{self.seed}".encode(), hashlib.sha256).hexdigest()


def _code_hash(letters: str, secret_key: str) -> str:
    return hmac.new(secret_key.encode(), f"join|{letters}".encode(), hashlib.sha256).hexdigest()


def _agent_again(work: UnitOfWork, row: JoinCode, hardware_id: str, now: datetime) -> Agent:
    """Return the agent that this machine became with this code a moment ago."""
    same = hmac.compare_digest(row.used_by_hardware.encode(), hardware_id.encode())
    if not same or row.used_at is None or now - row.used_at > RETRY_WITHIN:
        raise JoinRefused("This join code has been used. Ask for a new one.")
    agent = work.session.get_one(Agent, row.used_by_agent)
    if agent.revoked_at is not None:
        raise JoinRefused("This agent was revoked. Ask for a new join code.")
    return agent


def _new_or_former(work: UnitOfWork, row: JoinCode, hardware_id: str, name: str, now: datetime) -> Agent:
    former = select(Agent).where(Agent.hardware_id == hardware_id, Agent.site_id == row.site_id)
    if hardware_id and (agent := work.session.scalar(former)):
        agent.joined_at = now
        return agent
    agent = Agent(
        agent_id=_free_id(work, slug_from(name or row.site_id)),
        site_id=row.site_id,
        name=name or row.site_id,
        token_hash=secrets.token_hex(32),  # replaced before the transaction ends
        manifest_key="",
        hardware_id=hardware_id,
        joined_at=now,
    )
    work.session.add(agent)
    work.session.flush()
    return agent


def _free_id(work: UnitOfWork, wanted: str) -> str:
    taken = set(work.session.scalars(select(Agent.agent_id)))
    stem = wanted[:28].strip("-") or "agent"
    numbered = (f"{stem}-{number}".removeprefix("hadir-") for number in range(2, 10_000))
    free = (each for each in (wanted, *numbered) if each not in taken)
    return next(each for each in free if not each.startswith("hadir"))  # those are the server's own accounts


def broker_answer(broker: Mapping[str, Any], joined: Joined) -> dict[str, Any]:
    """Return the body of the answer to a join; the broker's side of it is given."""
    return {
        "agent_id": joined.agent.agent_id,
        "site_id": joined.site.site_id,
        "site_name": joined.site.name,
        "timezone": joined.site.timezone,
        "token": joined.token,
        "manifest_key": joined.agent.manifest_key,
        "broker": {**broker, "username": joined.agent.agent_id, "password": joined.broker_password},
    }

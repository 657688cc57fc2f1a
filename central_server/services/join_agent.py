"""A machine becomes an agent of a site with a one-time code."""

import hashlib
import hmac
import re
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
from common.join_link import read_code
from common.pairing import ALPHABET

CODE_LENGTH = 8
CODE_LIFE = timedelta(hours=24)
RETRY_WITHIN = timedelta(minutes=10)


class JoinRefused(Exception):
    """This machine is not let in; says why in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a machine brings to a join: who it is, and what it made: 256 random bits each, in hex."""

    hardware_id: str
    name: str
    token_hash: str  # SHA-256 of its token, which it keeps to itself
    manifest_key: str = field(repr=False)
    broker_password: str = field(repr=False)

    def __post_init__(self) -> None:
        made = (self.token_hash, self.manifest_key, self.broker_password)
        if not self.hardware_id or not all(is_secret(each) for each in made):
            raise JoinRefused("The machine did not offer secrets of its own; its Hadir is too old or broken.")

    def seal(self, secret_key: str) -> str:
        """Return what tells, without giving anything away, that the very same machine asks again."""
        said = "|".join((self.hardware_id, self.token_hash, self.manifest_key, self.broker_password))
        return hmac.new(secret_key.encode(), f"offer|{said}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Joined:
    """A new agent, and where it belongs."""

    agent: Agent
    site: Site


def is_secret(text: str) -> bool:
    """Tell whether text may be 256 bits in hex."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


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


def withdraw_join_code(work: UnitOfWork, code_id: int, *, by: str, now: datetime) -> bool:
    """End the life of a code that nobody has used; tell whether there was one."""
    row = work.session.get(JoinCode, code_id, with_for_update=True)
    if row is None or row.used_at is not None or row.expires_at <= now:
        return False
    row.expires_at = now
    audit.note(work, f"user:{by}", "join_code.withdrawn", row.site_id, now=now, agent_name=row.agent_name)
    return True


def join_agent(work: UnitOfWork, code: str, offer: Offer, *, secret_key: str, now: datetime) -> Joined:
    """Spend the code and return the agent. Raises JoinRefused.

    A machine that lost the answer may ask again with the same offer within ten minutes, and nobody else may.
    The name that the administrator gave with the code wins over the machine's own.
    """
    row = work.session.scalar(
        select(JoinCode)
        .where(JoinCode.code_hash == _code_hash(read_code(code), secret_key))
        .with_for_update()
    )
    if row is None:
        raise JoinRefused("This join code is not known. Check it, or ask for a new one.")
    seal = offer.seal(secret_key)
    if row.used_at:
        agent = _agent_again(work, row, seal, offer, now)
    elif row.expires_at <= now:
        raise JoinRefused("This join code has expired. Ask for a new one.")
    else:
        agent = enlist(work, offer, row.site_id, named=row.agent_name, now=now)
        row.used_at, row.used_by_agent, row.used_by_hardware = now, agent.agent_id, seal
    return Joined(agent, work.session.get_one(Site, agent.site_id))


def enlist(work: UnitOfWork, offer: Offer, site_id: str, *, named: str, now: datetime) -> Agent:
    """Return the site's agent on this machine with the offered secrets: a new one, or the one it was before.

    Raises JoinRefused when the offered token is another agent's.
    """
    owner = work.session.scalar(select(Agent).where(Agent.token_hash == offer.token_hash))
    agent = _former(work, offer.hardware_id, site_id)
    if owner is not None and owner is not agent:
        raise JoinRefused(
            "Another agent has this token. Remove joining.json from the agent's home, and repeat."
        )
    if agent is None:
        agent = _new_agent(work, offer, site_id, named)
    elif named:
        agent.name = named
    agent.token_hash, agent.manifest_key = offer.token_hash, offer.manifest_key
    agent.joined_at, agent.revoked_at = now, None
    work.session.add(agent)
    work.session.flush()
    who = f"agent:{agent.agent_id}"
    audit.note(work, who, "agent.joined", site_id, now=now, hardware=offer.hardware_id)
    return agent


def token_hash(token: str) -> str:
    """Return what is kept of a bearer token: it is 256 random bits, so a plain SHA-256 is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def note_model(work: UnitOfWork, agent: Agent, model_id: str, now: datetime) -> None:
    """Keep what an agent says it recognises with; its birth says so too, but may still be on its way."""
    if model_id:
        change_model(work, agent, model_id, now)


def holder_of_token(session: Session, token: str) -> Agent | None:
    """Return the agent that the bearer token belongs to, revoked or not."""
    digest = token_hash(token)
    agent = session.scalar(select(Agent).where(Agent.token_hash == digest))
    return agent if agent is not None and hmac.compare_digest(agent.token_hash, digest) else None


def _code_hash(letters: str, secret_key: str) -> str:
    return hmac.new(secret_key.encode(), f"join|{letters}".encode(), hashlib.sha256).hexdigest()


def _agent_again(work: UnitOfWork, row: JoinCode, seal: str, offer: Offer, now: datetime) -> Agent:
    """Return the agent that this machine became with this code a moment ago."""
    same = hmac.compare_digest(row.used_by_hardware.encode(), seal.encode())
    if not same or row.used_at is None or now - row.used_at > RETRY_WITHIN:
        raise JoinRefused("This join code has been used. Ask for a new one.")
    return still_agent(work, row.used_by_agent, offer)


def still_agent(work: UnitOfWork, agent_id: str | None, offer: Offer) -> Agent:
    """Return the agent that asks again, unless it was revoked or joined anew. Raises JoinRefused."""
    agent = work.session.get_one(Agent, agent_id)
    if agent.revoked_at is not None:
        raise JoinRefused("This agent was revoked. Ask for a new join code.")
    if not hmac.compare_digest(agent.token_hash, offer.token_hash):
        raise JoinRefused("This agent has joined anew since. Ask for a new join code.")
    return agent


def _former(work: UnitOfWork, hardware_id: str, site_id: str) -> Agent | None:
    before = select(Agent).where(Agent.hardware_id == hardware_id, Agent.site_id == site_id)
    return work.session.scalar(before.order_by(Agent.joined_at.desc()))


def _new_agent(work: UnitOfWork, offer: Offer, site_id: str, named: str) -> Agent:
    name = named or offer.name or site_id
    agent_id = _free_id(work, slug_from(name))
    return Agent(agent_id=agent_id, site_id=site_id, name=name, hardware_id=offer.hardware_id)


def _free_id(work: UnitOfWork, wanted: str) -> str:
    taken = set(work.session.scalars(select(Agent.agent_id)))
    stem = wanted[:28].strip("-") or "agent"
    numbered = (f"{stem}-{number}".removeprefix("hadir-") for number in range(2, 10_000))
    free = (each for each in (wanted, *numbered) if each not in taken)
    return next(each for each in free if not each.startswith("hadir"))  # those are the server's own accounts


def answer_to(joined: Joined, broker: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of the answer to a join; the broker's side of it is given. It carries no secret."""
    return {
        "agent_id": joined.agent.agent_id,
        "site_id": joined.site.site_id,
        "site_name": joined.site.name,
        "timezone": joined.site.timezone,
        "broker": {**broker, "username": joined.agent.agent_id},
    }

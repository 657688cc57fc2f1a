"""A box knocks without a code; an administrator compares what both show, and lets it in or sends it away.

What the box tells before it is let in is worth nothing to a listener: hashes of its secrets, and a promise of
the others. It tells those themselves when it is let in, and they have to keep the promise.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from central_server.db.models import JoinRequest, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit
from central_server.services.join_agent import Joined, JoinRefused, Offer, enlist, is_secret, still_agent
from common.pairing import pairing_code, promise_of

LIFE = timedelta(minutes=15)  # of a knock, and again of an approval
MOST_OPEN = 20
MOST_OF_ONE = 3  # of one address
KEPT = timedelta(days=1)  # what was decided, so that a lost answer can be asked for again


class KnockRefused(JoinRefused):
    """The box may not wait here now; says why in a sentence."""


class KnockGone(Exception):
    """Nobody waits with this id any more: it was decided, or it took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What a box says when it knocks. The hashes and the nonce are 64 hex digits."""

    hardware_id: str
    name: str
    version: str
    address: str
    token_hash: str
    promise: str
    nonce: str
    sees_our_ca: bool  # else the system of the box vouches for the server's certificate

    def __post_init__(self) -> None:
        if not self.hardware_id or not all(map(is_secret, (self.token_hash, self.promise, self.nonce))):
            raise KnockRefused("A knock needs the machine's id, the hashes of its secrets, and a nonce.")


def note_knock(work: UnitOfWork, knock: Knock, *, ca_der: bytes, now: datetime) -> JoinRequest:
    """Let the box wait, and return its request; the same one when it repeats itself. Raises KnockRefused.

    ca_der is this server's own CA, empty without one.
    """
    work.session.execute(delete(JoinRequest).where(JoinRequest.expires_at < now - KEPT))
    found = work.session.scalar(select(JoinRequest).where(JoinRequest.token_hash == knock.token_hash))
    pairing = pairing_code(
        ca_der if knock.sees_our_ca else b"",
        nonce=knock.nonce,
        hardware_id=knock.hardware_id,
        token_hash=knock.token_hash,
        promise=knock.promise,
    )
    if found is not None and hmac.compare_digest(found.pairing, pairing):
        if found.state == "open" and found.expires_at <= now:
            _require_room(work, knock.address, now)
            found.asked_at, found.expires_at = now, now + LIFE
        return found
    if found is not None:
        raise KnockRefused("This machine has knocked with other words before. Begin again.")
    _require_room(work, knock.address, now)
    row = JoinRequest(
        request_id=secrets.token_hex(16),
        pairing=pairing,
        hardware_id=knock.hardware_id,
        name=knock.name,
        version=knock.version,
        address=knock.address,
        token_hash=knock.token_hash,
        secrets=knock.promise.encode(),
        asked_at=now,
        expires_at=now + LIFE,
        state="open",
    )
    work.session.add(row)
    work.session.flush()
    return row


def _require_room(work: UnitOfWork, address: str, now: datetime) -> None:
    waiting = (JoinRequest.state == "open", JoinRequest.expires_at > now)
    count = select(func.count()).select_from(JoinRequest).where(*waiting)
    if (work.session.scalar(count) or 0) >= MOST_OPEN:
        raise KnockRefused("Too many boxes are knocking. An administrator has to answer some of them first.")
    if (work.session.scalar(count.where(JoinRequest.address == address)) or 0) >= MOST_OF_ONE:
        raise KnockRefused("Too many boxes of this address are knocking. Answer those first.")


def state_of(work: UnitOfWork, request_id: str, *, now: datetime) -> str:
    """Return open, approved, refused or expired; an id that is not known has expired."""
    row = work.session.get(JoinRequest, request_id)
    if row is None or (row.expires_at <= now and row.state != "refused"):
        return "expired"
    return row.state


def approve(
    work: UnitOfWork, request_id: str, site_id: str, *, named: str, by: str, now: datetime
) -> JoinRequest:
    """Let the box become an agent of the site; it has another quarter of an hour to come and fetch that.

    Raises KnockGone.
    """
    row = _waiting(work, request_id, now)
    row.state, row.site_id, row.expires_at = "approved", site_id, now + LIFE
    row.name = named or row.name
    _decided(work, row, by, now, "join_request.approved", site=site_id)
    return row


def refuse(work: UnitOfWork, request_id: str, *, by: str, now: datetime) -> JoinRequest:
    """Send the box away. Raises KnockGone."""
    row = _waiting(work, request_id, now)
    row.state = "refused"
    _decided(work, row, by, now, "join_request.refused")
    return row


def claim(
    work: UnitOfWork, request_id: str, *, manifest_key: str, broker_password: str, now: datetime
) -> Joined:
    """Make the approved box an agent, with the secrets it promised. May be repeated. Raises JoinRefused."""
    row = work.session.get(JoinRequest, request_id, with_for_update=True)
    if row is None or row.state != "approved" or row.site_id is None or row.expires_at <= now:
        raise JoinRefused("Nobody has let this machine in, or it took too long. Begin again.")
    if not hmac.compare_digest(row.secrets, promise_of(manifest_key, broker_password).encode()):
        raise JoinRefused("These are not the secrets that this machine promised.")
    offer = Offer(
        hardware_id=row.hardware_id,
        name=row.name,
        token_hash=row.token_hash,
        manifest_key=manifest_key,
        broker_password=broker_password,
    )
    if row.agent_id:
        agent = still_agent(work, row.agent_id, offer)
    else:
        agent = enlist(work, offer, row.site_id, named=row.name, now=now)
        row.agent_id = agent.agent_id
    return Joined(agent, work.session.get_one(Site, agent.site_id))


def _waiting(work: UnitOfWork, request_id: str, now: datetime) -> JoinRequest:
    row = work.session.get(JoinRequest, request_id, with_for_update=True)
    if row is None or row.state != "open" or row.expires_at <= now:
        raise KnockGone(request_id)
    return row


def _decided(work: UnitOfWork, row: JoinRequest, by: str, now: datetime, action: str, **more: str) -> None:
    row.decided_at, row.decided_by = now, by
    detail = {"name": row.name, "pairing": row.pairing, "hardware": row.hardware_id, **more}
    audit.note(work, f"user:{by}", action, row.request_id, now=now, address=row.address, **detail)

"""A thing that only one process may do: whoever holds the row, until it runs out."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Lease


@dataclass(frozen=True, slots=True)
class Owner:
    """A process on a machine. A dead process on our own machine holds nothing any more."""

    host: str
    pid: int
    token: str  # random: tells this process from an earlier one of the same number

    @classmethod
    def this_process(cls, token: str) -> "Owner":
        return cls(socket.gethostname().replace("/", "-")[:40], os.getpid(), token[:8])

    def __str__(self) -> str:
        return f"{self.host}/{self.pid}/{self.token}"


def take(session: Session, name: str, owner: Owner, *, now: datetime, life: timedelta) -> bool:
    """Take or renew the lease; False while another living process holds it."""
    holder = session.get(Lease, name)
    if holder is None:
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        new = insert(Lease).values(name=name, owner=str(owner), until=now + life).on_conflict_do_nothing()
        return session.scalar(new.returning(Lease.name)) is not None
    before = holder.owner
    free = or_(Lease.owner == str(owner), Lease.until < now)
    if _is_dead(before, owner):
        free = Lease.owner == before
    ours = update(Lease).where(Lease.name == name, free).values(owner=str(owner), until=now + life)
    return session.scalar(ours.returning(Lease.name)) is not None


def give_back(session: Session, name: str, owner: Owner, *, now: datetime) -> None:
    session.execute(update(Lease).where(Lease.name == name, Lease.owner == str(owner)).values(until=now))


def _is_dead(holder: str, me: Owner) -> bool:
    """Tell whether the holder is a process of this machine that has ended."""
    host, _, rest = holder.partition("/")
    pid, _, token = rest.partition("/")
    if host != me.host or not pid.isdigit():
        return False
    if int(pid) == me.pid:
        return token != me.token  # our number, but not us: an earlier process, or an earlier container
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False

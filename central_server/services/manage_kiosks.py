"""Kiosks: tablets at a door at which people punch. A link makes a tablet one, once; only hashes are kept."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Camera, Kiosk, Site, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from common.ids import slug_from

LINK_LIFE = timedelta(hours=24)
_NOTED_EVERY = timedelta(minutes=1)  # how exactly the last use is known


class KioskRefused(Exception):
    """A kiosk cannot be made or changed so; `problem` is a word the page puts into a sentence."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field}: {problem}")


class LinkGone(Exception):
    """The link was used, is too old, was replaced, or never was one."""


def make_kiosk(
    work: UnitOfWork, *, name: str, site_id: str, zone_id: str | None, now: datetime, by: str
) -> tuple[Kiosk, str]:
    """Make a kiosk; return it and the secret of its link. Raises KioskRefused."""
    name = " ".join(name.split())[:120]
    if not name:
        raise KioskRefused("name", "name_empty")
    if work.session.get(Site, site_id) is None:
        raise KioskRefused("site_id", "unknown_site")
    zone = work.session.get(Zone, zone_id) if zone_id else None
    if zone_id and (zone is None or zone.site_id != site_id):
        raise KioskRefused("zone_id", "zone_elsewhere")
    secret = secrets.token_urlsafe(32)
    kiosk = Kiosk(
        kiosk_id=_free_id(work, name),
        site_id=site_id,
        zone_id=zone_id or None,
        name=name,
        token_hash=_hash("link", secret),
        created_at=now,
        created_by=by,
    )
    work.session.add(kiosk)
    work.session.flush()
    note(work, f"user:{by}", "kiosk.add", kiosk.kiosk_id, now=now, name=name, site=site_id)
    return kiosk, secret


def renew_link(work: UnitOfWork, kiosk_id: str, *, now: datetime, by: str) -> str:
    """Return the secret of a new link; the device that was this kiosk is none from now on.

    Raises KioskRefused for one that was shut out.
    """
    kiosk = _kiosk(work, kiosk_id)
    if kiosk.revoked_at is not None:
        raise KioskRefused("kiosk_id", "unknown_kiosk")
    secret = secrets.token_urlsafe(32)
    kiosk.token_hash = _hash("link", secret)
    kiosk.created_at, kiosk.created_by, kiosk.used_at = now, by, None
    note(work, f"user:{by}", "kiosk.link", kiosk_id, now=now)
    return secret


def revoke_kiosk(work: UnitOfWork, kiosk_id: str, *, now: datetime, by: str) -> Kiosk:
    """Shut a kiosk out for good; what was punched at it stays. Raises KioskRefused."""
    kiosk = _kiosk(work, kiosk_id)
    if kiosk.revoked_at is None:
        kiosk.revoked_at = now
        kiosk.token_hash = _hash("revoked", secrets.token_urlsafe(32))
        note(work, f"user:{by}", "kiosk.revoke", kiosk_id, now=now)
    return kiosk


def open_kiosk(work: UnitOfWork, secret: str, *, now: datetime) -> tuple[Kiosk, str]:
    """Turn a link into the device's own token; the link is worthless then. Raises LinkGone."""
    kiosk = work.session.scalar(select(Kiosk).where(Kiosk.token_hash == _hash("link", secret)))
    if kiosk is None or kiosk.revoked_at is not None or now - kiosk.created_at > LINK_LIFE:
        raise LinkGone
    token = secrets.token_urlsafe(32)
    kiosk.token_hash, kiosk.used_at = _hash("device", token), now
    note(work, f"kiosk:{kiosk.kiosk_id}", "kiosk.opened", kiosk.kiosk_id, now=now)
    return kiosk, token


def find_kiosk(session: Session, token: str) -> Kiosk | None:
    """Return the kiosk that a device is, by its token."""
    if not token or len(token) > 100:
        return None
    here = Kiosk.token_hash == _hash("device", token), Kiosk.revoked_at.is_(None)
    return session.scalar(select(Kiosk).where(*here))


def is_use_news(kiosk: Kiosk, now: datetime) -> bool:
    """Tell whether it is time to note again that the kiosk is in use."""
    return kiosk.used_at is None or now - kiosk.used_at > _NOTED_EVERY


def note_use(work: UnitOfWork, kiosk_id: str, now: datetime) -> None:
    """Note that the kiosk was heard of."""
    if kiosk := work.session.get(Kiosk, kiosk_id):
        kiosk.used_at = now


def _hash(kind: str, secret: str) -> str:
    """Return what is kept of a secret; that of a link is not that of a device."""
    return hashlib.sha256(f"{kind}:{secret}".encode()).hexdigest()


def _kiosk(work: UnitOfWork, kiosk_id: str) -> Kiosk:
    kiosk = work.session.get(Kiosk, kiosk_id)
    if kiosk is None:
        raise KioskRefused("kiosk_id", "unknown_kiosk")
    return kiosk


def _free_id(work: UnitOfWork, name: str) -> str:
    """Return an id that no kiosk and no camera has: events name both in one column."""
    stem = slug_from(f"kiosk {name}")
    for number in range(1, 1000):
        found = stem if number == 1 else f"{stem[:28].strip('-')}-{number}"
        if not (work.session.get(Kiosk, found) or work.session.get(Camera, found)):
            return found
    raise KioskRefused("name", "name_taken")

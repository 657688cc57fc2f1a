"""Since when the cameras of a site have watched at all: before the first proof nothing is proven of anybody.

A camera that joins others has no past: they watched before it. The first one of a site has one, in which
nobody watched; so has the one that takes the place of the last.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Camera, CoverageGap, Kiosk
from central_server.domain.coverage import LONG_AGO
from central_server.domain.gaps import NEW
from central_server.domain.intervals import Interval

STILL = datetime(9999, 1, 1, tzinfo=UTC)


def note_first(session: Session, camera: Camera, since: datetime) -> Interval | None:
    """Write down that a camera watches for the first time, since an instant. Return the time before it in
    which no camera of the site was left, if there was one.
    """
    begun = _begun(session, camera.site_id)
    others = [row for row in _cameras(session, camera.site_id) if row.camera_id != camera.camera_id]
    since_when = None if any(_is_proven(row) for row in others) else _lapsed_at(others, begun)
    if camera.camera_id not in begun:
        session.add(
            CoverageGap(
                camera_id=camera.camera_id,
                site_id=camera.site_id,
                zone_id=camera.zone_id,
                starts_at=LONG_AGO,
                ends_at=since,
                reason=NEW,
            )
        )
    return Interval(since_when, since) if since_when is not None and since_when < since else None


def is_last(session: Session, camera: Camera) -> bool:
    """Tell whether no other camera of the site is left that has watched."""
    others = (row for row in _cameras(session, camera.site_id) if row.camera_id != camera.camera_id)
    return not any(_is_proven(row) for row in others)


def forget_gone(session: Session, site_id: str) -> None:
    """Have cameras that were taken away begin anew when they come back, as another one watches meanwhile."""
    gone = (Camera.site_id == site_id, Camera.state == "disabled", Camera.proven_to.is_not(None))
    for camera in session.scalars(select(Camera).where(*gone)):
        camera.proven_to = None


def unproven(session: Session, site_id: str, cameras: Sequence[Any]) -> Iterator[tuple[Any, Interval]]:
    """Yield when none of some cameras of a site watched yet, or none is left that does; each with a camera.

    cameras: rows of camera_id, state, state_at, proven_to, revoked_at. Of a site that never had a camera
    nothing is said: its people punch; nor of one that went over to kiosks.
    """
    begun = _begun(session, site_id)
    firsts = [(begun.get(row.camera_id) or _first_of(row), row) for row in cameras]
    known = [(first, row) for first, row in firsts if first is not None]
    if not known:
        return
    first, camera = min(known, key=lambda each: each[0])
    if first > LONG_AGO:
        yield camera, Interval(LONG_AGO, first)
    if first == STILL or any(_is_proven(row) for row in cameras):
        return
    waiting = [row for row in cameras if row.state != "disabled" and row.revoked_at is None]
    since = _lapsed_at(cameras, begun)
    if since is not None and (waiting or not _has_kiosk(session, site_id)):
        yield (waiting or cameras)[0], Interval(since, STILL)


def _first_of(camera: Any) -> datetime | None:
    """Return when a camera began to watch of which that was not written down; None: it never did."""
    if camera.proven_to is not None:
        return LONG_AGO
    return STILL if camera.state != "disabled" and camera.revoked_at is None else None


def _is_proven(camera: Any) -> bool:
    return camera.state != "disabled" and camera.revoked_at is None and camera.proven_to is not None


def _lapsed_at(cameras: Sequence[Any], begun: dict[str, datetime]) -> datetime | None:
    """Return when the last of the cameras that had watched was taken away."""
    ends = [
        row.revoked_at or row.state_at
        for row in cameras
        if row.camera_id in begun and (row.revoked_at or row.state == "disabled")
    ]
    return max((each for each in ends if each is not None), default=None)


def _begun(session: Session, site_id: str) -> dict[str, datetime]:
    """Return when each camera of a site watched first, as far as that was written down."""
    rows = select(CoverageGap.camera_id, CoverageGap.ends_at).where(
        CoverageGap.site_id == site_id, CoverageGap.reason == NEW
    )
    return {row.camera_id: row.ends_at for row in session.execute(rows)}


def _cameras(session: Session, site_id: str) -> Sequence[Any]:
    columns = (Camera.camera_id, Camera.state, Camera.state_at, Camera.proven_to, Agent.revoked_at)
    joined = select(*columns).join(Agent, Agent.agent_id == Camera.agent_id)
    return session.execute(joined.where(Camera.site_id == site_id)).all()


def _has_kiosk(session: Session, site_id: str) -> bool:
    open_one = select(Kiosk.kiosk_id).where(Kiosk.site_id == site_id, Kiosk.revoked_at.is_(None))
    return session.scalar(open_one.limit(1)) is not None

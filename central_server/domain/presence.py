"""The rule of the product: who has been unseen for five minutes is out of the area.

The clock of these rules is the site's watermark, up to which everything seen has been reported, and only
time with proven coverage counts: a dead camera, agent or line makes people `unknown`, never `off`.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from central_server.domain.shifts import Duty, Standing

DEFAULT_UNSEEN_AFTER = timedelta(minutes=5)


class State(StrEnum):
    AVAILABLE = "available"
    OFF = "off"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    IN_AREA = "in_area"
    ELSEWHERE = "elsewhere"  # available, but at another site than their own
    OUT_OF_AREA = "out_of_area"  # on duty, seen today, and unseen for too long
    NOT_ARRIVED = "not_arrived"
    ON_BREAK = "on_break"
    ON_LEAVE = "on_leave"
    OFF_SHIFT = "off_shift"
    PUNCHED_OUT = "punched_out"  # on duty, and said at a kiosk that they leave: see punching.py
    NO_COVERAGE = "no_coverage"
    NOT_ENROLLED = "not_enrolled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Where one person is, as far as the site's watermark has come."""

    employee_id: str
    site_id: str  # where last seen, else the person's own
    state: State
    reason: Reason
    since: datetime
    last_seen: datetime | None = None
    zone_id: str | None = None
    camera_id: str | None = None
    business_date: date | None = None  # of last_seen
    episode: int = 0  # counts arrivals and returns: the absence after the n-th return is episode n
    is_punched_in: bool = False  # at a kiosk, by somebody whom no camera recognises


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One enrolled person seen by one camera; seen_at is UTC, by the agent's clock."""

    employee_id: str
    site_id: str
    zone_id: str | None
    camera_id: str
    seen_at: datetime
    business_date: date
    is_late: bool = False  # arrived too long after it happened to be news


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the rule looks at besides the last sighting."""

    at: datetime  # the watermark; without one, the server's clock
    today: date  # the person's business date at that moment
    duty: Duty
    is_followed: bool
    home_site_id: str
    unseen_after: timedelta
    covered_since: datetime | None  # of the zone last seen in; not seen today: of the site. None: no proof
    is_camera_watching: bool  # the camera that saw the person last


def nobody_yet(employee_id: str, site_id: str, at: datetime) -> Presence:
    """Return the presence of a person of whom nothing is known."""
    return Presence(
        employee_id=employee_id, site_id=site_id, state=State.UNKNOWN, reason=Reason.NO_COVERAGE, since=at
    )


def presence_after_sighting(before: Presence, sighting: Sighting, home_site_id: str) -> Presence:
    """Return the presence once a sighting is known: the newest one wins, and late news are no news.

    A late sighting moves last_seen forward, never backwards, and leaves the state to the next evaluation.
    """
    if before.last_seen is not None and sighting.seen_at <= before.last_seen:
        return before
    moved = replace(
        before,
        site_id=sighting.site_id,
        last_seen=sighting.seen_at,
        zone_id=sighting.zone_id,
        camera_id=sighting.camera_id,
        business_date=sighting.business_date,
    )
    if sighting.is_late:
        return moved
    reason = Reason.IN_AREA if sighting.site_id == home_site_id else Reason.ELSEWHERE
    if before.state is State.AVAILABLE:
        return replace(moved, reason=reason)
    return replace(
        moved, state=State.AVAILABLE, reason=reason, since=sighting.seen_at, episode=before.episode + 1
    )


def presence_at(before: Presence, facts: Circumstances) -> Presence:
    """Return the presence at facts.at, by the passing of time alone."""
    state, reason = _state_at(before, facts)
    if (state, reason) == (before.state, before.reason):
        return before
    if state is State.AVAILABLE and before.last_seen:
        return replace(before, state=state, reason=reason, since=before.last_seen)
    if reason is Reason.NOT_ARRIVED:  # a new day: back to where the person belongs
        return replace(before, state=state, reason=reason, since=facts.at, site_id=facts.home_site_id)
    left_at = before.last_seen if before.business_date == facts.today else None
    since = left_at if state is State.OFF and left_at else facts.at
    return replace(before, state=state, reason=reason, since=since)


def _state_at(before: Presence, facts: Circumstances) -> tuple[State, Reason]:
    if not facts.is_followed:
        return State.UNKNOWN, Reason.NOT_ENROLLED
    was_seen = before.last_seen is not None and facts.at - before.last_seen <= facts.unseen_after
    if was_seen and facts.is_camera_watching:
        return State.AVAILABLE, Reason.IN_AREA if before.site_id == facts.home_site_id else Reason.ELSEWHERE
    if not _is_absence_proven(before.last_seen, facts):
        return State.UNKNOWN, Reason.NO_COVERAGE
    return State.OFF, _why_off(before, facts)


def _is_absence_proven(last_seen: datetime | None, facts: Circumstances) -> bool:
    """Tell whether the person went unseen for too long while somebody was looking the whole time."""
    if facts.covered_since is None:
        return False
    unseen_since = max(facts.covered_since, last_seen or facts.covered_since)
    return facts.at - unseen_since > facts.unseen_after


def _why_off(before: Presence, facts: Circumstances) -> Reason:
    match facts.duty.standing:
        case Standing.ON_LEAVE:
            return Reason.ON_LEAVE
        case Standing.OFF_SHIFT:
            return Reason.OFF_SHIFT
        case _ if before.last_seen is None or before.business_date != facts.today:
            return Reason.NOT_ARRIVED
        case Standing.ON_BREAK:
            return Reason.ON_BREAK
    # On duty: the time counts from the end of the break or the start of the shift, if that was later.
    counts_from = max(facts.duty.since or before.last_seen, before.last_seen)
    if facts.at - counts_from > facts.unseen_after:
        return Reason.OUT_OF_AREA
    return Reason.ON_BREAK if facts.duty.before is Standing.ON_BREAK else Reason.OFF_SHIFT

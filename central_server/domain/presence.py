"""The rule of the product: who has been unseen for five minutes is out of the area.

The clock of these rules is the site's watermark, up to which everything seen has been reported, and only
time with proven coverage counts: a dead camera, agent or line makes people `unknown`, never `off`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from central_server.domain.coverage import place_of
from central_server.domain.shifts import Duty, Standing
from central_server.domain.whereabouts import places_after


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
    zones: Mapping[str, str] = field(default_factory=dict)  # where seen lately: see domain/whereabouts.py
    is_punched_in: bool = False  # at a kiosk, by somebody whom no camera recognises

    def is_carried_on(self, after: "Presence") -> bool:
        """Tell whether the person has only been seen again, by the camera that saw them before."""
        is_there = self.state is after.state is State.AVAILABLE
        is_same = (self.camera_id, self.zone_id, self.is_punched_in) == (
            after.camera_id,
            after.zone_id,
            after.is_punched_in,
        )
        return is_there and is_same


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

    at: datetime  # the watermark of the person's cameras; without one, the server's clock
    today: date  # the person's business date at that moment
    duty: Duty
    is_followed: bool
    home_site_id: str
    unseen_after: timedelta
    covered_since: datetime | None  # of every place where the person may be. None: no proof
    is_camera_watching: bool  # the camera that saw the person last
    is_held: bool = False  # news of the past are on their way: nobody has newly gone


def nobody_yet(employee_id: str, site_id: str, at: datetime) -> Presence:
    """Return the presence of a person of whom nothing is known."""
    return Presence(
        employee_id=employee_id, site_id=site_id, state=State.UNKNOWN, reason=Reason.NO_COVERAGE, since=at
    )


def presence_after_sighting(before: Presence, sighting: Sighting, home_site_id: str) -> Presence:
    """Return the presence once a sighting is known: the newest one wins, and late news are no news.

    A late sighting moves last_seen forward, never backwards, and leaves the state to the next evaluation. An
    older one than the newest tells only of one more place where the person may be.
    """
    place = place_of(sighting.zone_id, sighting.camera_id)
    zones = places_after(before.zones, place, sighting.business_date)
    if before.last_seen is not None and sighting.seen_at <= before.last_seen:
        return before if zones is before.zones else replace(before, zones=zones)
    moved = replace(
        before,
        zones=zones,
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
    if was_seen and _was_judged_off(before):  # the watermark went back: nobody has returned by that
        return before.state, before.reason
    if was_seen and facts.is_camera_watching:
        return State.AVAILABLE, Reason.IN_AREA if before.site_id == facts.home_site_id else Reason.ELSEWHERE
    if not _is_absence_proven(before.last_seen, facts):
        return State.UNKNOWN, Reason.NO_COVERAGE
    why = _why_off(before, facts)
    if facts.is_held and before.state is not State.OFF:
        return State.UNKNOWN, Reason.NO_COVERAGE
    if facts.is_held and why is Reason.OUT_OF_AREA:
        return before.state, before.reason
    return State.OFF, why


def _was_judged_off(before: Presence) -> bool:
    return before.state is State.OFF and before.since == before.last_seen


def next_check(after: Presence, facts: Circumstances, next_duty: datetime) -> datetime:
    """Return the first instant, of the watermark, at which time alone could change the presence at facts.at.

    next_duty: when something else may be expected of the person. Whatever else happens (a sighting, a camera,
    HR) asks for a new look anyway.
    """
    counted = (after.last_seen, facts.covered_since, facts.duty.since)
    ends = (each + facts.unseen_after for each in counted if each)
    return min((next_duty, *(each for each in ends if each >= facts.at)))


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

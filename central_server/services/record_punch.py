"""Record that somebody came or went at a kiosk, and what follows from it, in one transaction."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select

from central_server.config import RulesConfig
from central_server.db.models import Event, Kiosk
from central_server.db.stores import alerts, events, people, presence, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.people import Person
from central_server.domain.presence import Sighting, nobody_yet
from central_server.domain.punching import presence_after_punch
from central_server.services.recompute_attendance import recompute_days
from common.events import Clock

KIOSKS = "@kiosk"  # stands where an event names its agent; no agent can be called so


class PunchRefused(Exception):
    """The person may not punch; `reason` is a word the kiosk puts into a sentence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Punched:
    """A punch that stands in the record."""

    employee_id: str
    is_in: bool
    at: datetime
    is_new: bool  # False: it was sent before, and counts once
    before: datetime | None = None  # the last punch of the day, if it said the same: perhaps the wrong button


def record_punch(
    work: UnitOfWork,
    kiosk: Kiosk,
    employee_id: str,
    *,
    punch_id: str,
    is_in: bool,
    by: str,
    rules: RulesConfig,
    now: datetime,
) -> Punched:
    """Store the punch once, and bring presence and attendance up to date.

    punch_id: made by the kiosk, 8 to 64 of letters and digits; the same one again is the same punch.
    by: pin | badge. Raises PunchRefused: inactive (not employed on that day), other_person.
    """
    event_id = f"{KIOSKS}-{kiosk.kiosk_id}-{punch_id}"
    if known := work.session.scalar(select(Event).where(Event.event_id == event_id)):
        if known.employee_id != employee_id:
            raise PunchRefused("other_person")
        return Punched(employee_id, known.kind == "in", known.ts, is_new=False)
    person = people.by_id(work.session, [employee_id]).get(employee_id)
    schedules = shifts.schedules(
        work.session, {employee_id: person} if person else {}, day_cutoff=rules.day_cutoff
    )
    day = schedules[employee_id].business_date(now) if person else now.date()
    if person is None or not person.is_employed_on(day):
        raise PunchRefused("inactive")
    last = _last_of_day(work, employee_id, day)
    kind = "in" if is_in else "out"
    row = _row(work, kiosk, now) | {"event_id": event_id, "track_id": punch_id, "kind": kind}
    events.add_all(
        work.session, [row | {"employee_id": employee_id, "business_date": day, "extra": {"by": by}}]
    )
    _follow(work, person, _sighting(kiosk, employee_id, day, now), is_in=is_in)
    recompute_days(work, {(employee_id, day)}, rules, now=now)
    repeats = last is not None and last.kind == kind
    return Punched(employee_id, is_in, now, is_new=True, before=last.at if last and repeats else None)


def _row(work: UnitOfWork, kiosk: Kiosk, now: datetime) -> dict[str, Any]:
    """Return what every event of the kiosk says. Its number is the next: writers take turns."""
    of_kiosk = Event.agent_id == KIOSKS, Event.epoch == kiosk.kiosk_id
    return {
        "agent_id": KIOSKS,
        "epoch": kiosk.kiosk_id,
        "seq": (work.session.scalar(select(func.max(Event.seq)).where(*of_kiosk)) or 0) + 1,
        "site_id": kiosk.site_id,
        "zone_id": kiosk.zone_id,
        "camera_id": kiosk.kiosk_id,
        "ts": now,
        "last_seen": now,
        "received_at": now,
        "clock": Clock.NTP.value,  # the server's own
    }


def _sighting(kiosk: Kiosk, employee_id: str, day: date, now: datetime) -> Sighting:
    return Sighting(
        employee_id=employee_id,
        site_id=kiosk.site_id,
        zone_id=kiosk.zone_id,
        camera_id=kiosk.kiosk_id,
        seen_at=now,
        business_date=day,
    )


def _follow(work: UnitOfWork, person: Person, punch: Sighting, *, is_in: bool) -> None:
    """Move the person's presence, and close the alerts about somebody who is back."""
    known = presence.by_id(work.session, [person.employee_id]).get(person.employee_id)
    before = known or nobody_yet(person.employee_id, person.site_id, punch.seen_at)
    presence.put(work.session, presence_after_punch(before, punch, person, is_in=is_in))
    for alert in alerts.open_about(work.session, person.employee_id):
        alerts.close(work.session, alert.alert_id, "returned", punch.seen_at)


def _last_of_day(work: UnitOfWork, employee_id: str, day: date) -> events.Seen | None:
    punches = (each for each in events.of_day(work.session, employee_id, day) if each.is_punch)
    return max(punches, key=lambda each: each.at, default=None)

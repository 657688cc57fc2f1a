"""Record what cameras saw, and what follows from it, in one transaction."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from central_server.config import RulesConfig
from central_server.db.models import Agent, Camera
from central_server.db.stores import alerts, events, people, presence, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.people import Person
from central_server.domain.presence import Sighting, nobody_yet, presence_after_sighting
from central_server.domain.shifts import Schedule
from central_server.services.recompute_attendance import recompute_days
from central_server.services.record_health import instant
from common.events import Ack, Envelope, EventKind, RecognitionEvent


class UnknownAgent(Exception):
    """Events from an agent that this server does not know."""


def record_events(
    agent_id: str,
    envelope: Envelope,
    work: UnitOfWork,
    rules: RulesConfig,
    *,
    now: datetime,
    parked: Mapping[int, str] | None = None,
) -> Ack:
    """Store each event once, with what follows from it; return how far the agent may forget.

    parked: the sequence numbers in this batch that could not be read, with the reason; they hold
    a place in the record, so that one bad event never stops its siblings.
    Raises UnknownAgent.
    """
    agent = work.session.get(Agent, agent_id)
    if agent is None:
        raise UnknownAgent(f"{agent_id} is not an agent of this server")
    batch = _Batch(agent, envelope, work, rules, now)
    sightings = [seen for event in envelope.events if (seen := batch.store(event))]
    for seq, reason in (parked or {}).items():
        batch.store_unreadable(seq, reason)
    _follow(sightings, batch, work, now)
    recompute_days(work, {(each.employee_id, each.business_date) for each in sightings}, rules, now=now)
    return Ack(envelope.epoch, _advance_mark(agent_id, envelope, parked or {}, work, now))


class _Batch:
    """The events of one envelope, with what is known about their people and cameras."""

    def __init__(
        self, agent: Agent, envelope: Envelope, work: UnitOfWork, rules: RulesConfig, now: datetime
    ) -> None:
        self.agent, self.epoch, self.session, self.now = agent, envelope.epoch, work.session, now
        self.late_news = rules.late_news
        named = {event.employee_id for event in envelope.events if event.employee_id}
        self.people: dict[str, Person] = people.by_id(work.session, named)
        self.schedules: dict[str, Schedule] = shifts.schedules(
            work.session, self.people, day_cutoff=rules.day_cutoff
        )
        self.site_schedule = shifts.of_site(work.session, agent.site_id, rules.day_cutoff)

    def store(self, event: RecognitionEvent) -> Sighting | None:
        """Store the event; return the sighting it tells of, if it is new and about somebody we follow."""
        seen_at = min(instant(event.last_seen), self.now)  # nobody is seen in the future
        day = self._business_date(event.employee_id, seen_at)
        is_late = self.now - seen_at > self.late_news
        camera = self.session.get(Camera, event.camera_id)
        if camera is not None and camera.agent_id != self.agent.agent_id:
            camera = None  # another agent's: it lends nobody its site and zone
        zone_id = camera.zone_id if camera else None
        row = _row(event) | {
            "event_id": f"{self.agent.agent_id}-{self.epoch}-{event.seq}",  # so that nobody takes another's
            "agent_id": self.agent.agent_id,
            "epoch": self.epoch,
            "site_id": camera.site_id if camera else self.agent.site_id,
            "zone_id": zone_id,
            "ts": min(instant(event.ts), self.now),
            "last_seen": seen_at,
            "received_at": self.now,
            "business_date": day,
            "is_late": is_late,
        }
        person = self.people.get(event.employee_id or "")
        if not events.add(self.session, row) or person is None or not person.is_followed_on(day):
            return None
        return Sighting(
            employee_id=person.employee_id,
            site_id=row["site_id"],
            zone_id=zone_id,
            camera_id=event.camera_id,
            seen_at=seen_at,
            business_date=day,
            is_late=is_late,
        )

    def store_unreadable(self, seq: int, reason: str) -> None:
        """Keep the place of an event that could not be read."""
        blank = RecognitionEvent(
            event_id=f"{self.agent.agent_id}-{self.epoch}-{seq}",
            seq=seq,
            camera_id="",  # type: ignore[arg-type]
            track_id="",
            kind=EventKind.GAP,
            ts=round(self.now.timestamp() * 1000),
            last_seen=round(self.now.timestamp() * 1000),
            extra={"unreadable": reason[:400]},
        )
        self.store(blank)

    def _business_date(self, employee_id: str | None, moment: datetime) -> date:
        schedule = self.schedules.get(employee_id or "") or self.site_schedule
        return schedule.business_date(moment) if schedule else moment.date()


def _row(event: RecognitionEvent) -> dict[str, Any]:
    names = (
        "event_id seq camera_id track_id employee_id sim_score threshold margin frames quality "
        "model_id gallery_gen snapshot"
    )
    return {name: getattr(event, name) for name in names.split()} | {
        "kind": event.kind.value,
        "clock": event.clock.value,
        "extra": dict(event.extra),
    }


def _follow(sightings: list[Sighting], batch: _Batch, work: UnitOfWork, now: datetime) -> None:
    """Move the presence of everybody seen, and close the alerts about who is back."""
    known = presence.by_id(work.session, {each.employee_id for each in sightings})
    for seen in sorted(sightings, key=lambda each: each.seen_at):
        home = batch.people[seen.employee_id].site_id
        before = known.get(seen.employee_id) or nobody_yet(seen.employee_id, home, seen.seen_at)
        after = presence_after_sighting(before, seen, home)
        if after == before:
            continue
        known[seen.employee_id] = after
        presence.put(work.session, after)
        if not seen.is_late:
            for alert in alerts.open_about(work.session, seen.employee_id):
                alerts.close(work.session, alert.alert_id, "returned", now)


def _advance_mark(
    agent_id: str, envelope: Envelope, parked: Mapping[int, str], work: UnitOfWork, now: datetime
) -> int:
    """Return the number up to which nothing of the epoch is missing but what the agent itself gave up."""
    mark = events.raise_mark(work.session, agent_id, envelope.epoch, envelope.first - 1, now)
    numbers = [*(event.seq for event in envelope.events), *parked]
    if envelope.prev is not None and numbers and mark >= envelope.prev:
        mark = events.raise_mark(work.session, agent_id, envelope.epoch, max(numbers), now)
    return mark

"""Record what cameras saw, and what follows from it, in one transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from central_server.config import RulesConfig
from central_server.db.models import Agent, Camera
from central_server.db.stores import alerts, days_due, events, people, presence, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.clocks import Boots, boots_from, dated, is_undated
from central_server.domain.people import Person
from central_server.domain.presence import Sighting, nobody_yet, presence_after_sighting
from central_server.domain.shifts import Schedule
from central_server.services.contradict_alerts import contradict_alerts
from central_server.services.gather_day import Cast
from central_server.services.keep_watch import note_lost
from central_server.services.place_events import Places, note_hidden, without_name
from central_server.services.recompute_attendance import PersonDay, recompute_days
from central_server.services.record_health import instant
from common.events import Ack, Clock, Envelope, EventKind, RecognitionEvent

MOST_LATE_DAYS = 20  # more late person-days than this at once are recomputed a little later


class UnknownAgent(Exception):
    """Events from an agent that this server does not know."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An envelope of one agent.

    parked: the sequence numbers in it that could not be read, with the reason; they hold a place in the
    record, so that one bad event never stops its siblings.
    """

    agent_id: str
    envelope: Envelope
    parked: Mapping[int, str] = field(default_factory=dict)


def record_events(
    agent_id: str,
    envelope: Envelope,
    work: UnitOfWork,
    rules: RulesConfig,
    *,
    now: datetime,
    parked: Mapping[int, str] | None = None,
) -> Ack:
    """Record one envelope; see record_deliveries. Raises UnknownAgent."""
    return record_deliveries([Delivery(agent_id, envelope, parked or {})], work, rules, now=now)[-1]


def record_deliveries(
    deliveries: Sequence[Delivery], work: UnitOfWork, rules: RulesConfig, *, now: datetime
) -> list[Ack]:
    """Store each event once, with what follows from it; return how far each agent may forget, by envelope.

    Many at once cost little more than one: people, cameras and person-days are looked at once.
    Raises UnknownAgent.
    """
    batch = _Batch(deliveries, work, rules, now)
    rows = [row for delivery in deliveries for row in batch.rows(delivery)]
    new = events.add_all(work.session, rows) if rows else []
    sightings = [seen for row in new if (seen := batch.sighting(row))]
    _follow(sightings, batch, work, now)
    note_hidden(work, new, now)
    _recompute(sightings, batch, work, rules, now)
    note_lost(work, new, now)
    acks = [_advance_mark(delivery, work, now) for delivery in deliveries]
    _count_repeats(rows, new, work)
    return acks


def _count_repeats(
    rows: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]], work: UnitOfWork
) -> None:
    """Note how many events had been recorded before."""
    again = Counter((row["agent_id"], row["epoch"]) for row in rows)
    again.subtract((row["agent_id"], row["epoch"]) for row in new)
    for (agent_id, epoch), count in again.items():
        events.note_repeats(work.session, agent_id, epoch, count)


class _Batch:
    """What is known about the agents, people and cameras of some envelopes."""

    def __init__(
        self, deliveries: Iterable[Delivery], work: UnitOfWork, rules: RulesConfig, now: datetime
    ) -> None:
        self.session, self.now, self.rules = work.session, now, rules
        self.agents = {each.agent_id: self._agent(each.agent_id) for each in deliveries}
        self.boots: dict[str, Boots] = {key: boots_from(each.boots) for key, each in self.agents.items()}
        self.places = Places(work)
        told = [event for each in deliveries for event in each.envelope.events]
        self.people: dict[str, Person] = people.by_id(
            work.session, {event.employee_id for event in told if event.employee_id}
        )
        self.schedules: dict[str, Schedule] = shifts.schedules(
            work.session, self.people, day_cutoff=rules.day_cutoff
        )
        self.site_schedules = {
            site_id: shifts.of_site(work.session, site_id, rules.day_cutoff)
            for site_id in {each.site_id for each in self.agents.values()}
        }
        self.cameras = {
            camera_id: work.session.get(Camera, camera_id) for camera_id in {each.camera_id for each in told}
        }

    def _agent(self, agent_id: str) -> Agent:
        agent = self.session.get(Agent, agent_id)
        if agent is None:
            raise UnknownAgent(f"{agent_id} is not an agent of this server")
        return agent

    def rows(self, delivery: Delivery) -> list[dict[str, Any]]:
        """Return the rows of an envelope's events, and of those that could not be read."""
        agent, epoch = self.agents[delivery.agent_id], delivery.envelope.epoch
        unreadable = [_blank(agent, epoch, seq, why, self.now) for seq, why in delivery.parked.items()]
        return [self._row(agent, epoch, event) for event in (*delivery.envelope.events, *unreadable)]

    def _row(self, agent: Agent, epoch: str, event: RecognitionEvent) -> dict[str, Any]:
        off = self.boots[agent.agent_id].off(event.boot_id, event.mono, event.ts)
        off_ms, is_dated = dated(off, event.ts, event.clock)
        seen_at = min(instant(event.last_seen - off_ms), self.now)  # nobody is seen in the future
        camera = self.cameras.get(event.camera_id)
        if camera is not None and camera.agent_id != agent.agent_id:
            camera = None  # another agent's: it lends nobody its site and zone
        zone_id = self.places.zone_of(event, camera)
        is_nameless = self.places.is_nameless(camera, zone_id)
        row = _plain_row(event) | {
            "event_id": f"{agent.agent_id}-{epoch}-{event.seq}",  # so that nobody takes another's
            "agent_id": agent.agent_id,
            "epoch": epoch,
            "site_id": camera.site_id if camera else agent.site_id,
            "zone_id": zone_id,
            "ts": min(instant(event.ts - off_ms), self.now),
            "last_seen": seen_at,
            "received_at": self.now,
            "business_date": self._business_date(None if is_nameless else event.employee_id, agent, seen_at),
            "is_late": self.now - seen_at > self.rules.late_news,
            "clock_off_ms": off_ms if is_dated else 0,
            "clock": event.clock.value if is_dated else Clock.BAD.value,
        }
        return without_name(row) if is_nameless else row

    def sighting(self, row: Mapping[str, Any]) -> Sighting | None:
        """Return the sighting that a new row tells of, if it is about somebody we follow, at a known time."""
        person = self.people.get(row["employee_id"] or "")
        if person is None or is_undated(row["clock"], row["clock_off_ms"]):
            return None
        if not person.is_recognised_on(row["business_date"]):
            return None
        return Sighting(
            employee_id=person.employee_id,
            site_id=row["site_id"],
            zone_id=row["zone_id"],
            camera_id=row["camera_id"],
            seen_at=row["last_seen"],
            business_date=row["business_date"],
            is_late=row["is_late"],
        )

    def _business_date(self, employee_id: str | None, agent: Agent, moment: datetime) -> date:
        schedule = self.schedules.get(employee_id or "") or self.site_schedules[agent.site_id]
        return schedule.business_date(moment) if schedule else moment.date()


def _blank(agent: Agent, epoch: str, seq: int, reason: str, now: datetime) -> RecognitionEvent:
    """Return what keeps the place of an event that could not be read."""
    return RecognitionEvent(
        event_id=f"{agent.agent_id}-{epoch}-{seq}",
        seq=seq,
        camera_id="",  # type: ignore[arg-type]
        track_id="",
        kind=EventKind.GAP,
        ts=round(now.timestamp() * 1000),
        last_seen=round(now.timestamp() * 1000),
        extra={"unreadable": reason[:400]},
    )


_COPIED = [
    "event_id",
    "seq",
    "camera_id",
    "track_id",
    "employee_id",
    "sim_score",
    "threshold",
    "margin",
    "frames",
    "quality",
    "model_id",
    "gallery_gen",
    "snapshot",
]


def _plain_row(event: RecognitionEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _COPIED} | {
        "kind": event.kind.value,
        "extra": dict(event.extra),
    }


def _follow(sightings: list[Sighting], batch: _Batch, work: UnitOfWork, now: datetime) -> None:
    """Move the presence of everybody seen, and close the alerts about who is back, or never was away."""
    taken_back = contradict_alerts(work, sightings, batch.rules, now=now)
    known = presence.by_id(work.session, {each.employee_id for each in sightings})
    moved: set[str] = set()
    changed: set[str] = set()  # in more than when they were seen: everything is to be asked of them
    is_back: set[str] = set()
    for seen in sorted(sightings, key=lambda each: each.seen_at):
        home = batch.people[seen.employee_id].site_id
        before = known.get(seen.employee_id) or nobody_yet(seen.employee_id, home, seen.seen_at)
        after = presence_after_sighting(before, seen, home)
        if after == before:
            continue
        known[seen.employee_id] = after
        moved.add(seen.employee_id)
        if not before.is_carried_on(after):
            changed.add(seen.employee_id)
        if not seen.is_late and after.last_seen != before.last_seen:
            is_back.add(seen.employee_id)
    for employee_id in taken_back & known.keys():  # who is missing all the same is missing anew
        known[employee_id] = replace(known[employee_id], episode=known[employee_id].episode + 1)
        moved.add(employee_id)
        changed.add(employee_id)
    presence.put(
        work.session, *(known[employee_id] for employee_id in sorted(moved)), in_time=moved - changed
    )
    for employee_id in sorted(is_back):
        for alert in alerts.open_about(work.session, employee_id):
            alerts.close(work.session, alert.alert_id, "returned", now)


def _recompute(
    sightings: list[Sighting], batch: _Batch, work: UnitOfWork, rules: RulesConfig, now: datetime
) -> None:
    """Bring attendance up to date; what came late and touches many days at once, in a little while."""
    fresh: set[PersonDay] = {(each.employee_id, each.business_date) for each in sightings if not each.is_late}
    late: set[PersonDay] = {(each.employee_id, each.business_date) for each in sightings if each.is_late}
    late -= fresh
    if len(late) > MOST_LATE_DAYS:
        days_due.mark(work.session, late, now)
        late = set()
    cast = Cast(batch.people, batch.schedules)
    recompute_days(work, fresh | late, rules, now=now, cast=cast)


def _advance_mark(delivery: Delivery, work: UnitOfWork, now: datetime) -> Ack:
    """Return up to where nothing of the epoch is missing but what the agent itself gave up."""
    envelope = delivery.envelope
    place = (work.session, delivery.agent_id, envelope.epoch)
    mark = events.raise_mark(*place, envelope.first - 1, now)
    numbers = [*(event.seq for event in envelope.events), *delivery.parked]
    if envelope.prev is not None and numbers and mark >= envelope.prev:
        mark = events.raise_mark(*place, max(numbers), now)
    return Ack(envelope.epoch, mark)

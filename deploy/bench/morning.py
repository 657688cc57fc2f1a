"""A working morning of a big company, five seconds at a time: people are seen, and presence is evaluated."""

import time
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import Engine, insert, update

from central_server.db.models import Agent, Camera, Presence
from central_server.db.stores import people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import DAY, Standing
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.record_event import Delivery, record_deliveries
from central_server.services.site_scene import SiteMemory
from common.events import Envelope, EventKind, RecognitionEvent
from common.ids import CameraId, EmployeeId
from deploy.bench.workforce import CUTOFF, RULES, SITES, Workforce, number_of

TICK = timedelta(seconds=5)
SEEN_EVERY_S = 45  # somebody at work, as a rule
AT = timedelta(hours=2, minutes=30)  # UTC: half past nine in Jakarta, half past eleven in Sorong


class Morning:
    """The morning after the day of the sightings, from an instant at which most are at work."""

    def __init__(self, force: Workforce, engine: Engine, chance: Random) -> None:
        self.force, self.engine, self.chance = force, engine, chance
        self.now = datetime.combine(force.day + DAY, datetime.min.time(), UTC) + AT
        self.at_work: dict[str, list[str]] = {site_id: [] for site_id in SITES}
        self.memories = {site_id: SiteMemory() for site_id in SITES}
        self.seq = 0
        with UnitOfWork(engine) as work:
            known = people.by_id(work.session, force.site_of.keys())
            schedules = shifts.schedules(work.session, known, day_cutoff=CUTOFF)
            rows = []
            for employee_id, schedule in schedules.items():
                if schedule.duty_at(self.now).standing is not Standing.ON_DUTY:
                    continue
                self.at_work[known[employee_id].site_id].append(employee_id)
                rows.append(self._seen_lately(employee_id, schedule.business_date(self.now)))
            work.session.execute(insert(Presence), rows)
            work.session.execute(
                update(Camera).values(state="online", covered_since=self.now - timedelta(hours=12))
            )

    def ticks(self, count: int) -> tuple[list[float], list[float]]:
        """Return the seconds that each evaluation of the largest site took, and of all sites together."""
        largest = max(SITES, key=lambda each: len(self.at_work[each]))
        of_largest, together = [], []
        self._beat()
        self._evaluate()  # the first has everybody to place
        for _ in range(count):
            self.now += TICK
            self._beat()
            self._flap()
            self._see()
            took = self._evaluate()
            of_largest.append(took[largest])
            together.append(sum(took.values()))
        return of_largest, together

    def _evaluate(self) -> dict[str, float]:
        """Evaluate every site as the worker does; return the seconds of each."""
        took = {}
        for site_id in SITES:
            began = time.perf_counter()
            with UnitOfWork(self.engine) as work:
                evaluate_site(work, site_id, RULES, now=self.now, memory=self.memories[site_id])
            took[site_id] = time.perf_counter() - began
        return took

    def _beat(self) -> None:
        """Let every agent say that it is well, and has told everything."""
        with UnitOfWork(self.engine) as work:
            well = {"heartbeat_at": self.now, "reported_to": self.now, "state_at": self.now}
            work.session.execute(update(Agent).values(state="online", skew_ms=0, **well))

    def _flap(self) -> None:
        """Let one camera of each site fail, and the one before watch again."""
        with UnitOfWork(self.engine) as work:
            back = {"state": "online", "covered_since": self.now}
            work.session.execute(update(Camera).where(Camera.state == "offline").values(back))
            failed = [self.chance.choice(cameras)[0] for cameras in self.force.cameras_of.values()]
            gone = {"state": "offline", "covered_since": None, "state_at": self.now}
            work.session.execute(update(Camera).where(Camera.camera_id.in_(failed)).values(gone))

    def _see(self) -> None:
        """Record the sightings of five seconds."""
        deliveries: dict[str, list[RecognitionEvent]] = {}
        for site_id, present in self.at_work.items():
            count = round(len(present) * TICK.total_seconds() / SEEN_EVERY_S)
            for employee_id in self.chance.sample(present, count):
                camera_id, agent_id, _ = self._camera(employee_id, site_id)
                deliveries.setdefault(agent_id, []).append(self._event(employee_id, camera_id))
        told = [
            Delivery(each, Envelope(epoch="morning", first=seen[0].seq, events=tuple(seen)))
            for each, seen in deliveries.items()
        ]
        with UnitOfWork(self.engine) as work:
            record_deliveries(told, work, RULES, now=self.now)

    def _event(self, employee_id: str, camera_id: str) -> RecognitionEvent:
        self.seq += 1
        ts = round((self.now - timedelta(seconds=self.chance.uniform(0, 5))).timestamp() * 1000)
        return RecognitionEvent(
            event_id="", seq=self.seq, camera_id=CameraId(camera_id), track_id=f"m{self.seq}",
            kind=EventKind.STILL, ts=ts, last_seen=ts, employee_id=EmployeeId(employee_id), sim_score=0.5,
            threshold=0.42, margin=0.2, frames=12, quality=0.8, model_id="bench:0", gallery_gen=1,
        )  # fmt: skip

    def _camera(self, employee_id: str, site_id: str) -> tuple[str, str, str]:
        cameras = self.force.cameras_of[site_id]
        return cameras[(number_of(employee_id) + self.chance.randrange(3)) % len(cameras)]

    def _seen_lately(self, employee_id: str, today: object) -> dict[str, object]:
        site_id = self.force.site_of[employee_id]
        camera_id, _, zone_id = self._camera(employee_id, site_id)
        seen = self.now - timedelta(seconds=self.chance.expovariate(1 / SEEN_EVERY_S))
        return {
            "employee_id": employee_id, "site_id": site_id, "state": "available", "reason": "in_area",
            "since": self.now - timedelta(hours=1), "last_seen": seen, "zone_id": zone_id,
            "camera_id": camera_id, "business_date": today, "version": 1,
        }  # fmt: skip

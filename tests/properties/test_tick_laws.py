"""A tick that looks only at those of whom something can have changed says what a look at everybody says."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.models import (
    Agent,
    Alert,
    BreakWindow,
    Camera,
    Employee,
    EmployeeZone,
    Leave,
    Presence,
    RoleThreshold,
    Zone,
)
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.whereabouts import FIRST
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.record_event import record_events
from central_server.services.site_scene import SiteMemory
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import an_envelope, an_event

SECOND = timedelta(seconds=1)
PEOPLE = ("EMP001", "EMP002", "EMP003", "EMP004")
CAMERAS = {
    "plant-cam": "plant-agent",
    "hall-cam": "hall-agent",
    "vault-cam": "hall-agent",
    "depot-cam": "depot-agent",
}
CAMERA_OF = {
    "plant-gate": "plant-cam",
    "hall": "hall-cam",
    "vault": "vault-cam",
    "depot-gate": "depot-cam",
}
AGENTS = ("plant-agent", "hall-agent", "depot-agent")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A database with two sites, three zones, four people, a break at 08:20 and thresholds of all kinds."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        engine = open_engine(f"sqlite:///{path}")
        Base.metadata.create_all(engine)
        with UnitOfWork(engine) as work:
            session, known = work.session, EIGHT - timedelta(days=30)
            builders.a_site(session)
            builders.a_site(session, "depot")
            builders.a_shift(session)
            builders.a_zone(session, "hall", name="Hall")
            builders.a_zone(session, "vault", name="Vault", threshold_s=20)
            builders.an_agent(session, "hall-agent")
            builders.a_camera(session, "hall-cam", "hall-agent", "plant", "hall")
            builders.a_camera(session, "vault-cam", "hall-agent", "plant", "vault")
            for number, employee_id in enumerate(PEOPLE):
                role = "Guard" if number == 1 else ""
                builders.an_employee(session, employee_id, role=role, consent_at=known, created_at=known)
            session.add(RoleThreshold(role="guard", threshold_s=120))
            session.add(EmployeeZone(employee_id="EMP003", zone_id="hall"))
            session.add(BreakWindow(site_id="plant", name="Tea", starts=time(8, 20), ends=time(8, 30)))
        builders.all_healthy(engine, EIGHT)
        past = World(engine, remembers=False)
        for who, camera, days in (("EMP002", "hall-cam", 1), ("EMP004", "vault-cam", 3)):  # not new any more
            at = EIGHT - days * timedelta(days=1) + timedelta(hours=2)
            past.see(who, camera, at, at + SECOND)
        engine.dispose()
        yield path


@dataclass
class World:
    """One database of two, in which the same things happen."""

    engine: Engine
    remembers: bool
    memory: SiteMemory = field(default_factory=SiteMemory)
    seq: int = 0
    has_news: bool = False  # of HR, since the last tick

    def see(self, who: str, camera: str, at: datetime, now: datetime) -> None:
        self.seq += 1
        agent = CAMERAS[camera]
        event = an_event(self.seq, who, at, agent_id=agent, camera_id=camera)
        with UnitOfWork(self.engine) as work:
            record_events(agent, an_envelope(event), work, builders.the_rules(), now=now)

    def heartbeat(self, silent: set[str], lag: dict[str, int], now: datetime) -> None:
        with UnitOfWork(self.engine) as work:
            for agent_id in set(AGENTS) - silent:
                agent = work.session.get_one(Agent, agent_id)
                agent.state, agent.heartbeat_at, agent.skew_ms = "online", now, 0
                reported_to = now - lag.get(agent_id, 0) * SECOND
                agent.reported_to = max(agent.reported_to or reported_to, reported_to)

    def camera(self, name: str, since: datetime | None, now: datetime) -> None:
        with UnitOfWork(self.engine) as work:
            camera = work.session.get_one(Camera, name)
            camera.state, camera.state_at = ("online" if since else "offline"), now
            camera.covered_since = since

    def change(self, what: str, today: date) -> None:
        """Let HR change its mind: what is there is taken away, and the other way round."""
        with UnitOfWork(self.engine) as work:
            session = work.session
            match what:
                case "zone":
                    _toggle(session, EmployeeZone(employee_id="EMP001", zone_id="vault"))
                case "threshold":
                    hall = session.get_one(Zone, "hall")
                    hall.threshold_s = None if hall.threshold_s else 60
                case "role":
                    person = session.get_one(Employee, "EMP002")
                    person.role = "" if person.role else "Guard"
                case "suspend":
                    person = session.get_one(Employee, "EMP003")
                    person.status = "suspended" if person.status == "active" else "active"
                case "leave":
                    found = session.scalar(select(Leave).where(Leave.employee_id == "EMP004"))
                    if found:
                        session.delete(found)
                    else:
                        session.add(Leave(employee_id="EMP004", kind="sick", first_on=today, last_on=today))
                case "hire" if session.get(Employee, "EMP005") is None:
                    builders.an_employee(session, "EMP005")
        self.has_news = True

    def newly_missed(self, before: set[str], now: datetime) -> set[str]:
        """Evaluate; return who is missed, each newly one with proof: their cameras watched long enough."""
        self.tick(now)
        with UnitOfWork(self.engine) as work:
            missing = work.session.scalars(select(Presence).where(Presence.reason == "out_of_area")).all()
            since = {each.camera_id: each.covered_since for each in work.session.scalars(select(Camera))}
            for each in missing:
                if each.employee_id in before:
                    continue
                places = [place for place in each.zones if place != FIRST]
                cameras = {CAMERA_OF.get(place, place.removeprefix("camera:")) for place in places}
                cameras |= {each.camera_id} | ({"hall-cam"} if each.employee_id == "EMP003" else set())
                allowed = AT_MOST.get(each.employee_id, 20 * SECOND)
                for camera in cameras:
                    watched = since[camera]
                    assert watched is not None and now - watched > allowed, (each.employee_id, camera)
        return {each.employee_id for each in missing}

    def tick(self, now: datetime) -> list[object]:
        """Evaluate, and return everything that came of it."""
        memory = self.memory if self.remembers else SiteMemory(at=self.memory.at)
        if memory.roster is not None:
            memory.read_at = None if self.has_news else now  # everybody is looked at only where it must be
            memory.made_at = now
        self.has_news = False
        with UnitOfWork(self.engine) as work:
            evaluate_site(work, "plant", builders.the_rules(), now=now, memory=memory)
        self.memory = memory
        with UnitOfWork(self.engine) as work:
            columns = [each for each in Presence.__table__.c if each.name not in ("version", "check_at")]
            people = work.session.execute(select(*columns).order_by(Presence.employee_id)).all()
            kept = (Alert.dedupe_key, Alert.state, Alert.ts, Alert.close_reason)
            alerts = work.session.execute(select(*kept).order_by(Alert.dedupe_key)).all()
        return [*people, *alerts]


AT_MOST = {"EMP002": 120 * SECOND}  # a guard


def _toggle(session: Session, row: EmployeeZone) -> None:
    found = session.get(EmployeeZone, (row.employee_id, row.zone_id))
    if found:
        session.delete(found)
    else:
        session.add(row)


cameras = st.sampled_from(sorted(CAMERAS))
people = st.sampled_from(PEOPLE)
happenings = st.one_of(
    st.tuples(st.just("see"), people, cameras, st.sampled_from([0, 1, 5, 700])),
    st.tuples(st.just("see"), people, cameras, st.just(0)),
    st.tuples(st.just("down"), cameras),
    st.tuples(st.just("up"), cameras, st.sampled_from([0, 3, 400])),
    st.tuples(st.just("flap"), cameras),
    st.tuples(st.just("hr"), st.sampled_from(["zone", "threshold", "role", "suspend", "leave", "hire"])),
    st.tuples(st.just("silent"), st.sampled_from(AGENTS)),
    st.tuples(st.just("heard"), st.sampled_from(AGENTS), st.sampled_from([0, 10, 44, 300])),
    st.tuples(st.just("pass"), st.sampled_from([1, 2, 7, 29, 31, 60, 299, 300, 301])),
    st.tuples(st.just("pass"), st.sampled_from([1, 1, 20, 120, 301])),
)  # fmt: skip


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(happenings, min_size=4, max_size=30), st.integers(0, 1500))
def test_a_tick_says_what_a_look_at_everybody_says(template, history, start):
    """Whatever happens in whatever order, and however long it takes: the same presence, the same alerts."""
    with TemporaryDirectory() as folder:
        worlds = []
        for remembers in (True, False):
            path = Path(folder) / f"{remembers}.db"
            shutil.copy(template, path)
            worlds.append(World(open_engine(f"sqlite:///{path}"), remembers))
        now, silent, lag = EIGHT + start * SECOND, set(), {}
        for what, *more in [("pass", 1), *history, ("pass", 1), ("pass", 301)]:
            match what:
                case "silent":
                    silent.add(more[0])
                case "heard":
                    silent.discard(more[0])
                    lag[more[0]] = more[1]
                case "pass":
                    now += more[0] * SECOND
            for world in worlds:
                match what:
                    case "see":
                        world.see(more[0], more[1], now - more[2] * SECOND, now)
                    case "down":
                        world.camera(more[0], None, now)
                    case "up":
                        world.camera(more[0], now - more[1] * SECOND, now)
                    case "flap":  # one tick without it, and it is back
                        world.camera(more[0], None, now)
                        world.tick(now)
                        world.camera(more[0], now, now)
                    case "hr":
                        world.change(more[0], EIGHT.date())
                world.heartbeat(silent, lag, now)
            one, other = (world.tick(now) for world in worlds)
            assert one == other, f"after {what} {more}, {(now - EIGHT) / SECOND:.0f} s after eight"
        for world in worlds:
            world.engine.dispose()


flaps = st.lists(
    st.one_of(
        st.tuples(st.just("flap"), cameras),
        st.tuples(st.just("down"), cameras),
        st.tuples(st.just("up"), cameras, st.sampled_from([0, 30, 301])),
        st.tuples(st.just("see"), people, cameras, st.just(0)),
        st.tuples(st.just("pass"), st.sampled_from([1, 20, 120, 299, 301])),
    ),
    min_size=4,
    max_size=30,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flaps, st.integers(0, 1500))
def test_nobody_is_out_of_area_while_a_camera_of_theirs_flaps(template, history, start):
    """Who is newly missed has places, and all their cameras have watched for all the time that is allowed."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "flaps.db"
        shutil.copy(template, path)
        world, now = World(open_engine(f"sqlite:///{path}"), remembers=True), EIGHT + start * SECOND
        missed: set[str] = set()
        arrivals = [("see", who, camera, 0) for who, camera in zip(PEOPLE, sorted(CAMERAS), strict=True)]
        for what, *more in [*arrivals, *history, ("pass", 301), ("pass", 1)]:
            match what:
                case "pass":
                    now += more[0] * SECOND
                case "see":
                    world.see(more[0], more[1], now, now)
                case "down":
                    world.camera(more[0], None, now)
                case "up":
                    world.camera(more[0], now - more[1] * SECOND, now)
                case "flap":
                    world.camera(more[0], None, now)
                    world.heartbeat(set(), {}, now)
                    missed = world.newly_missed(missed, now)
                    world.camera(more[0], now, now)
            world.heartbeat(set(), {}, now)
            missed = world.newly_missed(missed, now)
        world.engine.dispose()

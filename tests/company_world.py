"""Small random companies with a few days of events, for laws about recomputing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import Engine, select

from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.models import (
    Attendance,
    AttendanceCorrection,
    BreakWindow,
    Event,
    Holiday,
    Leave,
    Presence,
    Rotation,
    Shift,
    ShiftAssignment,
    Site,
)
from central_server.db.stores import people, shifts
from central_server.db.unit_of_work import UnitOfWork
from tests import builders

FIRST, LAST = date(2026, 11, 24), date(2026, 11, 26)  # Tuesday to Thursday
SITES = {"plant": "Asia/Jakarta", "east": "Asia/Makassar", "far": "Asia/Jayapura"}
SHIFTS = {"day": (8, 17), "late": (14, 22), "night": (22, 6), "long": (7, 7)}
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
_EMPTY: dict[str, Path] = {}


@dataclass
class RandomCompany:
    """A company whose every detail follows from one number."""

    engine: Engine
    chance: Random
    count: int = 0

    def found(self, people_: int, sightings: int) -> None:
        with UnitOfWork(self.engine) as work:
            for site_id, timezone in SITES.items():
                builders.a_site(work.session, site_id, timezone)
            for shift_id, (starts, ends) in SHIFTS.items():
                shift = Shift(shift_id=shift_id, name=shift_id, starts=time(starts), ends=time(ends))
                shift.weekdays = "mon,tue,wed,thu,fri,sat"
                work.session.add(shift)
            turns = Rotation(rotation_id="turns", name="Turns", starts_on=FIRST, pattern="day,night,off,late")
            work.session.add(turns)
            work.session.flush()
            for site_id in SITES:
                work.session.add(ShiftAssignment(site_id=site_id, shift_id="day"))
                lunch = BreakWindow(site_id=site_id, name="lunch", starts=time(12), ends=time(13))
                work.session.add(lunch)
            if self.chance.random() < 0.3:
                work.session.add(Holiday(day=LAST, name="A day off", site_id="east"))
            self.names = [f"EMP{number:03d}" for number in range(people_)]
            known = datetime(2026, 11, 1, tzinfo=UTC)
            for name in self.names:
                site_id = self.chance.choice(list(SITES))
                more = {"consent_at": known, "created_at": known}
                builders.an_employee(
                    work.session, name, site_id, is_enrolled=self.chance.random() < 0.9, **more
                )
                self.reassign(work, name, site_id)
                self._lately(work, name, site_id)
        self.see(sightings)

    def reassign(self, work: UnitOfWork, name: str, site_id: str) -> None:
        """Give somebody a shift, a rotation, or nothing of their own."""
        kind = self.chance.choice(["late", "night", "long", "turns", ""])
        if kind:
            key = "rotation_id" if kind == "turns" else "shift_id"
            one = ShiftAssignment(site_id=site_id, employee_id=name, valid_from=self._day(), **{key: kind})
            work.session.add(one)

    def _lately(self, work: UnitOfWork, name: str, site_id: str) -> None:
        if self.chance.random() < 0.2:
            work.session.add(Leave(employee_id=name, first_on=self._day(), last_on=LAST))
        if self.chance.random() < 0.2:
            work.session.add(
                Presence(
                    employee_id=name, site_id=site_id, state="available", reason="in_area", since=NOW,
                    last_seen=NOW, business_date=LAST,
                )
            )  # fmt: skip
        if self.chance.random() < 0.3:
            value = self.chance.choice(["absent", "present"])
            work.session.add(
                AttendanceCorrection(
                    employee_id=name, business_date=self._day(), field="status", after=value, reason="r",
                    made_by="hr", made_at=NOW,
                )
            )  # fmt: skip

    def see(self, sightings: int) -> None:
        """Put in events, each with the business date that the schedules give it now, or one beside."""
        with UnitOfWork(self.engine) as work:
            known = people.by_id(work.session, self.names)
            schedules = shifts.schedules(work.session, known, day_cutoff=time(4))
            for _ in range(sightings):
                self.count += 1
                name = self.chance.choice([*self.names, "STRANGER"])
                minutes = self.chance.randrange(-24 * 60, 5 * 24 * 60)
                at = datetime.combine(FIRST, time(), UTC) + timedelta(minutes=minutes)
                day = schedules[name].business_date(at) if name in schedules else at.date()
                day += timedelta(days=self.chance.choice([0, 0, 0, 0, 1, -1]))
                work.session.add(self._event(name, at, day))

    def _event(self, name: str, at: datetime, day: date) -> Event:
        site_id = self.chance.choice(list(SITES))
        is_punch = self.chance.random() < 0.2
        return Event(
            event_id=f"e{self.count}", agent_id=f"{site_id}-agent", epoch="e", seq=self.count,
            site_id=site_id, camera_id=f"{site_id}-cam", track_id="t",
            kind=self.chance.choice(["in", "out"] if is_punch else ["seen", "still", "left"]),
            employee_id=name, ts=at + timedelta(seconds=self.chance.choice([0, 0, 30])), last_seen=at,
            received_at=at, business_date=day, clock=self.chance.choice(["ntp", "ntp", "ntp", "bad"]),
            clock_off_ms=self.chance.choice([0, 0, 5]),
        )  # fmt: skip

    def change_shifts(self) -> None:
        """Let HR change who works when, and move somebody to another site."""
        with UnitOfWork(self.engine) as work:
            for name in self.names:
                if self.chance.random() < 0.5:
                    person = people.by_id(work.session, [name])[name]
                    self.reassign(work, name, person.site_id)
            if self.chance.random() < 0.5:
                work.session.get_one(Shift, "day").starts = time(self.chance.choice([6, 8, 20]))
            if self.chance.random() < 0.3:
                work.session.get_one(Site, "east").timezone = "Asia/Jayapura"

    def rows(self) -> list[dict[str, object]]:
        """Return the attendance there is, without when it was written."""
        with UnitOfWork(self.engine, writes=False) as work:
            found = work.session.scalars(select(Attendance).order_by(Attendance.id)).all()
        columns = [each.name for each in Attendance.__table__.columns if each.name != "updated_at"]
        return [{name: getattr(row, name) for name in columns} for row in found]

    def _day(self) -> date:
        return FIRST + timedelta(days=self.chance.randrange(3))


@contextmanager
def a_random_company(
    folder: Path, seed: int, *, people_: int = 5, sightings: int = 60
) -> Iterator[RandomCompany]:
    """Make the company of a number in a fresh file below folder; gone afterwards."""
    if "sqlite" not in _EMPTY or not _EMPTY["sqlite"].exists():
        _EMPTY["sqlite"] = folder / "empty.db"
        engine = open_engine(f"sqlite:///{_EMPTY['sqlite']}")
        Base.metadata.create_all(engine)
        engine.dispose()
    path = folder / "company.db"
    for each in folder.glob("company.db*"):
        each.unlink()
    shutil.copy(_EMPTY["sqlite"], path)
    engine = open_engine(f"sqlite:///{path}")
    company = RandomCompany(engine, Random(seed))
    try:
        company.found(people_, sightings)
        yield company
    finally:
        engine.dispose()

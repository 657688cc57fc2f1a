"""A big company in a SQLite file of its own: people, working time, cameras, and a day of sightings.

Three sites in three time zones; the default shift, shifts of one's own, rotations and nights; breaks, leaves,
holidays, corrections; people at another site than their own. The same seed makes the same company.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from central_server.config import RulesConfig
from central_server.db import models
from central_server.db.engine import open_engine
from central_server.db.migrate import upgrade
from central_server.db.stores import people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import OvertimeRule
from central_server.domain.shifts import DAY, Schedule, ShiftDay

SITES = {
    "jakarta": ("Asia/Jakarta", 0.6),
    "makassar": ("Asia/Makassar", 0.25),
    "sorong": ("Asia/Jayapura", 0.15),
}
SHIFTS = {"day": (8, 17), "early": (6, 14), "late": (14, 22), "night": (22, 6)}
EVERY_DAY = "mon,tue,wed,thu,fri,sat,sun"
CAMERAS_AN_AGENT, CAMERAS_A_ZONE = 10, 4
CUTOFF = time(4)
RULES = RulesConfig(
    unseen_after=timedelta(minutes=5),
    late_news=timedelta(minutes=10),
    alert_expiry=timedelta(minutes=15),
    day_cutoff=CUTOFF,
    overtime=OvertimeRule.APPROVED,
    snapshot_days=30,
)
KINDS = ("seen", "still", "still", "left")
AWAY, UNKNOWN, ON_LEAVE, CORRECTED, MISSING = 0.01, 0.03, 0.03, 0.01, 0.04  # shares
_ROW = [
    "event_id",
    "agent_id",
    "epoch",
    "seq",
    "site_id",
    "zone_id",
    "camera_id",
    "track_id",
    "kind",
    "employee_id",
    "sim_score",
    "threshold",
    "margin",
    "ts",
    "last_seen",
    "received_at",
    "business_date",
    "is_late",
    "clock",
    "clock_off_ms",
    "frames",
    "quality",
    "model_id",
    "gallery_gen",
    "snapshot",
    "extra",
]


@dataclass
class Workforce:
    """The company, made below `home` by make()."""

    home: Path
    day: date  # the business date of the sightings
    employees: int
    events: int
    cameras: int
    seed: int
    site_of: dict[str, str] = field(default_factory=dict)  # employee: home
    cameras_of: dict[str, list[tuple[str, str, str]]] = field(
        default_factory=dict
    )  # site: camera, agent, zone

    @property
    def database(self) -> Path:
        return self.home / "hadir.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    def make(self) -> int:
        """Make everything; return how many events there are."""
        self.home.mkdir(parents=True, exist_ok=True)
        upgrade(self.url)
        engine, chance = open_engine(self.url), Random(self.seed)
        with UnitOfWork(engine) as work:
            self._places(work.session)
            self._working_time(work.session)
            self._hire(work.session, chance)
        made = self._watch(engine, chance)
        with UnitOfWork(engine) as work:
            self._correct(work.session, chance)
            self._blink(work.session, chance)
        engine.dispose()
        return made

    # -- who and where --------------------------------------------------------------------------------------

    def _places(self, session: Session) -> None:
        known = datetime.combine(self.day - 60 * DAY, time(), UTC)
        watched_to = datetime.combine(self.day + 2 * DAY, time(), UTC)
        for site_id, (timezone, _) in SITES.items():
            session.add(models.Site(site_id=site_id, name=site_id.title(), timezone=timezone))
        session.flush()
        wanted = [
            site_id
            for site_id, (_, share) in SITES.items()
            for _ in range(max(1, round(share * self.cameras)))
        ]
        numbers = dict.fromkeys(SITES, 0)
        for site_id in wanted[: self.cameras]:
            number = numbers[site_id]
            numbers[site_id] += 1
            agent_id = f"{site_id}-{number // CAMERAS_AN_AGENT}"
            zone_id, camera_id = f"{site_id}-z{number // CAMERAS_A_ZONE}", f"{site_id}-c{number}"
            if number % CAMERAS_AN_AGENT == 0:
                session.add(
                    models.Agent(
                        agent_id=agent_id,
                        site_id=site_id,
                        name=agent_id,
                        token_hash=agent_id,
                        manifest_key="00",
                        joined_at=known,
                    )
                )
            if number % CAMERAS_A_ZONE == 0:
                session.add(
                    models.Zone(zone_id=zone_id, site_id=site_id, name=zone_id, is_entrance=number == 0)
                )
            session.flush()
            session.add(
                models.Camera(
                    camera_id=camera_id,
                    agent_id=agent_id,
                    site_id=site_id,
                    zone_id=zone_id,
                    name=camera_id,
                    proven_to=watched_to,
                )
            )
            self.cameras_of.setdefault(site_id, []).append((camera_id, agent_id, zone_id))

    def _working_time(self, session: Session) -> None:
        for shift_id, (starts, ends) in SHIFTS.items():
            days = "mon,tue,wed,thu,fri" if shift_id == "day" else EVERY_DAY
            session.add(
                models.Shift(
                    shift_id=shift_id, name=shift_id, starts=time(starts), ends=time(ends), weekdays=days
                )
            )
        pattern = "early,early,late,late,night,night,off,off"
        for turn in range(8):
            starts_on = self.day - (30 + turn) * DAY
            session.add(
                models.Rotation(
                    rotation_id=f"turn-{turn}", name=f"Turn {turn}", starts_on=starts_on, pattern=pattern
                )
            )
        session.flush()
        for site_id in SITES:
            session.add(models.ShiftAssignment(site_id=site_id, shift_id="day"))
            for name, starts, ends, is_paid, days in (
                ("lunch", 12, 13, False, "mon,tue,wed,thu"),
                ("lunch", 11, 13, False, "fri"),
                ("prayer", 15, 16, True, EVERY_DAY),
                ("night meal", 2, 3, False, EVERY_DAY),
            ):
                session.add(
                    models.BreakWindow(
                        site_id=site_id,
                        name=name,
                        starts=time(starts),
                        ends=time(ends),
                        is_paid=is_paid,
                        weekdays=days,
                    )
                )
        for offset in range(-300, 300, 20):  # none of them on the day itself
            if offset:
                session.add(models.Holiday(day=self.day + offset * DAY, name="Holiday"))

    def _hire(self, session: Session, chance: Random) -> None:
        before = datetime.combine(self.day - 60 * DAY, time(), UTC)
        names = [f"EMP{number:05d}" for number in range(self.employees)]
        shares = [share for _, share in SITES.values()]
        self.site_of = {name: chance.choices(list(SITES), shares)[0] for name in names}
        known = {"consent_at": before, "created_at": before, "is_watched": True}
        session.execute(
            insert(models.Employee),
            [{"employee_id": name, "site_id": self.site_of[name], "name": name, **known} for name in names],
        )
        face = {"model_id": "bench:0", "embedding": bytes(64), "dimension": 16, "created_at": before}
        session.execute(insert(models.FaceTemplate), [{"employee_id": name, **face} for name in names])
        own: list[dict[str, Any]] = []
        for name in names:
            kind = chance.random()
            shift_id = "early" if kind < 0.2 else "night" if kind < 0.3 else None
            rotation_id = f"turn-{chance.randrange(8)}" if 0.3 <= kind < 0.5 else None
            if shift_id or rotation_id:
                one = {"shift_id": shift_id, "rotation_id": rotation_id, "valid_from": before.date()}
                own.append({"site_id": self.site_of[name], "employee_id": name} | one)
        if own:
            session.execute(insert(models.ShiftAssignment), own)
        for name in names:
            if chance.random() < ON_LEAVE:
                last_on = self.day + chance.randrange(5) * DAY
                session.add(models.Leave(employee_id=name, kind="annual", first_on=self.day, last_on=last_on))

    def _correct(self, session: Session, chance: Random) -> None:
        for name in self.site_of:
            if chance.random() < CORRECTED:
                session.add(
                    models.AttendanceCorrection(
                        employee_id=name,
                        business_date=self.day,
                        field="overtime_min",
                        after="30",
                        reason="Approved",
                        made_by="hr",
                        made_at=datetime.combine(self.day + DAY, time(), UTC),
                    )
                )

    def _blink(self, session: Session, chance: Random) -> None:
        """Let every camera fail once in the day, for a few minutes."""
        midnight = datetime.combine(self.day, time(), UTC)
        for site_id, cameras in self.cameras_of.items():
            for camera_id, _, zone_id in cameras:
                starts_at = midnight + timedelta(seconds=chance.randrange(86_400))
                ends_at = starts_at + timedelta(seconds=chance.randrange(10, 600))
                where = {"camera_id": camera_id, "site_id": site_id, "zone_id": zone_id}
                gap = models.CoverageGap(**where, starts_at=starts_at, ends_at=ends_at, reason="timeout")
                session.add(gap)

    # -- what was seen --------------------------------------------------------------------------------------

    def _watch(self, engine: Engine, chance: Random) -> int:
        with UnitOfWork(engine, writes=False) as work:
            known = people.by_id(work.session, self.site_of.keys())
            schedules = shifts.schedules(work.session, known, day_cutoff=CUTOFF)
        marks = self._sightings(schedules, chance)
        raw = engine.raw_connection()
        try:
            run = raw.cursor().execute
            run("PRAGMA synchronous=OFF")
            run("PRAGMA cache_size=-400000")
            kept = "FROM sqlite_master WHERE type = 'index' AND tbl_name = 'Event' AND sql IS NOT NULL"
            indexes = run(f"SELECT name, sql {kept}").fetchall()
            run("BEGIN")
            for name, _ in indexes:
                run(f'DROP INDEX "{name}"')  # made again afterwards: that is faster
            columns = ", ".join(f'"{name}"' for name in _ROW)
            statement = f'INSERT INTO "Event" ({columns}) VALUES ({", ".join("?" * len(_ROW))})'
            raw.cursor().executemany(statement, self._rows(marks, schedules, chance))
            for _, words in indexes:
                run(words)
            run("COMMIT")
            run("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            raw.close()
            engine.dispose()  # and with it what was set for this connection
        return len(marks)

    def _sightings(self, schedules: dict[str, Schedule], chance: Random) -> list[int]:
        """Return when everybody was seen, in order: milliseconds, and the number of the person."""
        at_work: list[tuple[int, ShiftDay]] = []
        for number, name in enumerate(self.site_of):
            shift_day = schedules[name].shift_on(self.day)
            if shift_day and not schedules[name].is_leave(self.day) and chance.random() > MISSING:
                at_work.append((number, shift_day))
        midnight = datetime.combine(self.day, time(), UTC)
        marks: list[int] = []
        left = self.events
        for place, (number, shift_day) in enumerate(at_work):
            count = left // (len(at_work) - place)
            left -= count
            starts = round((shift_day.starts_at - midnight).total_seconds() * 1000)
            length = round((shift_day.ends_at - shift_day.starts_at).total_seconds() * 1000)
            begin, end = starts - chance.randrange(900_000), starts + length + chance.randrange(1_800_000)
            if chance.random() < 0.1:
                begin = starts + chance.randrange(3_600_000)  # late
            marks += [(chance.randrange(begin, end) + 2 * 86_400_000) << 20 | number for _ in range(count)]
        return sorted(marks)

    def _rows(
        self, marks: list[int], schedules: dict[str, Schedule], chance: Random
    ) -> Iterator[tuple[Any, ...]]:
        base = datetime.combine(self.day - 2 * DAY, time(), UTC)
        names, sites = list(self.site_of), list(SITES)
        numbers: dict[str, int] = {}
        dates: dict[str, tuple[list[datetime], list[date]]] = {}
        for name in names:
            turns = schedules[name].turns(self.day - DAY, self.day + DAY)
            dates[name] = [at for at, _ in turns], [on for _, on in turns]
        for mark in marks:
            name = names[mark & 0xFFFFF]
            moment = base + timedelta(milliseconds=mark >> 20)
            site_id = self.site_of[name] if chance.random() > AWAY else chance.choice(sites)
            cameras = self.cameras_of.get(site_id) or self.cameras_of[sites[0]]
            camera_id, agent_id, zone_id = cameras[(number_of(name) + chance.randrange(3)) % len(cameras)]
            seq = numbers[agent_id] = numbers.get(agent_id, 0) + 1
            text = moment.isoformat(" ", "microseconds")[:26]
            starts, days = dates[name]
            day = days[bisect_right(starts, moment) - 1]
            seen = None if chance.random() < UNKNOWN else name
            yield (
                f"{agent_id}-bench-{seq}",
                agent_id,
                "bench",
                seq,
                site_id,
                zone_id,
                camera_id,
                f"t{seq}",
                KINDS[mark >> 20 & 3] if seen else "unknown",
                seen,
                0.5123,
                0.42,
                0.21,
                text,
                text,
                text,
                day.isoformat(),
                0,
                "ntp",
                0,
                12,
                0.81,
                "buffalo_m:0123456789ab",
                17,
                None,
                '{"zone": "Counter"}',
            )


def number_of(name: str) -> int:
    """Return a number that is the same in every process: around it lie the cameras that somebody passes."""
    return int(name.removeprefix("EMP")) * 7919

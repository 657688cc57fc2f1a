"""Random person-days written into a database, as HR, the cameras and the kiosk would have put them there."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from central_server.db import models
from central_server.db.base import Base
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Correction, DayFacts
from central_server.domain.intervals import Interval
from central_server.domain.shifts import Schedule, Shift
from tests import builders

LONG_BEFORE = timedelta(days=30)


def forget_everything(engine: Engine) -> None:
    with UnitOfWork(engine) as work:
        for table in reversed(Base.metadata.sorted_tables):
            work.session.execute(delete(table))


def store(engine: Engine, facts: DayFacts) -> dict[date, DayFacts]:
    """Write down the facts, and return by business date what of them each day has to be judged by.

    The record is complete up to facts.as_of, or to the last instant that was seen if that is later.
    """
    every = [*facts.seen_at, *(each.at for each in facts.punches)]
    facts = replace(facts, as_of=max([facts.as_of, *every]), timezone=None, is_in_area=False)
    known_at = facts.known_at or facts.as_of - LONG_BEFORE
    with UnitOfWork(engine) as work:
        session = work.session
        builders.a_site(session, timezone=str(facts.schedule.timezone))
        session.get_one(models.Zone, "plant-gate").is_entrance = True
        builders.an_employee(session, created_at=known_at, consent_at=known_at)
        _store_schedule(session, facts.schedule)
        moments = [(at, "seen") for at in facts.seen_at]
        moments += [(each.at, "in" if each.is_in else "out") for each in facts.punches]
        for seq, (at, kind) in enumerate(moments, start=1):
            session.add(_event(seq, at, kind, facts.schedule.business_date(at), facts.as_of))
        session.add_all(_gap(each) for each in facts.unwatched)
        session.add_all(
            _correction(each, facts.business_date)
            for each in sorted(facts.corrections, key=lambda one: one.made_at)
        )
    builders.all_healthy(engine, facts.as_of)
    dates = {facts.business_date, *(facts.schedule.business_date(at) for at in every)}
    return {day: _on(day, facts, known_at) for day in dates}


def _on(day: date, facts: DayFacts, known_at: datetime) -> DayFacts:
    is_of_day = facts.schedule.business_date
    return replace(
        facts,
        business_date=day,
        seen_at=[at for at in facts.seen_at if is_of_day(at) == day],
        punches=[each for each in facts.punches if is_of_day(each.at) == day],
        corrections=facts.corrections if day == facts.business_date else (),
        known_at=known_at,
    )


def _store_schedule(session: Session, schedule: Schedule) -> None:
    names: dict[str, list[str]] = {}  # the shifts that a break of a shift id is for

    def stored(shift: Shift | None) -> str:
        if shift is None:
            return "off"
        shift_id = f"s{len(list(session.scalars(select(models.Shift))))}"
        minutes = {
            "late_grace_min": shift.late_grace,
            "early_leave_grace_min": shift.early_leave_grace,
            "early_in_min": shift.early_in,
            "late_out_min": shift.late_out,
        }
        session.add(
            models.Shift(
                shift_id=shift_id,
                name=shift.name,
                starts=shift.starts,
                ends=shift.ends,
                weekdays=",".join(shift.weekdays),
                **{name: length // timedelta(minutes=1) for name, length in minutes.items()},
            )
        )
        session.flush()
        names.setdefault(shift.shift_id, []).append(shift_id)
        return shift_id

    for n, each in enumerate(schedule.assignments):
        row = models.ShiftAssignment(
            site_id="plant",
            employee_id="EMP001" if each.is_own else None,
            valid_from=each.valid_from,
            valid_to=each.valid_to,
        )
        if each.rotation is not None:
            pattern = ",".join(stored(shift) for shift in each.rotation.pattern)
            begins = each.rotation.starts_on
            session.add(models.Rotation(rotation_id=f"r{n}", name="R", starts_on=begins, pattern=pattern))
            row.rotation_id = f"r{n}"
        else:
            row.shift_id = stored(each.shift)
        session.flush()
        session.add(row)
        session.flush()
    for pause in schedule.breaks:
        for shift_id in [None] if pause.shift_id is None else names.get(pause.shift_id, []):
            session.add(
                models.BreakWindow(
                    site_id="plant",
                    shift_id=shift_id,
                    name=pause.name,
                    starts=pause.starts,
                    ends=pause.ends,
                    weekdays=",".join(pause.weekdays),
                    is_paid=pause.is_paid,
                    valid_from=pause.valid_from,
                    valid_to=pause.valid_to,
                )
            )
    session.add_all(models.Holiday(day=day, name="Holiday") for day in schedule.holidays)
    session.add_all(
        models.Leave(employee_id="EMP001", kind=x.kind, first_on=x.first_on, last_on=x.last_on)
        for x in schedule.leaves
    )


def _event(seq: int, at: datetime, kind: str, day: date, received_at: datetime) -> models.Event:
    return models.Event(
        event_id=f"plant-agent-e1-{seq}",
        agent_id="plant-agent",
        epoch="e1",
        seq=seq,
        site_id="plant",
        zone_id="plant-gate",
        camera_id="plant-cam",
        track_id="t",
        kind=kind,
        employee_id="EMP001",
        ts=at,
        last_seen=at,
        received_at=received_at,
        business_date=day,
    )


def _gap(gap: Interval) -> models.CoverageGap:
    place = {"camera_id": "plant-cam", "site_id": "plant", "zone_id": "plant-gate"}
    return models.CoverageGap(**place, starts_at=gap.start, ends_at=gap.end)


def _correction(said: Correction, day: date) -> models.AttendanceCorrection:
    return models.AttendanceCorrection(
        employee_id="EMP001",
        business_date=day,
        field=said.field,
        after=said.after,
        reason="asked",
        made_by="hr",
        made_at=said.made_at,
    )


def snapshot(engine: Engine, *tables: type) -> list[Sequence[object]]:
    """Return everything that the tables hold, in order."""
    with engine.connect() as connection:
        return [
            tuple(row)
            for table in tables
            for row in connection.execute(select(table.__table__).order_by(*table.__table__.primary_key))
        ]

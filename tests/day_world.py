"""What stories about days need: a site with people, events that arrive, and time that passes."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.carry_out_recompute import carry_out
from central_server.services.close_day import close_in_portions
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.plan_recompute import plan_recompute
from central_server.services.record_event import record_events
from common.events import Ack, RecognitionEvent
from tests import builders
from tests.builders import MONDAY, an_envelope, an_event

MINUTE = timedelta(minutes=1)
JAKARTA = ZoneInfo("Asia/Jakarta")


def at(clock: str, zone: str = "Asia/Jakarta", day: date = MONDAY) -> datetime:
    """Return the instant of a local clock time, of Monday where nothing else is said."""
    return datetime.combine(day, time.fromisoformat(clock), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def a_plant(engine: Engine) -> Engine:
    """A site with a day shift 08:00 to 17:00, Budi (EMP001) and his supervisor Sari (EMP900)."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        builders.an_employee(work.session, name="Budi Santoso")
        builders.a_supervisor(work.session, "EMP900", of="EMP001")
    return engine


def record(
    engine: Engine, events: Sequence[RecognitionEvent], now: datetime, agent_id: str = "plant-agent"
) -> Ack:
    with UnitOfWork(engine) as work:
        return record_events(agent_id, an_envelope(*events), work, builders.the_rules(), now=now)


def see(engine: Engine, *clocks: str, employee_id: str = "EMP001", first: int = 1, **more: Any) -> None:
    """Somebody is seen at those local times, and the server hears of each at once."""
    for seq, clock in enumerate(clocks, start=first):
        record(engine, [an_event(seq, employee_id, at(clock), **more)], now=at(clock))


def look(engine: Engine, now: datetime, site_id: str = "plant", **more: Any) -> None:
    """The presence of a site is evaluated, as the agents and cameras stand."""
    with UnitOfWork(engine) as work:
        evaluate_site(work, site_id, builders.the_rules(), now=now, **more)


def look_watched(
    engine: Engine, now: datetime, *, since: datetime | None = None, site_id: str = "plant"
) -> None:
    """The same when every agent has just reported, and every camera has watched (since then)."""
    builders.all_healthy(engine, now, since=since)
    look(engine, now, site_id)


def close(engine: Engine, now: datetime, site_id: str = "plant") -> None:
    builders.all_healthy(engine, now)
    close_in_portions(engine, site_id, builders.the_rules(), now=now)


def recompute(engine: Engine, now: datetime, first: date = MONDAY, last: date = MONDAY) -> None:
    """Do what `hadir server recompute --yes` does."""
    rules = builders.the_rules()
    plan = plan_recompute(engine, first, last, rules, now=now)
    carry_out(engine, plan, rules, actor="shell:test", now=lambda: now, pause=lambda: None)


def every(engine: Engine, table: type, **where: Any) -> list[Any]:
    with UnitOfWork(engine) as work:
        return list(work.session.scalars(select(table).filter_by(**where)))


def the_day(engine: Engine, employee_id: str = "EMP001", day: date = MONDAY) -> models.Attendance:
    [found] = every(engine, models.Attendance, employee_id=employee_id, business_date=day)
    return found


def where_is(engine: Engine, employee_id: str = "EMP001") -> tuple[str, str]:
    [found] = every(engine, models.Presence, employee_id=employee_id)
    return found.state, found.reason


def alerts(engine: Engine, kind: str = "out_of_area") -> list[models.Alert]:
    return every(engine, models.Alert, kind=kind)


def change(engine: Engine, table: type, key: Any, **values: Any) -> None:
    with UnitOfWork(engine) as work:
        row = work.session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)


def put(engine: Engine, *rows: Any) -> None:
    with UnitOfWork(engine) as work:
        work.session.add_all(rows)

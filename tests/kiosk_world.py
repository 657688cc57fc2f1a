"""A site with a kiosk, and people who punch at it."""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.give_badge import give_code, give_pin, new_code
from central_server.services.manage_kiosks import make_kiosk, open_kiosk
from central_server.services.record_punch import Punched, record_punch
from tests import builders
from tests.web_world import CHEAP_HASH, PASSWORD

NIGHT_BEFORE = builders.EIGHT_IN_JAKARTA - timedelta(hours=8)
_numbers = itertools.count(1)
PIN = PASSWORD  # any secret has a cheap hash of its own; the tests of a real PIN make a real one


def a_badge(
    engine: Engine, employee_id: str, *, pin_hash: str = CHEAP_HASH, now: datetime = NIGHT_BEFORE
) -> str:
    """Give somebody a PIN and a badge; return the badge's code."""
    code = new_code()
    with UnitOfWork(engine) as work:
        give_pin(work, employee_id, pin_hash, now=now, by="hr")
        give_code(work, employee_id, code, now=now, by="hr")
    return code


def a_kiosk(
    engine: Engine, name: str = "Door", *, site_id: str = "plant", now: datetime = NIGHT_BEFORE
) -> tuple[models.Kiosk, str]:
    """Make a kiosk that a tablet has opened; return it and the tablet's token."""
    with UnitOfWork(engine) as work:
        _, secret = make_kiosk(
            work, name=name, site_id=site_id, zone_id=f"{site_id}-gate", now=now, by="admin"
        )
    with UnitOfWork(engine) as work:
        return open_kiosk(work, secret, now=now)


@dataclass
class KioskWorld:
    """Ani, who does not consent, with a badge; the kiosk Door of the plant; a day shift."""

    engine: Engine
    kiosk: models.Kiosk
    token: str
    code: str

    def punch(self, now: datetime, *, is_in: bool, employee_id: str = "ANI", punch_id: str = "") -> Punched:
        with UnitOfWork(self.engine) as work:
            return record_punch(
                work,
                self.kiosk,
                employee_id,
                punch_id=punch_id or f"punch{next(_numbers):08}",
                is_in=is_in,
                by="badge",
                rules=builders.the_rules(),
                now=now,
            )

    def rows(self, table: Any) -> list[Any]:
        with UnitOfWork(self.engine) as work:
            return list(work.session.scalars(select(table)))

    def presence(self, employee_id: str = "ANI") -> models.Presence:
        with UnitOfWork(self.engine) as work:
            return work.session.get_one(models.Presence, employee_id)

    def attendance(self, employee_id: str = "ANI") -> models.Attendance:
        with UnitOfWork(self.engine) as work:
            found = select(models.Attendance).where(models.Attendance.employee_id == employee_id)
            return work.session.scalars(found).one()


def a_kiosk_world(engine: Engine) -> KioskWorld:
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        known = {"consent_at": None, "name": "Ani Lestari", "created_at": NIGHT_BEFORE}
        builders.an_employee(work.session, "ANI", is_enrolled=False, **known)
    code = a_badge(engine, "ANI")
    kiosk, token = a_kiosk(engine)
    return KioskWorld(engine, kiosk, token, code)

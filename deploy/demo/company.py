"""The company of the demo: one site, one zone, its people, a shift that is on now. Written once."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher
from sqlalchemy.orm import Session

from central_server.db import models
from deploy.demo.cast import Player

SITE, ZONE, SHIFT, TIMEZONE = "hq", "entrance", "demo-shift", "Asia/Jakarta"
SUPERVISOR, MANAGER, HR = "EMP010", "EMP011", "EMP012"
STAFF = (
    (SUPERVISOR, "Sari Dewi", "Finance", "6281234567801"),
    (MANAGER, "Hendra Gunawan", "Management", "6281234567802"),
    (HR, "Ratna Kusuma", "People", "6281234567803"),
)


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str


def found(session: Session, players: tuple[Player, ...], login: Login, now: datetime) -> None:
    """Write the company, as far as it is not there yet, and put the shift around now."""
    if session.get(models.Site, SITE) is None:
        session.add(
            models.Site(site_id=SITE, name="Kantor Pusat", timezone=TIMEZONE, report_at=_report_at(now))
        )
        session.flush()
        session.add(models.Zone(zone_id=ZONE, site_id=SITE, name="Entrance Zone", is_entrance=True))
        session.add(_user(login, now))
        _hire_staff(session, now)
        _choose_recipients(session)
    for player in players:
        if session.get(models.Employee, player.employee_id) is None:
            _hire(session, player, now)
    _open_shift(session, now)


def _report_at(now: datetime) -> time:
    """Return 17:30; a demo that begins later tells of its day in a quarter of an hour."""
    soon = (
        (now.astimezone(ZoneInfo(TIMEZONE)) + timedelta(minutes=15)).time().replace(second=0, microsecond=0)
    )
    return soon if soon > time(17, 30) else time(17, 30)


def _user(login: Login, now: datetime) -> models.User:
    return models.User(
        username=login.username,
        name="Ratna Kusuma",
        password_hash=PasswordHasher().hash(login.password),
        role="admin",
        language="id",
        created_at=now,
    )


def _hire_staff(session: Session, now: datetime) -> None:
    for code, name, department, phone in STAFF:
        session.add(
            models.Employee(
                employee_id=code,
                site_id=SITE,
                name=name,
                department=department,
                phone=phone,
                is_watched=False,
                created_at=now,
            )
        )
    session.flush()
    session.add(models.OrgHierarchy(employee_id=SUPERVISOR, supervisor_id=MANAGER, level=1))
    away = now.astimezone(ZoneInfo(TIMEZONE)).date() + timedelta(days=30)
    last = away + timedelta(days=2)
    session.add(models.Leave(employee_id=MANAGER, kind="trip", first_on=away, last_on=last, note="Surabaya"))


def _choose_recipients(session: Session) -> None:
    for role, (_, name, _, phone) in (("manager", STAFF[1]), ("hr", STAFF[2])):
        session.add(models.ReportRecipient(site_id=SITE, name=name, role=role, phone=phone, language="id"))


def _hire(session: Session, player: Player, now: datetime) -> None:
    session.add(
        models.Employee(
            employee_id=player.employee_id,
            site_id=SITE,
            name=player.name,
            department=player.department,
            created_at=now,
            consent_at=now,
            consent_by="demo",
        )
    )
    session.flush()
    for level, boss in ((1, SUPERVISOR), (2, MANAGER)):
        session.add(models.OrgHierarchy(employee_id=player.employee_id, supervisor_id=boss, level=level))


def _open_shift(session: Session, now: datetime) -> None:
    """Let everybody's shift begin a minute before the day's first demo: the rules about people apply now."""
    local = now.astimezone(ZoneInfo(TIMEZONE))
    shift = session.get(models.Shift, SHIFT)
    if shift is None:
        shift = models.Shift(
            shift_id=SHIFT, name="Demo shift", starts=local.time(), ends=local.time(), early_in_min=60
        )
        session.add(shift)
        session.flush()
        session.add(models.ShiftAssignment(site_id=SITE, shift_id=SHIFT))
    elif _is_on(shift, local):
        return
    shift.weekdays = "mon,tue,wed,thu,fri,sat,sun"
    shift.starts = (local - timedelta(minutes=1)).time().replace(second=0, microsecond=0)
    shift.ends = (local + timedelta(hours=9)).time().replace(second=0, microsecond=0)


def _is_on(shift: models.Shift, local: datetime) -> bool:
    """Tell whether the shift still has an hour to go."""
    begun = (local - local.replace(hour=shift.starts.hour, minute=shift.starts.minute)) % timedelta(days=1)
    return begun < timedelta(hours=8)

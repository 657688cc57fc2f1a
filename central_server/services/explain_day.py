"""Explain a person-day: gather what is on record about it, and let the rules tell how it came about."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from central_server.config import RulesConfig
from central_server.db.models import (
    Alert,
    AttendanceCorrection,
    Camera,
    Dispute,
    Holiday,
    HrisPush,
    Kiosk,
    Site,
    Zone,
)
from central_server.db.models import Attendance as Row
from central_server.db.stores import attendance, coverage, events, people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import Kind
from central_server.domain.attendance import DayFacts
from central_server.domain.day_figures import day_account
from central_server.domain.day_reasons import doubts
from central_server.domain.evidence import (
    AlertRaised,
    Blind,
    CorrectionMade,
    DisputeNoted,
    Evidence,
    Look,
    Revision,
    Step,
)
from central_server.domain.explanation import Explanation, explain
from central_server.domain.intervals import Interval
from central_server.domain.overtime import OvertimeWarning, overtime_warnings
from central_server.domain.people import Person
from central_server.domain.shifts import Schedule
from central_server.services.approve_overtime import overtime_of_week
from central_server.services.await_agents import complete_for, recorded_at
from central_server.services.gather_day import facts_of_day, sites_of_day

PersonDay = tuple[str, date]  # employee_id, business_date


class UnknownPerson(Exception):
    """Nobody has this code."""


def explain_day(
    work: UnitOfWork, employee_id: str, day: date, rules: RulesConfig, *, now: datetime
) -> Explanation:
    """Return how the person-day came about, as far as is known now. Changes nothing. Raises UnknownPerson."""
    person = people.by_id(work.session, {employee_id}).get(employee_id)
    if person is None:
        raise UnknownPerson(f"nobody has the code {employee_id}")
    schedule = shifts.schedules(work.session, {employee_id: person}, day_cutoff=rules.day_cutoff)[employee_id]
    facts = _facts(work, person, day, schedule, rules, now)
    return explain(replace(_evidence(work, person, day, facts, rules), asked_at=now))


def doubts_about(
    work: UnitOfWork, days: Iterable[PersonDay], rules: RulesConfig, *, now: datetime
) -> dict[PersonDay, tuple[Step, ...]]:
    """Return, of each person-day, the gaps in the watch that make it uncertain."""
    wanted = sorted(days)
    known = people.by_id(work.session, {employee_id for employee_id, _ in wanted})
    schedules = shifts.schedules(work.session, known, day_cutoff=rules.day_cutoff)
    found = {}
    for employee_id, day in wanted:
        if person := known.get(employee_id):
            facts = _facts(work, person, day, schedules[employee_id], rules, now)
            found[employee_id, day] = tuple(doubts(day_account(facts), facts))
    return found


def _facts(
    work: UnitOfWork, person: Person, day: date, schedule: Schedule, rules: RulesConfig, now: datetime
) -> DayFacts:
    """Return the facts as a recomputation would take them: what was closed stays closed."""
    complete_to = complete_for(person, day, recorded_at(work, [person.site_id], now))
    kept = attendance.get(work.session, person.employee_id, day)
    if kept is not None and not kept.is_provisional:
        complete_to = max(complete_to, schedule.closes_at(day))
    return facts_of_day(work, person, day, schedule, rules, complete_to=complete_to)


def _evidence(work: UnitOfWork, person: Person, day: date, facts: DayFacts, rules: RulesConfig) -> Evidence:
    session = work.session
    site = session.get(Site, person.site_id)
    return Evidence(
        name=person.name,
        site_name=site.name if site else person.site_id,
        facts=facts,
        looks=_looks(work, person.employee_id, day),
        gaps=_gaps(work, _sites(work, person, day, facts), day, facts),
        holiday=_holiday(work, person.site_id, day),
        known_by=_known_by(person),
        kept=attendance.get(session, person.employee_id, day),
        corrections=_corrections(work, person.employee_id, day),
        disputes=_disputes(work, person.employee_id, day),
        alerts=_alerts(work, person.employee_id, day),
        revisions=_revisions(work, person.employee_id, day),
        overtime_warnings=_warnings(work, person.employee_id, day, rules),
    )


def _known_by(person: Person) -> str:
    """Return by what the person is on record."""
    if person.has_consent and person.is_enrolled:
        return "both" if person.has_badge else "face"
    return "badge" if person.has_badge else ""


def _looks(work: UnitOfWork, employee_id: str, day: date) -> list[Look]:
    session = work.session
    cameras = dict(session.execute(select(Camera.camera_id, Camera.name)).all())
    cameras |= dict(session.execute(select(Kiosk.kiosk_id, Kiosk.name)).all())
    zones = _zones(work)
    return [
        Look(
            each.at,
            cameras.get(each.camera_id) or each.camera_id,
            zones.get(each.zone_id or "", ""),
            each.kind if each.is_punch else "seen",
        )
        for each in events.of_day(session, employee_id, day)
    ]


def _sites(work: UnitOfWork, person: Person, day: date, facts: DayFacts) -> set[str]:
    as_of, unseen_after = facts.as_of, facts.merge_gap
    return sites_of_day(work, person, day, facts.schedule, as_of=as_of, unseen_after=unseen_after)


def _gaps(work: UnitOfWork, site_ids: Iterable[str], day: date, facts: DayFacts) -> list[Blind]:
    """Return every camera's gaps around the shift; a day without a shift has nothing that they decide.

    Those that the day does not take into account, e.g. of somebody who punches, decide nothing.
    """
    shift_day = facts.schedule.shift_on(day)
    if shift_day is None or facts.as_of <= shift_day.opens_at:
        return []
    span = Interval(shift_day.opens_at, min(shift_day.closes_at, facts.as_of))
    cameras = dict(work.session.execute(select(Camera.camera_id, Camera.name)).all())
    zones = _zones(work)
    return [
        Blind(
            cameras.get(each.camera_id) or each.camera_id,
            zones.get(each.zone_id or "", ""),
            each.interval,
            each.reason,
            each.is_decisive and any(each.interval.overlap(one) for one in facts.unwatched),
        )
        for site_id in sorted(site_ids)
        for each in coverage.gaps(work.session, site_id, span)
    ]


def _zones(work: UnitOfWork) -> dict[str, str]:
    return dict(work.session.execute(select(Zone.zone_id, Zone.name)).all())


def _holiday(work: UnitOfWork, site_id: str, day: date) -> str:
    wanted = select(Holiday.name).where(
        Holiday.day == day, (Holiday.site_id == site_id) | Holiday.site_id.is_(None)
    )
    return ", ".join(work.session.scalars(wanted.order_by(Holiday.id)))


def _corrections(work: UnitOfWork, employee_id: str, day: date) -> list[CorrectionMade]:
    wanted = select(AttendanceCorrection).where(
        AttendanceCorrection.employee_id == employee_id, AttendanceCorrection.business_date == day
    )
    return [
        CorrectionMade(
            field=row.field,
            before=row.before,
            after=row.after,
            reason=row.reason,
            made_by=row.made_by,
            made_at=row.made_at,
        )
        for row in work.session.scalars(wanted.order_by(AttendanceCorrection.id))
    ]


def _disputes(work: UnitOfWork, employee_id: str, day: date) -> list[DisputeNoted]:
    wanted = select(Dispute).where(Dispute.employee_id == employee_id, Dispute.business_date == day)
    return [
        DisputeNoted(
            dispute_id=row.id,
            words=row.words,
            noted_by=row.noted_by,
            noted_at=row.noted_at,
            answer=row.answer,
            settled_by=row.settled_by,
            settled_at=row.settled_at,
        )
        for row in work.session.scalars(wanted.order_by(Dispute.id))
    ]


def _alerts(work: UnitOfWork, employee_id: str, day: date) -> list[AlertRaised]:
    """Return the alerts about the person on the business date, which their keys tell."""
    about = f"{Kind.OUT_OF_AREA.value}:{employee_id}:{day}:"
    wanted = select(Alert).where(
        Alert.employee_id == employee_id, Alert.dedupe_key.startswith(about, autoescape=True)
    )
    return [
        AlertRaised(
            alert_id=row.alert_id,
            opened_at=row.ts,
            last_seen=row.last_seen,
            closed_at=row.closed_at,
            close_reason=row.close_reason,
            contradicted_by=row.contradicted_by,
        )
        for row in work.session.scalars(wanted.order_by(Alert.ts))
    ]


def _revisions(work: UnitOfWork, employee_id: str, day: date) -> list[Revision]:
    """Return the versions of the day that are known: those given to the HRIS, and the one that stands."""
    wanted = select(HrisPush).where(HrisPush.employee_id == employee_id, HrisPush.business_date == day)
    found = {}
    for push in work.session.scalars(wanted.order_by(HrisPush.id)):
        said: dict[str, Any] = push.payload.get("data", {})
        found[push.revision] = Revision(
            number=push.revision, at=push.created_at, changes=said.get("changes", {}), pushed=push.state
        )
    row = work.session.scalar(select(Row).where(Row.employee_id == employee_id, Row.business_date == day))
    if row is not None:
        pushed = found[row.revision].pushed if row.revision in found else ""
        changes = dict(row.changes) if row.revision > 1 else {}
        found[row.revision] = Revision(number=row.revision, at=row.updated_at, changes=changes, pushed=pushed)
    return [found[number] for number in sorted(found)]


def _warnings(work: UnitOfWork, employee_id: str, day: date, rules: RulesConfig) -> list[OvertimeWarning]:
    """Return the caps that this day, or its week, is above."""
    found = overtime_warnings(overtime_of_week(work, employee_id, day, rules))
    return [each for each in found if each.per == "week" or each.day == day]

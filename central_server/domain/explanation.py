"""One person-day explained: what was known, which rules applied, and how each figure came about.

Nothing here is in words of a language: a step is a code with its values, and pages and commands say it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo

from central_server.domain import day_reasons as reasons
from central_server.domain.attendance import Attendance, DayAccount, Status
from central_server.domain.day_figures import day_account
from central_server.domain.day_reasons import Figure
from central_server.domain.day_rules import rules
from central_server.domain.day_view import View
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
from central_server.domain.intervals import Interval
from central_server.domain.overtime import OvertimeWarning
from central_server.domain.unrecorded import NOT_ON_RECORD, NOTHING_TOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of the timeline."""

    kind: str  # shift | break | stay | odd_stay | gap | in | out
    time: Interval
    label: str = ""  # the name of the shift, the break or the kiosk, or the cameras in order
    zones: str = ""
    note: Step | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    employee_id: str
    name: str
    business_date: date
    timezone: tzinfo
    day: Attendance  # as it follows from everything known now
    kept: Attendance | None  # the row as it is stored; None: there is none
    is_stale: bool  # the row says something else: it will be computed again
    without_corrections: Attendance | None  # None: nothing was corrected
    rules: tuple[Step, ...]
    pieces: tuple[Piece, ...]  # by time
    figures: tuple[Figure, ...]
    why_status: tuple[Step, ...]
    doubts: tuple[Step, ...]  # why it is not verified
    closing: Step  # until when it is provisional, or that it is not
    overtime_warnings: tuple[OvertimeWarning, ...]
    corrections: tuple[CorrectionMade, ...]
    disputes: tuple[DisputeNoted, ...]
    alerts: tuple[AlertRaised, ...]
    revisions: tuple[Revision, ...]

    @property
    def status(self) -> str:
        """Return what the day is called: a Status, not_on_record, or none, where nothing is told so far."""
        why = {each.code for each in self.why_status}
        if self.day.status is Status.NOT_STARTED and "nothing_told_yet" in why:
            return NOTHING_TOLD
        is_new = self.day.status is Status.OFF and "new_on_record" in why
        return NOT_ON_RECORD if is_new else self.day.status.value

    @property
    def open_disputes(self) -> int:
        return sum(each.settled_at is None for each in self.disputes)


def explain(evidence: Evidence) -> Explanation:
    """Return the explanation that follows from the evidence, and from nothing else."""
    facts = evidence.facts
    account = day_account(facts)
    day, kept = account.attendance, evidence.kept
    view = View(evidence, account)
    bare = day_account(replace(facts, corrections=())).attendance if facts.corrections else None
    return Explanation(
        employee_id=facts.employee_id,
        name=evidence.name,
        business_date=facts.business_date,
        timezone=view.timezone,
        day=day,
        kept=kept,
        is_stale=kept is not None and not kept.is_provisional and kept != day,
        without_corrections=bare,
        rules=tuple(rules(view)),
        pieces=pieces(evidence, account),
        figures=reasons.figures(view),
        why_status=tuple(reasons.why_status(view)),
        doubts=tuple(reasons.doubts(account, facts)),
        closing=reasons.closing(view),
        overtime_warnings=tuple(evidence.overtime_warnings),
        corrections=tuple(evidence.corrections),
        disputes=tuple(evidence.disputes),
        alerts=tuple(evidence.alerts),
        revisions=tuple(evidence.revisions),
    )


def pieces(evidence: Evidence, account: DayAccount) -> tuple[Piece, ...]:
    """Return what the timeline shows, by time; what counts before what does not."""
    found: list[Piece] = []
    if shift_day := account.shift_day:
        worked = Interval(shift_day.starts_at, shift_day.ends_at)
        found.append(Piece(kind="shift", time=worked, label=shift_day.shift.name))
        for each in shift_day.pauses:
            paid = Step("break_is_paid" if each.is_paid else "break_is_unpaid")
            found.append(Piece(kind="break", time=each.time, label=each.name, note=paid))
    found += [_stay(each, "stay", evidence.looks) for each in account.stays]
    found += [_stay(each, "odd_stay", evidence.looks) for each in account.odd_stays]
    found += [_gap(each) for each in evidence.gaps]
    found += [
        Piece(kind=each.kind, time=Interval(each.at, each.at), label=each.camera, zones=each.zone)
        for each in evidence.looks
        if each.is_punch
    ]
    return tuple(sorted(found, key=lambda each: (each.time.start, each.time.end)))


def _stay(time: Interval, kind: str, looks: Sequence[Look]) -> Piece:
    seen = sorted((each for each in looks if time.start <= each.at <= time.end), key=lambda each: each.at)
    note = Step("outside_window") if kind == "odd_stay" else None
    cameras = ", ".join(dict.fromkeys(each.camera for each in seen if each.camera))
    zones = ", ".join(dict.fromkeys(each.zone for each in seen if each.zone))
    return Piece(kind=kind, time=time, label=cameras, zones=zones, note=note)


def _gap(each: Blind) -> Piece:
    note = Step("gap_decides" if each.is_decisive else "gap_does_not_decide", {"reason_code": each.reason})
    return Piece(kind="gap", time=each.time, label=each.camera, zones=each.zone, note=note)

"""A person-day in words: each step of its explanation, its figures, and what was corrected or revised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from flask_babel import LazyString
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from central_server.blueprints import wording
from central_server.blueprints.formats import day as day_in_words
from central_server.blueprints.formats import duration
from central_server.domain.evidence import Step
from central_server.domain.leave_privacy import told_to_all
from central_server.domain.overtime import OvertimeWarning

FIGURES: Mapping[str, LazyString] = {
    "first_in": lazy("First in"),
    "last_out": lazy("Last out"),
    "late": lazy("Late"),
    "early_leave": lazy("Left early"),
    "breaks": lazy("Unpaid breaks"),
    "work": lazy("Working hours"),
    "overtime": lazy("Overtime"),
    "in_area": lazy("Time in the area"),
    "span": lazy("First in to last out"),
}
PIECES: Mapping[str, LazyString] = {
    "shift": lazy("Shift"),
    "break": lazy("Break"),
    "stay": lazy("In the area"),
    "odd_stay": lazy("In the area, does not count"),
    "gap": lazy("Not watched"),
    "in": lazy("Clocked in"),
    "out": lazy("Clocked out"),
}
LANES: Mapping[str, LazyString] = {"shift": PIECES["shift"], "stay": PIECES["stay"], "gap": PIECES["gap"]}
LEGEND: Mapping[str, LazyString] = {
    **PIECES,
    "in": lazy("Clocked in or out"),
    "gap": lazy("Not watched: somebody could come or go unseen"),
    "idle_gap": lazy("Not watched here, but by another camera"),
}
NEEDS: Mapping[str, wording.Word] = {
    "dispute": wording.Word(lazy("Disputed"), "bad", "chat", lazy("The employee waits for an answer.")),
    "incomplete": wording.Word(
        lazy("Incomplete"), "warn", "question", lazy("No hours can be told: ask, then correct it.")
    ),
    "unverified": wording.Word(
        lazy("Not certain"), "warn", "camera", lazy("Nobody watched when it mattered, so doubt counted.")
    ),
    "overtime": wording.Word(
        lazy("Overtime waits"), "info", "clock", lazy("Half an hour or more that nobody has decided on.")
    ),
    "cap": wording.Word(lazy("Too much overtime"), "bad", "triangle", lazy("More than the law allows.")),
}
PUSHES: Mapping[str, LazyString] = {
    "pending": lazy("waiting to be sent"),
    "done": lazy("received"),
    "failed": lazy("failed"),
}
LEAVE_KINDS: Mapping[str, LazyString] = {
    "leave": lazy("leave"),
    "annual": lazy("annual leave"),
    "sick": lazy("sick leave"),
    "maternity": lazy("maternity leave"),
    "unpaid": lazy("unpaid leave"),
    "trip": lazy("business trip"),
}
FIELDS: Mapping[str, LazyString] = {
    "first_in_ts": lazy("First in"),
    "last_out_ts": lazy("Last out"),
    "status": lazy("Status"),
    "overtime_min": lazy("Overtime"),
    "overtime_paid_min": lazy("Overtime that counts"),
    "late_min": lazy("Late"),
    "early_leave_min": lazy("Left early"),
    "seconds": lazy("Time in the area"),
    "span_seconds": lazy("First in to last out"),
    "break_seconds": lazy("Unpaid breaks"),
    "work_seconds": lazy("Working hours"),
    "is_provisional": lazy("Provisional"),
    "is_verified": lazy("Certain"),
    "leave_kind": lazy("Leave"),
    "shift_id": lazy("Shift"),
    "site_id": lazy("Site"),
    "timezone": lazy("Time zone"),
}

STEPS: Mapping[str, LazyString] = {
    # the rules
    "site": lazy("%(site)s, in the time zone %(timezone)s."),
    "elsewhere_that_day": lazy("Seen first at a site in another time zone; at home it is %(timezone)s."),
    "no_shift": lazy("No shift on this day."),
    "shift": lazy("Shift %(name)s, %(start)s to %(end)s."),
    "own_shift": lazy("It is the person's own shift."),
    "own_shift_since": lazy("It is the person's own shift since %(since)s."),
    "default_shift": lazy("It is the site's shift for everybody without their own."),
    "default_shift_since": lazy("It is the site's shift for everybody without their own, since %(since)s."),
    "own_rotation": lazy("It follows from the person's own rotation %(name)s."),
    "own_rotation_since": lazy("It follows from the person's own rotation %(name)s, since %(since)s."),
    "default_rotation": lazy("It follows from the site's rotation %(name)s."),
    "default_rotation_since": lazy("It follows from the site's rotation %(name)s, since %(since)s."),
    "window": lazy("Who is seen between %(start)s and %(end)s is seen for this shift."),
    "graces": lazy("Coming %(late)s min late, or going %(early)s min early, is not held against anybody."),
    "paid_break": lazy("Break %(name)s, %(start)s to %(end)s, counts as work."),
    "unpaid_break": lazy("Break %(name)s, %(start)s to %(end)s, does not count as work."),
    "is_holiday": lazy("Holiday: %(name)s."),
    "on_leave": lazy("%(kind)s, %(first)s to %(last)s."),
    "merge_gap": lazy("Who is not seen for up to %(minutes)s min counts as there the whole time."),
    "overtime_needs_approval": lazy("Overtime counts as far as HR has approved it."),
    "overtime_is_counted": lazy("Overtime counts as it is."),
    "known_since": lazy("On record, with consent, since %(known)s."),
    "known_by_badge_since": lazy("On record, with a PIN or a badge, since %(known)s."),
    "known_by_both_since": lazy("On record, by face or with a PIN or a badge, since %(known)s."),
    "listed_since": lazy("On the list since %(known)s; neither known by face nor with a PIN or a badge."),
    "new_on_record": lazy("On record only since %(known)s: before, nothing is known."),
    # when somebody came and went
    "not_seen": lazy("Not seen by any camera, and not clocked in."),
    "only_punched_out": lazy("Only clocked out, at %(at)s: when the person came is not known."),
    "only_punched_in": lazy("Only clocked in, at %(at)s: when the person went is not known."),
    "seen_outside_only": lazy("Not seen during the time of the shift."),
    "first_by_camera": lazy("Seen first at %(at)s by %(camera)s."),
    "first_punch": lazy("Recorded at %(at)s at the kiosk %(camera)s."),
    "first_seen": lazy("Seen first at %(at)s."),
    "last_by_camera": lazy("Seen last at %(at)s by %(camera)s."),
    "last_punch": lazy("Recorded at %(at)s at the kiosk %(camera)s."),
    "last_seen": lazy("Seen last at %(at)s."),
    "time_corrected": lazy("Set to %(at)s by %(by)s on %(made)s: %(reason)s"),
    "no_times_when_away": lazy("HR says that the person was not at work, so there are no times."),
    "odd_stay": lazy(
        "In the area %(start)s–%(end)s too: that does not count, as it is outside %(opens)s–%(closes)s."
    ),
    "still_here": lazy("Still in the area."),
    "shift_begins": lazy("The shift begins at %(at)s; %(grace)s min of grace."),
    "shift_ends": lazy("The shift ends at %(at)s; %(grace)s min of grace."),
    "came": lazy("Came at %(at)s."),
    "went": lazy("Went at %(at)s."),
    "in_time": lazy("So in time."),
    "came_after_the_shift": lazy("That is after the shift, so it is not called late."),
    "nobody_watched": lazy("Nobody watched the entrance %(start)s–%(end)s."),
    "at_best_came": lazy("So the person may have come at %(at)s already; in doubt that counts."),
    "at_best_went": lazy("So the person may have stayed until %(at)s; in doubt that counts."),
    "late_by": lazy("%(minutes)s min late."),
    "not_proven_late": lazy("So not late, as far as can be proven."),
    "early_by": lazy("Left %(minutes)s min early."),
    "not_proven_early": lazy("So not early, as far as can be proven."),
    "shift_not_over": lazy("The shift is not over."),
    "stayed_to_the_end": lazy("So to the end."),
    "not_there_in_the_shift": lazy("Not there during the working time itself."),
    # the hours
    "no_breaks": lazy("No breaks on this day."),
    "less_break": lazy("%(name)s, %(start)s–%(end)s: %(length)s taken off."),
    "break_not_reached": lazy("%(name)s, %(start)s–%(end)s: the person was not there, nothing taken off."),
    "within_the_shift": lazy("Within the shift, %(start)s–%(end)s: %(length)s."),
    "less_breaks": lazy("Less unpaid breaks: %(length)s."),
    "plus_overtime": lazy("Plus overtime that counts: %(length)s."),
    "comes_to": lazy("Together %(length)s."),
    "only_overtime_counts": lazy("No working day: only overtime counts."),
    "no_hours_agreed": lazy("No working hours are agreed, so all of the time from first to last counts."),
    "seen_once": lazy("Seen at one moment only: how long the person was there cannot be told."),
    "one_time_only": lazy("Only one of the two times is known, so nothing is counted."),
    "times_do_not_fit": lazy("The last time lies before the first one: no hours can be told."),
    "stay": lazy("%(start)s–%(end)s: %(length)s."),
    "more_stays": lazy("And %(count)s more stays."),
    "from_first_to_last": lazy("%(start)s to %(end)s."),
    "no_overtime": lazy("None."),
    "after_the_shift": lazy("After the end of the shift, %(start)s–%(end)s."),
    "day_off_is_overtime": lazy("No working day, so all of the time is overtime."),
    "overtime_waits": lazy("It waits for HR's approval."),
    "overtime_approved": lazy("%(length)s approved by %(by)s on %(made)s: %(reason)s"),
    "overtime_counts": lazy("%(length)s counts as work."),
    # the status
    "status_corrected": lazy("Set to “%(status)s” by %(by)s on %(made)s: %(reason)s"),
    "nothing_told_yet": lazy("Nothing is told yet of the time after %(recorded)s, so nobody is missed."),
    "shift_not_begun": lazy("The shift begins only at %(at)s."),
    "watched_all_the_time": lazy("No gap in the watch puts that in doubt."),
    "watched_enough": lazy(
        "Nobody watched the entrance for %(blind)s of %(whole)s min of the working time so far: "
        "less than half."
    ),
    "watched_too_little": lazy(
        "Nobody watched the entrance for %(blind)s of %(whole)s min of the working time so far: more than "
        "half, so nobody is called absent."
    ),
    "was_there": lazy("There, and not late."),
    "came_on_a_day_off": lazy("There on a day off."),
    "is_final": lazy("Final: only late news or a correction can change it."),
    "provisional_until": lazy("Provisional until %(at)s; the record is complete up to %(recorded)s."),
    # the timeline
    "break_is_paid": lazy("counts as work"),
    "break_is_unpaid": lazy("does not count as work"),
    "outside_window": lazy("outside the time of the shift"),
    "gap_decides": lazy("somebody could come or go unseen (%(reason_code)s)"),
    "gap_does_not_decide": lazy("elsewhere somebody watched (%(reason_code)s)"),
}


@dataclass(frozen=True)
class Speaker:
    """Says steps in the language of the request, with times of one place and day."""

    day: date
    zone: tzinfo
    say_day: Callable[[date], str] = day_in_words
    sees_kinds: bool = True  # of leave: else only that it is one, or a trip

    def step(self, step: Step) -> str:
        values = {name: self._value(name, value) for name, value in step.values.items()}
        if {"start", "end"} <= values.keys():
            values["start"] = self.start(values["start"], values["end"])
        words = str(STEPS[step.code]) if step.code in STEPS else step.code
        said = words % values
        return said[:1].upper() + said[1:] if step.code == "on_leave" else said

    @staticmethod
    def start(start: str, end: str) -> str:
        """Return the start of a span as it stands before its end: the day of both is told once."""
        time, _gap, day = start.partition(" ")
        return time if day and end.endswith(f" {day}") else start

    def span(self, start: datetime, end: datetime) -> str:
        ends = self.clock(end)
        return f"{self.start(self.clock(start), ends)}–{ends}" if start != end else ends

    def clock(self, at: datetime | None) -> str:
        """Return the local time, with the date where it is another day's."""
        if at is None:
            return "–"
        local = at.astimezone(self.zone)
        return (
            f"{local:%H:%M}" if local.date() == self.day else f"{local:%H:%M} ({self.say_day(local.date())})"
        )

    def moment(self, at: datetime | None) -> str:
        """Return date and local time."""
        local = at.astimezone(self.zone) if at else None
        return f"{self.say_day(local.date())}, {local:%H:%M}" if local else "–"

    def figure(self, value: datetime | timedelta | None) -> str:
        return self.clock(value) if isinstance(value, datetime) else duration(_seconds(value))

    def kept(self, field: str, value: Any) -> str:
        """Return a value of a correction or a revision: as it is stored, or as JSON keeps it."""
        if value in ("", None):
            return "–"
        if field.endswith("_ts"):
            return self.clock(datetime.fromisoformat(str(value)))
        if field == "status":
            return str(wording.word(wording.ATTENDANCE, str(value)).label)
        if field == "leave_kind":
            return self.leave_kind(str(value))
        if isinstance(value, bool):
            return _("Yes") if value else _("No")
        if field.endswith("_min"):
            return duration(60 * int(value))
        return duration(int(value)) if field.endswith("seconds") else str(value)

    def warning(self, warning: OvertimeWarning) -> str:
        """Return what the law says, and what this is."""
        values = {"is": duration(60 * warning.minutes), "most": duration(60 * warning.most)}
        law = _("the law allows %(most)s (PP 35/2021, article 26)", most=values["most"])
        if warning.per == "day":
            return _("%(is)s of overtime on one day: %(law)s.", law=law, **values)
        week = self.say_day(warning.day)
        return _("%(is)s of overtime in the week from %(monday)s: %(law)s.", law=law, monday=week, **values)

    def leave_kind(self, code: str) -> str:
        return leave_kind(code if self.sees_kinds else told_to_all(code))

    def _value(self, name: str, value: Any) -> str:
        if isinstance(value, datetime):
            return self.moment(value) if name in ("made", "known") else self.clock(value)
        if isinstance(value, date):
            return self.say_day(value)
        if isinstance(value, timedelta):
            return duration(value.total_seconds())
        if name == "status":
            return str(wording.word(wording.ATTENDANCE, str(value)).label)
        if name == "kind":
            return self.leave_kind(str(value))
        return gap_reason(str(value)) if name == "reason_code" else str(value)


def leave_kind(code: str) -> str:
    """Return what the leave is called; a word of the company's own stands for itself."""
    return str(LEAVE_KINDS.get(code, code))


def gap_reason(code: str) -> str:
    """Return in a few words why a camera did not watch."""
    return str(GAP_REASONS.get(code, code or _("reason unknown")))


GAP_REASONS: Mapping[str, LazyString] = {
    "agent": lazy("the box beside it, or its line, was away"),
    "new": lazy("no camera had watched here before"),
    "lost": lazy("the box ran full and had to drop what it saw"),
    "offline": lazy("the camera was not connected"),
    "degraded": lazy("the picture was bad"),
    "dark": lazy("the picture was dark"),
    "covered": lazy("something covered the lens"),
    "frozen": lazy("the picture was frozen"),
    "moved": lazy("the camera had been moved"),
    "auth": lazy("the camera refused the password"),
    "timeout": lazy("the camera did not answer"),
    "refused": lazy("the camera refused the connection"),
    "stalled": lazy("no new pictures came"),
    "decode": lazy("the picture could not be decoded"),
    "dns": lazy("the camera's name was not found"),
    "ended": lazy("the recording had ended"),
}


def _seconds(value: timedelta | None) -> float | None:
    return value.total_seconds() if value is not None else None

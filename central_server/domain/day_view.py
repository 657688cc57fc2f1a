"""One person-day at hand while it is explained: the evidence beside what it comes to."""

from dataclasses import replace
from datetime import datetime, timedelta

from central_server.domain.attendance import AWAY, DayAccount
from central_server.domain.evidence import Evidence, Look, Step


class View:
    """The evidence of one person-day beside what it comes to."""

    def __init__(self, evidence: Evidence, account: DayAccount) -> None:
        self.evidence, self.account = evidence, account
        self.facts, self.day = evidence.facts, account.attendance
        self.shift_day, self.stays = account.shift_day, account.stays
        self.timezone = self.facts.timezone or self.facts.schedule.timezone
        self.schedule = replace(self.facts.schedule, timezone=self.timezone)
        self.leave = self.schedule.leave_on(self.facts.business_date)
        self.is_holiday = self.schedule.is_holiday(self.facts.business_date)
        made = sorted(evidence.corrections, key=lambda each: each.made_at)
        latest = {each.field: each for each in made}  # the last one for a field counts
        self.said = {name: each for name, each in latest.items() if each.after}
        self.first = self.day.first_in_ts
        is_over = self.facts.as_of >= self.schedule.closes_at(self.facts.business_date)
        is_told = is_over or self.is_away or "last_out_ts" in self.said
        self.is_here = self.facts.is_in_area and not is_told
        self.last = self.day.last_out_ts or (self.stays[-1].end if self.is_here and self.stays else None)

    @property
    def is_working(self) -> bool:
        return self.shift_day is not None and not self.is_holiday

    @property
    def is_away(self) -> bool:
        """Tell whether HR says that the person was not at work: then there are no times."""
        said = self.said.get("status")
        return said is not None and said.after in AWAY

    @property
    def has_both_times(self) -> bool:
        """Tell whether anything can be counted: from a first to a last time."""
        return self.first is not None and self.last is not None and self.first < self.last

    @property
    def was_at_work(self) -> bool:
        shift_day = self.shift_day
        if shift_day is None or self.first is None or self.last is None:
            return False
        return self.first < shift_day.ends_at and self.last > shift_day.starts_at

    @property
    def is_behind(self) -> bool:
        """Tell whether the person is due by the clock, while the record does not reach so far yet."""
        asked_at, shift_day = self.evidence.asked_at, self.shift_day
        if asked_at is None or shift_day is None:
            return False
        return asked_at >= shift_day.starts_at + shift_day.shift.late_grace

    def not_expected(self) -> Step | None:
        """Return why the person did not have to come, or None."""
        if self.shift_day is None:
            return Step("no_shift")
        if self.is_holiday:
            return Step("is_holiday", {"name": self.evidence.holiday})
        if self.leave:
            return self.leave_step()
        known_at = self.facts.known_at
        if known_at and known_at > self.shift_day.starts_at + self.shift_day.shift.late_grace:
            return Step("new_on_record", {"known": known_at})
        return None

    def why_no_time(self) -> Step:
        """Return why it is not known when the person came, or went."""
        if self.is_away:
            return Step("no_times_when_away")
        if self.stays and self.first is None:
            return Step("only_punched_out", {"at": self.stays[0].start})
        if self.stays:
            return Step("only_punched_in", {"at": self.stays[-1].end})
        return Step("seen_outside_only") if self.account.odd_stays else Step("not_seen")

    def leave_step(self) -> Step:
        assert self.leave is not None
        values = {"kind": str(self.leave.kind), "first": self.leave.first_on, "last": self.leave.last_on}
        return Step("on_leave", values)

    def look_at(self, at: datetime) -> Look | None:
        return next((each for each in self.evidence.looks if each.at == at), None)


def minutes(length: timedelta) -> int:
    return int(length.total_seconds() // 60)

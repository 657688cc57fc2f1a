"""The facts of one person-day, and what they say at once: who was expected, who came, who is here."""

from collections.abc import Iterable
from datetime import datetime

from central_server.domain.attendance import Correction, DayFacts, Status
from central_server.domain.intervals import Interval
from central_server.domain.proof import gaps_within
from central_server.domain.shifts import ShiftDay
from central_server.domain.stays import ends_of


class DayAtHand:
    """The facts of one person-day at hand, while its figures are worked out."""

    def __init__(
        self,
        facts: DayFacts,
        shift_day: ShiftDay | None,
        is_working: bool,
        stays: list[Interval],
        unwatched: list[Interval],
    ) -> None:
        self.facts, self.shift_day, self.is_working = facts, shift_day, is_working
        self.stays, self.unwatched = stays, unwatched
        self.is_closed = facts.as_of >= facts.schedule.closes_at(facts.business_date)
        self.leave = facts.schedule.leave_on(facts.business_date)
        self.said = last_said(facts.corrections)
        first, last = self.said.get("first_in_ts"), self.said.get("last_out_ts")
        self.is_here = facts.is_in_area and not self.is_closed and not last
        came, went = ends_of(facts, stays)
        self.first = datetime.fromisoformat(first) if first else came
        self.last = (
            datetime.fromisoformat(last) if last else stays[-1].end if self.is_here and stays else went
        )
        self.is_whole = self.first is not None and self.last is not None and self.first < self.last

    def is_expected(self) -> bool:
        """Tell whether the person had to come, and was on record in time for it."""
        if self.shift_day is None or not self.is_working or self.leave:
            return False
        known_at, grace = self.facts.known_at, self.shift_day.shift.late_grace
        return known_at is None or known_at <= self.shift_day.starts_at + grace

    def is_early(self) -> bool:
        """Tell whether it is too early to miss anybody: the grace of the shift is not over."""
        if self.shift_day is None:
            return False
        return self.facts.as_of < self.shift_day.starts_at + self.shift_day.shift.late_grace

    def was_at_work(self) -> bool:
        """Tell whether any of the stay lies within the working time."""
        if self.shift_day is None or self.first is None or self.last is None:
            return False
        return self.first < self.shift_day.ends_at and self.last > self.shift_day.starts_at

    def calm_status(self) -> Status:
        if self.leave:
            return Status.LEAVE
        return Status.HOLIDAY if self.facts.schedule.is_holiday(self.facts.business_date) else Status.OFF

    def is_sure(self, field: str, start: datetime, end: datetime) -> bool:
        """Tell whether HR has said it, or nobody can have come or gone unseen between two instants."""
        return bool(self.said.get(field)) or not gaps_within(self.unwatched, start, end)


def last_said(corrections: Iterable[Correction]) -> dict[str, str]:
    """Return what HR has said last of each field; nothing: no correction after all."""
    return {each.field: each.after for each in sorted(corrections, key=lambda one: one.made_at)}

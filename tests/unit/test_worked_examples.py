"""docs/worked-examples.md says what the program does: every row of its table, run through the real code."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from central_server.domain.attendance import Attendance, Correction, DayFacts, Punch
from central_server.domain.day_figures import attendance_on
from central_server.domain.intervals import Interval
from central_server.domain.shifts import Assignment, Break, LeaveSpan, Rotation, Schedule, Shift

PAGE = Path(__file__).parents[2] / "docs" / "worked-examples.md"
MONDAY, FRIDAY, SATURDAY = date(2026, 11, 23), date(2026, 11, 27), date(2026, 11, 28)
JAKARTA, MAKASSAR = ZoneInfo("Asia/Jakarta"), ZoneInfo("Asia/Makassar")
DAY = Shift(shift_id="day", name="Day", starts=time(8), ends=time(17))
SHORT = Shift(shift_id="short", name="Short", starts=time(8), ends=time(12), weekdays=frozenset({"sat"}))
RAMADAN = Shift(shift_id="ramadan", name="Ramadan", starts=time(8), ends=time(15))
NIGHT = Shift(shift_id="night", name="Night", starts=time(22), ends=time(6))
EARLY = Shift(shift_id="early", name="Early", starts=time(0), ends=time(8))
GUARD = Shift(shift_id="guard", name="Guard", starts=time(7), ends=time(7))
NOT_FRIDAY = frozenset({"mon", "tue", "wed", "thu", "sat", "sun"})
BREAKS = (
    Break(name="Lunch", starts=time(12), ends=time(13), shift_id="day", weekdays=NOT_FRIDAY),
    Break(name="Lunch", starts=time(11, 30), ends=time(13), shift_id="day", weekdays=frozenset({"fri"})),
    Break(name="Prayer", starts=time(15, 15), ends=time(15, 30), shift_id="day", is_paid=True),
    Break(name="Rest", starts=time(12), ends=time(12, 30), shift_id="ramadan"),
    Break(name="Night rest", starts=time(23, 30), ends=time(0, 30), shift_id="early"),
    Break(name="Meal", starts=time(1), ends=time(1, 30), shift_id="night"),
)
STATUSES = {
    "present": "hadir",
    "late": "terlambat",
    "absent": "tidak hadir",
    "incomplete": "tidak lengkap",
    "leave": "cuti",
    "holiday": "hari libur",
    "off": "libur",
}
PATTERN = (DAY, DAY, NIGHT, NIGHT, None, None)
BEGINS = {  # of the rotation, so that Monday is such a day
    "day off": MONDAY - timedelta(days=4),
    "night": MONDAY - timedelta(days=2),
}
SHIFTS = {
    "Day": Assignment(shift=DAY),
    "Friday": Assignment(shift=DAY),
    "Saturday": Assignment(shift=SHORT),
    "Ramadan": Assignment(shift=RAMADAN),
    "Night": Assignment(shift=NIGHT),
    "Early": Assignment(shift=EARLY),
    "Guard": Assignment(shift=GUARD),
}


def the_rows() -> list[dict[str, str]]:
    """The rows of all tables of days; headings, statuses and yes or no stand there in both languages."""
    found = []
    for table in re.split(r"\n\n+", PAGE.read_text(encoding="utf-8")):
        if table.startswith("| # |"):
            names, _, *rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
            for row in rows:
                said = dict(zip((each.rpartition("/")[2].strip() for each in names), row, strict=True))
                found.append({name: the_word(name, cell.strip()) for name, cell in said.items()})
    return found


def the_word(name: str, cell: str) -> str:
    """What the cell says, in English; a status is in both languages, and in the right words."""
    if cell == "–":
        return ""
    if name == "Status":
        english, _, indonesian = cell.partition(" / ")
        assert (english, indonesian) in STATUSES.items(), cell
        return english
    return {"ya / yes": "yes", "tidak / no": "no"}.get(cell, cell) if name == "Certain?" else cell


ROWS = the_rows()


class Reader:
    """Reads the cells of a row: the words of the page, as facts."""

    def __init__(self, row: dict[str, str]) -> None:
        self.row = row
        self.words = row["Shift"].split(", ")
        self.day = {"Friday": FRIDAY, "Saturday": SATURDAY}.get(self.words[0], MONDAY)
        self.zone = MAKASSAR if "in Makassar" in self.words else JAKARTA

    def instant(self, text: str) -> datetime:
        clock, plus, days = text.partition("+")
        on = self.day + timedelta(days=int(days) if plus else 0)
        return datetime.combine(on, time.fromisoformat(clock), tzinfo=self.zone).astimezone(UTC)

    def cells(self, name: str) -> list[str]:
        return [each for each in self.row[name].split(", ") if each]

    def seen(self) -> list[datetime]:
        """Every minute of `08:00–12:00`, its ends included."""
        found = []
        for each in self.cells("Seen"):
            if not each.startswith(("in ", "out ")):
                start, _, end = each.partition("–")
                moment, last = self.instant(start), self.instant(end or start)
                found += [
                    moment + n * timedelta(minutes=1) for n in range((last - moment) // timedelta(minutes=1))
                ]
                found.append(last)
        return found

    def punches(self) -> list[Punch]:
        said = [each.split() for each in self.cells("Seen") if each.startswith(("in ", "out "))]
        return [Punch(self.instant(at), way == "in") for way, at in said]

    def unwatched(self) -> list[Interval]:
        spans = [each.split("–") for each in self.cells("Not watched")]
        return [Interval(self.instant(start), self.instant(end)) for start, end in spans]

    def corrections(self) -> list[Correction]:
        found = []
        for n, each in enumerate(self.cells("HR says")):
            what, _, value = each.rpartition(" ")
            field = {"first in": "first_in_ts", "last out": "last_out_ts", "overtime": "overtime_min"}
            if what in ("first in", "last out"):
                value = "" if value == "none" else self.instant(value).isoformat()
            made_at = self.instant("20:00") + n * timedelta(minutes=1)
            found.append(Correction(field=field.get(what, what), after=value, made_at=made_at))
        return found

    def schedule(self) -> Schedule:
        assignment = SHIFTS.get(self.words[0])
        if self.words[0] == "Rotation":
            begins = BEGINS[self.words[1]]
            assignment = Assignment(
                rotation=Rotation(rotation_id="r", name="Rotation", starts_on=begins, pattern=PATTERN)
            )
        leaves = [each for each in ("annual", "trip") if each in self.words]
        return Schedule(
            timezone=JAKARTA,
            assignments=(assignment,) if assignment else (),
            breaks=BREAKS,
            holidays=frozenset({self.day} if "holiday" in self.words else ()),
            leaves=tuple(LeaveSpan(first_on=self.day, last_on=self.day, kind=kind) for kind in leaves),
        )

    def facts(self) -> DayFacts:
        facts = DayFacts(
            employee_id="EMP001",
            site_id="plant",
            business_date=self.day,
            schedule=self.schedule(),
            seen_at=self.seen(),
            punches=self.punches(),
            corrections=self.corrections(),
            unwatched=self.unwatched(),
            as_of=self.instant("12:00+2"),
            is_in_area="still here" in self.words,
            timezone=self.zone if self.zone != JAKARTA else None,
        )
        for each in self.words:
            if each.startswith("now "):
                facts = replace(facts, as_of=self.instant(each.removeprefix("now ")))
            if each.startswith("on record since "):
                facts = replace(facts, known_at=self.instant(each.removeprefix("on record since ")))
        return facts

    def told(self, day: Attendance) -> dict[str, str]:
        """Return what the page must say of a day."""
        is_blank = day.status in ("absent", "leave", "off", "holiday") or (
            day.first_in_ts is None and day.last_out_ts is None
        )
        return {
            "Status": day.status.value,
            "First in": self.clock(day.first_in_ts) or ("" if is_blank else "?"),
            "Last out": self.clock(day.last_out_ts) or ("" if is_blank else "?"),
            "Worked": "?"
            if day.work_seconds is None
            else f"{day.work_seconds // 3600}:{day.work_seconds // 60 % 60:02}",
            "Late": str(day.late_min or ""),
            "Early": str(day.early_leave_min or ""),
            "Over": str(day.overtime_min or ""),
            "Certain?": "yes" if day.is_verified else "no",
        }

    def clock(self, at: datetime | None) -> str:
        if at is None:
            return ""
        local = at.astimezone(self.zone)
        return f"{local:%H:%M}" + ("+1" if local.date() > self.day else "")


def test_the_page_has_a_table_worth_reading():
    """At least thirty rows, numbered, none twice."""
    assert len(ROWS) >= 30
    assert [row["#"] for row in ROWS] == [str(n) for n in range(1, len(ROWS) + 1)]
    asked = [tuple(row[name] for name in ("Shift", "Seen", "Not watched", "HR says")) for row in ROWS]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["#"])
def test_the_page_says_what_the_program_does(row):
    """Status, times, hours and minutes of the row, and whether they are certain."""
    reader = Reader(row)
    told = reader.told(attendance_on(reader.facts()))
    assert told == {name: row[name] for name in told}

"""Reading and writing single values of a table: dates, times, numbers, weekdays, yes and no.

Each `*_problem` yields what is wrong with a value that is there; nothing is wrong with none. The readers are
for values that passed.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time

from central_server.domain.shifts import WEEKDAYS, weekdays_of
from central_server.services.exchange.table import Problem, Row
from common.ids import is_slug

YES, NO = "yes", "no"
_DATES = (
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%d.%m.%Y",
    "%d/%m/%y",
    "%d-%m-%y",
    "%d.%m.%y",
)  # as people in Indonesia write them, after ISO's
_TIME = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.]00)?", re.ASCII)
_YES = {"yes", "y", "ya", "true", "1", "x"}
_NO = {"no", "n", "tidak", "t", "false", "0"}


def as_date(text: str) -> date | None:
    """Return the date of 2026-11-25, 25/11/2026 or 25/11/26; nothing is None. Raises ValueError."""
    for pattern in _DATES if text else ():
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a calendar date has no zone
        except ValueError:
            continue
    if text:
        raise ValueError(text)
    return None


def as_time(text: str) -> time | None:
    """Return the time of 08:30, 8:30, 08.30 or 08:30:00; nothing is None. Raises ValueError."""
    if not text:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return time(int(found[1]), int(found[2]))


def as_flag(text: str) -> bool:
    """Return the truth of yes, ya, no, tidak; nothing is False. Raises ValueError."""
    word = text.lower()
    if word in _YES:
        return True
    if word in _NO or not word:
        return False
    raise ValueError(text)


def as_text(value: date | time | bool | int | str | None) -> str:
    """Return the value as an exported table shows it; it can be read back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, time):
        return f"{value:%H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def normal_date(text: str) -> str:
    """Return the date as 2026-11-25. Raises ValueError."""
    return as_text(as_date(text))


def normal_time(text: str) -> str:
    """Return the time as 08:30. Raises ValueError."""
    return as_text(as_time(text))


def normal_flag(text: str) -> str:
    """Return yes or no. Raises ValueError."""
    return as_text(as_flag(text))


def normal_number(text: str) -> str:
    """Return a whole number without what means nothing: 007 is 7. Raises ValueError."""
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else text


def weekdays_text(stored: str) -> str:
    """Return stored weekdays shortly: mon-fri, or mon,wed,fri."""
    days = [day for day in WEEKDAYS if day in stored.split(",")]
    first = WEEKDAYS.index(days[0]) if days else 0
    is_span = len(days) > 2 and list(WEEKDAYS[first : first + len(days)]) == days
    return f"{days[0]}-{days[-1]}" if is_span else ",".join(days)


def normal_weekdays(text: str) -> str:
    """Return the weekdays as they are exported: mon-fri. Raises ValueError."""
    return weekdays_text(",".join(weekdays_of(text)))


def date_problem(row: Row, *columns: str) -> Iterator[Problem]:
    for column in columns:
        try:
            as_date(row.get(column, ""))
        except ValueError:
            yield Problem(column, "no_date", row[column])


def time_problem(row: Row, *columns: str) -> Iterator[Problem]:
    for column in columns:
        try:
            as_time(row.get(column, ""))
        except ValueError:
            yield Problem(column, "no_time", row[column])


def span_problem(row: Row, first: str, last: str) -> Iterator[Problem]:
    """Yield what is wrong with two dates of which the second must not be earlier; either may be open."""
    wrong = [*date_problem(row, first, last)]
    yield from wrong
    if not wrong:
        start, end = as_date(row.get(first, "")), as_date(row.get(last, ""))
        if start and end and end < start:
            yield Problem(last, "order", row[last])


def number_problem(row: Row, column: str, *, low: int, high: int) -> Iterator[Problem]:
    text = row.get(column, "")
    if text and not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        yield Problem(column, "no_number", text)


def flag_problem(row: Row, *columns: str) -> Iterator[Problem]:
    for column in columns:
        try:
            as_flag(row.get(column, ""))
        except ValueError:
            yield Problem(column, "no_yes_or_no", row[column])


def choice_problem(row: Row, column: str, among: Sequence[str]) -> Iterator[Problem]:
    if row.get(column) and row[column] not in among:
        yield Problem(column, "no_choice", row[column], ", ".join(among))


def slug_problem(row: Row, column: str) -> Iterator[Problem]:
    if row.get(column) and not is_slug(row[column]):
        yield Problem(column, "no_slug", row[column])


def length_problem(row: Row, column: str, most: int) -> Iterator[Problem]:
    if len(row.get(column, "")) > most:
        yield Problem(column, "too_long", row[column])


def weekdays_problem(row: Row, column: str) -> Iterator[Problem]:
    try:
        weekdays_of(row.get(column) or "mon")
    except ValueError:
        yield Problem(column, "no_weekdays", row[column])

"""What the server asks of the outside world; adapters answer. (Senders of messages: domain/delivery.py.)"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from central_server.domain.reports import DailyReport


class PushError(Exception):
    """The HRIS did not take a record. permanent: it never will; after_s: what it asked us to wait."""

    def __init__(self, words: str, *, permanent: bool = False, after_s: float | None = None) -> None:
        self.permanent, self.after_s = permanent, after_s
        super().__init__(words)


class AttendanceSink(Protocol):
    """A system that keeps attendance, e.g. an ERP or HRIS."""

    @property
    def connector(self) -> str:
        """The name under which the outbox knows it."""
        ...

    def push(self, message_id: str, payload: Mapping[str, Any], *, now: datetime) -> None:
        """Deliver one record, or raise PushError. The same message_id is the same record."""
        ...


class AccountsError(Exception):
    """The broker's accounts could not be changed; says why in words. Trying again later may help."""


class AgentAccounts(Protocol):
    """The broker's accounts, one an agent, by the agent's id. An agent reaches its own topics alone."""

    def put(self, agent_id: str, password: str) -> None:
        """Make the account, or give it this password; whoever uses the old one is put out.

        Raises AccountsError.
        """
        ...

    def remove(self, agent_id: str) -> None:
        """Take the account, and end its open session within a second. None there is no error.

        Raises AccountsError.
        """
        ...

    def names(self) -> frozenset[str]:
        """Return whose accounts there are, the server's own among them. Raises AccountsError."""
        ...


class Sealing(Protocol):
    """Keeps secrets that must be read again, so that the database alone does not give them away."""

    def close(self, plain: bytes) -> bytes: ...

    def open(self, sealed: bytes) -> bytes:
        """Return what was sealed. Raises SealBroken."""
        ...


class SealBroken(Exception):
    """What was sealed cannot be opened: another HADIR_SECRET_KEY, or damage."""


class ReportRenderer(Protocol):
    """Writes a report in one language as the bytes of a file."""

    def __call__(self, report: DailyReport, language: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Guide:
    """A guide as part of a page: its title, its HTML (safe as it is), and its chapters as (anchor, words)."""

    title: str
    html: str
    chapters: tuple[tuple[str, str], ...]


class GuideReader(Protocol):
    """Reads a guide by its topic, in a language or the nearest to it."""

    def __call__(self, topic: str, language: str, *, address: Callable[[str], str]) -> Guide | None:
        """Return it; None: no such topic, or not installed. address: where another topic is shown."""
        ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a file, by its headings in lower case with `_`; what stands beside them is under None."""

    rows: tuple[Mapping[str | None, str], ...]
    first_line: int = 2  # of the first row, as a spreadsheet counts
    heading: tuple[str, ...] = ()


class UnreadableTable(Exception):
    """A file that is no table: a code that a page or a command puts into a sentence (WORDS)."""

    WORDS: Mapping[str, str] = {
        "empty_file": "there is nothing in it",
        "not_text": "it is no table: neither text nor an Excel workbook",
        "old_excel": "it is of an old Excel: save it as .xlsx or as CSV",
        "too_large": "it is larger than {value} MB",
        "too_much": "there is far more in it than a table has, perhaps in rows that look empty",
        "too_many_rows": "it has more than {value} rows: take it over in parts",
        "repeated_heading": "the heading {value!r} stands there twice",
        "broken_csv": "a quotation mark is open, or in the wrong place, at line {value} or before",
        "broken_excel": "the Excel workbook is damaged, or has a password",
    }

    def __init__(self, code: str, value: str = "") -> None:
        self.code, self.value = code, value
        super().__init__(self.WORDS[code].format(value=value))


class TableReader(Protocol):
    """Reads a table out of a file that somebody made."""

    def __call__(self, content: bytes) -> Sheet:
        """Return its rows. Raises UnreadableTable."""
        ...

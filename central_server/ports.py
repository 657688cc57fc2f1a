"""What the server asks of the outside world; adapters answer. (Senders of messages: domain/delivery.py.)"""

from collections.abc import Mapping
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

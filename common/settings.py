"""Typed readers of settings that collect every problem before they complain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload
from zoneinfo import ZoneInfo


class SettingsError(Exception):
    """The configuration is wrong; `problems` says everything that is, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("The configuration is not right:\n" + "\n".join(f"  - {each}" for each in problems))


@dataclass
class Settings:
    """Settings by name, e.g. from the environment. NAME_FILE may hold the path of a file with the value."""

    values: Mapping[str, str]
    problems: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def _raw(self, name: str) -> str | None:
        self.seen.add(name)
        if direct := self.values.get(name, "").strip():
            return direct
        path = self.values.get(f"{name}_FILE", "").strip()
        if not path:
            return None
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            self.problems.append(f"{name}_FILE: cannot read {path} ({error.strerror})")
            return None

    @overload
    def text(self, name: str, *, default: str, hint: str = ...) -> str: ...
    @overload
    def text(self, name: str, *, default: None = ..., hint: str = ...) -> str: ...
    def text(self, name: str, *, default: str | None = None, hint: str = "") -> str:
        """Return the text of name; without a default it must be there (hint says what it is)."""
        raw = self._raw(name)
        if raw is not None:
            return raw
        if default is None:
            self.problems.append(f"{name} is missing" + (f": {hint}" if hint else ""))
            return ""
        return default

    def number(self, name: str, *, default: float, low: float, high: float) -> float:
        """Return a number within low..high."""
        raw = self._raw(name)
        if raw is None:
            return default
        try:
            value = float(raw)
        except ValueError:
            self.problems.append(f"{name} is not a number: {raw!r}")
            return default
        if not low <= value <= high:
            self.problems.append(f"{name} must be between {low:g} and {high:g}, not {value:g}")
        return value

    def whole(self, name: str, *, default: int, low: int, high: int) -> int:
        """Return a whole number within low..high."""
        value = self.number(name, default=default, low=low, high=high)
        if value != int(value):
            self.problems.append(f"{name} must be a whole number, not {value:g}")
        return int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return yes or no; anything but yes/no/true/false/on/off/1/0 is a problem."""
        raw = self._raw(name)
        known = {
            "yes": True,
            "true": True,
            "on": True,
            "1": True,
            "no": False,
            "false": False,
            "off": False,
            "0": False,
        }
        if raw is None:
            return default
        if raw.lower() not in known:
            self.problems.append(f"{name} must be yes or no, not {raw!r}")
        return known.get(raw.lower(), default)

    def choice(self, name: str, *, default: str, among: tuple[str, ...]) -> str:
        raw = self._raw(name) or default
        if raw not in among:
            self.problems.append(f"{name} must be one of {', '.join(among)}, not {raw!r}")
        return raw

    def path(self, name: str, *, default: Path) -> Path:
        raw = self._raw(name)
        return Path(raw).expanduser() if raw else default

    def timezone(self, name: str, *, default: str) -> str:
        raw = self._raw(name) or default
        try:
            ZoneInfo(raw)
        except (OSError, ValueError, LookupError):
            self.problems.append(f"{name} is not an IANA time zone: {raw!r} (for example Asia/Jakarta)")
        return raw

    def raise_problems(self) -> None:
        """Raise SettingsError with everything found wrong so far, if anything was."""
        if self.problems:
            raise SettingsError(self.problems)

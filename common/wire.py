"""Messages to and from JSON, UTF-8. A reader keeps what it does not know and defaults what is missing."""

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from common.events import Envelope

VERSION = 1
MAX_BATCH_EVENTS = 50
MAX_MESSAGE_BYTES = 64_000
MOST_WHOLE = 2**63  # of a whole number that stands for one with a fraction

T = TypeVar("T")


class MalformedMessage(Exception):
    """A message that cannot be read; says what is wrong with it. Never fatal to the reader."""


def encode(value: Any) -> bytes:
    """Return the message for one of the dataclasses of common.events, as compact JSON."""
    body = _plain(value)
    if isinstance(value, Envelope):
        body = {"v": VERSION, **body}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def decode(kind: type[T], payload: bytes | bytearray | str) -> T:
    """Return the message read as kind. Raises MalformedMessage with the reason."""
    try:
        body = json.loads(payload, parse_constant=_not_a_number)
    except (ValueError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise MalformedMessage(f"expected an object, got {type(body).__name__}")
    if kind is Envelope:
        version = body.pop("v", None)
        if version != VERSION:
            raise MalformedMessage(f"version {version!r} is not {VERSION}")
    return read(kind, body)


def _not_a_number(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        extra = fields.pop("extra", {})
        return {name: _plain(each) for name, each in fields.items()} | dict(extra)
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value.value if isinstance(value, Enum) else value


@cache
def _fields(kind: type) -> tuple[tuple[tuple[str, "_Reader", bool], ...], bool, frozenset[str]]:
    """Return name, reader and necessity of a dataclass's fields, whether it keeps others, and all names."""
    hints = get_type_hints(kind)
    fields = tuple(
        (
            field.name,
            _reader(hints[field.name]),
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
        if field.name != "extra"
    )
    return fields, "extra" in hints, frozenset(hints)


def read(kind: type[T], body: Mapping[str, Any], where: str = "") -> T:
    """Return the object, as json.loads gives it, read as kind. Raises MalformedMessage with the reason."""
    fields, keeps_others, names = _fields(kind)
    where = where or kind.__name__
    known: dict[str, Any] = {}
    for name, reader, is_needed in fields:
        if name in body:
            known[name] = reader(body[name], where, name)
        elif is_needed:
            raise MalformedMessage(f"{where}.{name} is missing")
    if keeps_others:
        known["extra"] = {name: value for name, value in body.items() if name not in names}
    try:
        return kind(**known)
    except ValueError as error:
        raise MalformedMessage(f"{where}: {error}") from error


class _Reader(Protocol):
    """Reads the value of where.name, or raises MalformedMessage."""

    def __call__(self, value: Any, where: str, name: str) -> Any: ...


def _reader(hint: Any) -> _Reader:
    """Return what reads a value of this type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__supertype__"):
        return _reader(hint.__supertype__)
    if origin in (Union, UnionType):
        inner = _reader(next(each for each in arguments if each is not NoneType))
        return lambda value, where, name: None if value is None else inner(value, where, name)
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return lambda value, where, name: _expect(dict, value, where, name)
    if dataclasses.is_dataclass(hint):
        kind: type = hint  # type: ignore[assignment]
        return lambda value, where, name: read(kind, _expect(dict, value, where, name), f"{where}.{name}")
    if issubclass(hint, Enum):
        return _enum_reader(hint)
    if hint is float:
        return _read_float
    return lambda value, where, name: _expect(hint, value, where, name)


def _list_reader(inner: _Reader) -> _Reader:
    def read_list(value: Any, where: str, name: str) -> Any:
        if not isinstance(value, list):
            raise MalformedMessage(f"{where}.{name} is not a list")
        return tuple(inner(each, where, f"{name}[{index}]") for index, each in enumerate(value))

    return read_list


def _enum_reader(kind: type[Enum]) -> _Reader:
    members: dict[Any, Enum] = {each.value: each for each in kind}

    def read_member(value: Any, where: str, name: str) -> Any:
        found = members.get(value) if isinstance(value, str) else None
        if found is None:
            raise MalformedMessage(f"{where}.{name}: {value!r} is not one of {', '.join(members)}")
        return found

    return read_member


def _read_float(value: Any, where: str, name: str) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_WHOLE:
        return float(value)
    number: float = _expect(float, value, where, name)
    if not math.isfinite(number):
        raise MalformedMessage(f"{where}.{name} is not a number")
    return number


def _expect(kind: type, value: Any, where: str, name: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise MalformedMessage(f"{where}.{name} is {type(value).__name__}, expected {kind.__name__}")
    if kind is str and not _is_storable(value):
        raise MalformedMessage(f"{where}.{name} holds a NUL character or half of one")
    return value


def _is_storable(text: str) -> bool:
    """Tell whether a database takes text: no NUL, and no half of a surrogate pair, which JSON can spell."""
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text))

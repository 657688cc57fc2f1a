"""Messages to and from JSON, UTF-8. A reader keeps what it does not know and defaults what is missing."""

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from common.events import Envelope

VERSION = 1
MAX_BATCH_EVENTS = 50
MAX_MESSAGE_BYTES = 64_000

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
    return _read(kind, body, kind.__name__)


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
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: type[T], body: Mapping[str, Any], where: str) -> T:
    hints = _hints(kind)
    known: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in body and field.name != "extra":
            known[field.name] = _value(hints[field.name], body[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise MalformedMessage(f"{where}.{field.name} is missing")
    if "extra" in hints:
        known["extra"] = {name: value for name, value in body.items() if name not in hints}
    try:
        return kind(**known)
    except ValueError as error:
        raise MalformedMessage(f"{where}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hasattr(hint, "__supertype__"):
        return _value(hint.__supertype__, value, where)
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        return _value(next(each for each in arguments if each is not NoneType), value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise MalformedMessage(f"{where} is not a list")
        return tuple(_value(arguments[0], each, f"{where}[{index}]") for index, each in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        return _expect(dict, value, where)
    if dataclasses.is_dataclass(hint):
        return _read(hint, _expect(dict, value, where), where)  # type: ignore[arg-type]
    if issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError as error:
            raise MalformedMessage(
                f"{where}: {value!r} is not one of {', '.join(each.value for each in hint)}"
            ) from error
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return _expect(hint, value, where)


def _expect(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise MalformedMessage(f"{where} is {type(value).__name__}, expected {kind.__name__}")
    if kind is str and "\x00" in value:
        raise MalformedMessage(f"{where} holds a NUL character")
    return value

"""One conversation with an MQTT broker, byte by byte, to hear what the client library does not tell.

It tries what the agent needs: CONNECT, SUBSCRIBE and PUBLISH, in MQTT 5 or 3.1.1, and reports each answer.
"""

import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

PATIENCE_S = 6.0
_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK, _DISCONNECT = 0x10, 2, 0x32, 4, 0x82, 9, 14
_V5, _V311 = 5, 4
NO_SUBSCRIBERS = 0x10
REASONS = {
    0x01: "it does not speak this version of MQTT", 0x04: "wrong user name or password",
    0x05: "not authorised",
    0x02: "the client id is not accepted", 0x03: "the broker is not available",
    0x84: "it does not speak this version of MQTT", 0x85: "the client id is not accepted",
    0x86: "wrong user name or password", 0x87: "not authorised", 0x88: "the broker is not available",
    0x89: "the broker is busy", 0x8A: "banned", 0x8E: "taken over by another connection of the same identity",
    0x97: "over the broker's quota", 0x98: "ended by the broker's administrator",
    0x9F: "too many connections", 0x95: "the packet is too large",
}  # fmt: skip


class Speaks(StrEnum):
    """What answers on a port."""

    MQTT = "mqtt"
    TLS_ONLY = "tls"  # it wants TLS before anything else
    OTHER = "other"  # it answers, but not as a broker does
    CLOSED = "closed"  # it hangs up
    NOTHING = "nothing"  # it takes the connection and stays silent


@dataclass(frozen=True, slots=True)
class Login:
    """An account as it is presented to the broker."""

    client_id: str
    username: str
    password: str = field(repr=False)
    is_v5: bool = True


@dataclass(frozen=True, slots=True)
class Heard:
    """What the broker answered. Codes of None: it did not come to that; 128 and more are refusals."""

    speaks: Speaks
    connect: int | None = None
    subscribe: tuple[int, ...] = ()
    publish: int | None = None
    ended: int | None = None  # the reason that the broker gave for hanging up
    retained: tuple[tuple[str, bytes], ...] = ()  # what it sent after SUBSCRIBE


def converse(
    host: str, port: int, login: Login, *, topics: Sequence[str] = (), trial: str = "",
    context: ssl.SSLContext | None = None, patience_s: float = PATIENCE_S,
) -> Heard:  # fmt: skip
    """Log in, subscribe to topics, publish nothing to trial, and leave. Raises OSError."""
    with _stream(host, port, context, patience_s) as stream:
        try:
            return _talk(stream, login, topics, trial)
        except TimeoutError:
            return Heard(Speaks.NOTHING)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            return Heard(Speaks.CLOSED)


def _talk(stream: socket.socket, login: Login, topics: Sequence[str], trial: str) -> Heard:
    stream.sendall(_connect_packet(login))
    first = stream.recv(1)
    if not first:
        return Heard(Speaks.CLOSED)
    if first[0] >> 4 != _CONNACK:
        return Heard(Speaks.TLS_ONLY if first[0] == 0x15 else Speaks.OTHER)
    body = _body(stream)
    if len(body) < 2:
        return Heard(Speaks.OTHER)
    code = body[1]
    if code:
        return Heard(Speaks.MQTT, code)
    granted, published, ended, retained = _use(stream, login, topics, trial)
    return Heard(Speaks.MQTT, code, granted, published, ended, retained)


def _use(
    stream: socket.socket, login: Login, topics: Sequence[str], trial: str
) -> tuple[tuple[int, ...], int | None, int | None, tuple[tuple[str, bytes], ...]]:
    """Subscribe, then publish; return SUBACK's codes, PUBACK's, DISCONNECT's, and what came meanwhile."""
    granted: tuple[int, ...] = ()
    published = ended = None
    retained: list[tuple[str, bytes]] = []
    try:
        if topics:
            stream.sendall(_subscribe_packet(topics, login.is_v5))
        for kind, body in _packets(stream):
            if kind == _SUBACK:
                granted = tuple(body[-len(topics) :])
                if not trial:
                    break
                stream.sendall(_publish_packet(trial, login.is_v5))
            elif kind == _PUBACK:
                published = body[2] if len(body) > 2 else 0
                break
            elif kind == _PUBLISH >> 4:
                retained += _message(body, login.is_v5)
            elif kind == _DISCONNECT:
                ended = body[0] if body else 0
                break
        stream.sendall(bytes((_DISCONNECT << 4, 0)))
    except OSError:
        pass  # what was heard so far says enough
    return granted, published, ended, tuple(retained)


@contextmanager
def _stream(
    host: str, port: int, context: ssl.SSLContext | None, patience_s: float
) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), patience_s) as plain:
        if context is None:
            yield plain
            return
        with context.wrap_socket(plain, server_hostname=host) as stream:
            yield stream


def _connect_packet(login: Login) -> bytes:
    """A session is resumed, not begun anew, so that the last will of a running agent is not read out."""
    flags = 0xC0 | (0 if login.is_v5 else 0x02)
    body = _text("MQTT") + bytes((_V5 if login.is_v5 else _V311, flags)) + struct.pack(">H", 30)
    body += b"\x00" if login.is_v5 else b""
    body += _text(login.client_id) + _text(login.username) + _text(login.password)
    return _packet(_CONNECT, body)


def _subscribe_packet(topics: Sequence[str], is_v5: bool) -> bytes:
    body = struct.pack(">H", 1) + (b"\x00" if is_v5 else b"")
    return _packet(_SUBSCRIBE, body + b"".join(_text(each) + b"\x00" for each in topics))


def _publish_packet(topic: str, is_v5: bool) -> bytes:
    return _packet(_PUBLISH, _text(topic) + struct.pack(">H", 2) + (b"\x00" if is_v5 else b""))


def _packet(kind: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((kind,)) + bytes(digits) + body


def _text(words: str) -> bytes:
    return struct.pack(">H", len(words.encode())) + words.encode()


def _packets(stream: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield kind and body of what arrives, until the other end hangs up. Raises OSError."""
    while first := stream.recv(1):
        yield first[0] >> 4, _body(stream)


def _body(stream: socket.socket) -> bytes:
    """Return the rest of a packet; empty when it is none."""
    length = 0
    for place in range(4):
        digit = _exactly(stream, 1)
        if not digit:
            return b""
        length |= (digit[0] & 0x7F) << 7 * place
        if not digit[0] & 0x80:
            return _exactly(stream, min(length, 1_000_000))
    return b""


def _exactly(stream: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count and (more := stream.recv(count - len(got))):
        got += more
    return bytes(got)


def _message(body: bytes, is_v5: bool) -> list[tuple[str, bytes]]:
    """Return topic and payload of a PUBLISH of QoS 0, which is all that was subscribed to."""
    if len(body) < 2:
        return []
    end = 2 + struct.unpack(">H", body[:2])[0]
    skip = 1 + body[end] if is_v5 and len(body) > end else 0
    return [(body[2:end].decode("utf-8", "replace"), body[end + skip :])]

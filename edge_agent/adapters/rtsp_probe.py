"""Why an RTSP camera does not answer, found out step by step: name, port, door, key.

OpenCV only says that it could not open a stream; a technician needs to know which of these to fix.
"""

import hashlib
import re
import socket
from base64 import b64encode
from urllib.parse import unquote, urlsplit, urlunsplit

from common.events import CameraReason

DEFAULT_PORT = 554


def reason_unreachable(url: str, timeout_s: float) -> CameraReason:
    """Return DNS, REFUSED or TIMEOUT when the camera's port cannot be reached; NONE when it can."""
    try:
        _connect(url, timeout_s).close()
    except (OSError, ValueError) as error:
        return _reason(error)
    return CameraReason.NONE


def reason_refused(url: str, timeout_s: float) -> CameraReason:
    """Return why a camera that could not be opened refuses its stream; DECODE when it would give it."""
    try:
        with _connect(url, timeout_s) as connection:
            status, headers = _describe(connection, url, "", 1)
            if status == 401 and (key := _authorization(url, headers.get("www-authenticate", ""))):
                status, _ = _describe(connection, url, f"Authorization: {key}\r\n", 2)
    except (OSError, ValueError) as error:
        return _reason(error)
    if status in (401, 403):
        return CameraReason.AUTH
    return CameraReason.DECODE if status == 200 else CameraReason.REFUSED


def _reason(error: Exception) -> CameraReason:
    if isinstance(error, socket.gaierror):
        return CameraReason.DNS
    return CameraReason.TIMEOUT if isinstance(error, TimeoutError) else CameraReason.REFUSED


def _connect(url: str, timeout_s: float) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or DEFAULT_PORT), timeout=timeout_s)


def _describe(connection: socket.socket, url: str, extra: str, number: int) -> tuple[int, dict[str, str]]:
    """Ask for the stream's description; return the status and the headers. Raises OSError or ValueError."""
    ask = f"DESCRIBE {_bare(url)} RTSP/1.0\r\nCSeq: {number}\r\nAccept: application/sdp\r\n{extra}\r\n"
    connection.sendall(ask.encode())
    reply = b""
    while b"\r\n\r\n" not in reply and len(reply) < 65_536:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError("the camera hung up")
        reply += more
    first, *lines = reply.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split()[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _authorization(url: str, challenge: str) -> str:
    """Return the Authorization header for the URL's user and password; empty without them."""
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    user, password = unquote(parts.username), unquote(parts.password or "")
    if not challenge.lower().startswith("digest"):
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    said = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm, nonce, place = said.get("realm", ""), said.get("nonce", ""), _bare(url)
    answer = _md5(f"{_md5(f'{user}:{realm}:{password}')}:{nonce}:{_md5(f'DESCRIBE:{place}')}")
    return f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{place}", response="{answer}"'


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # RTSP's digest knows no better

"""A pack's archive from the internet: fetched once, going on where it stopped; each failure in one clause."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import requests

BASE_URL = "https://github.com/deepinsight/insightface/releases/download/model-zoo"
CONNECT_S, READ_S = 5.0, 20.0
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if known


class PackError(Exception):
    """The pack cannot be had; the message says why in one clause."""


class UnreachableError(PackError):
    """Nobody answers at the address: no internet, no such name, a wrong certificate."""


def fetch(url: str, part: Path, progress: Progress, *, most_bytes: int, connect_s: float = CONNECT_S) -> None:
    """Download url to part, going on after the bytes that are there already. Raises PackError, OSError."""
    try:
        _fetch(url, part, progress, most_bytes, connect_s)
    except requests.RequestException as error:
        raise UnreachableError(_network_words(error, url)) from error


def _fetch(url: str, part: Path, progress: Progress, most_bytes: int, connect_s: float) -> None:
    _check_name(url, connect_s)
    have = part.stat().st_size if part.exists() else 0
    ask = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(url, headers=ask, stream=True, timeout=(connect_s, READ_S)) as reply:
        if reply.status_code == 416:  # nothing is left to ask for
            return
        if not reply.ok:
            raise PackError(f"{urlsplit(url).hostname} answered {reply.status_code}")
        is_rest = reply.status_code == 206
        have = have if is_rest else 0
        length = reply.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if is_rest else "wb") as file:
            for chunk in reply.iter_content(1 << 16):
                file.write(chunk)
                have += len(chunk)
                progress(have, total)
                if have > most_bytes:
                    raise PackError("the archive is far larger than the pack")
    if total is not None and have < total:
        raise PackError(
            f"the download stopped after {have} of {total} bytes; the next try goes on from there"
        )


def _check_name(url: str, timeout_s: float) -> None:
    """Raise PackError when the host's name is not resolved in time, for which requests has no limit."""
    if requests.utils.get_environ_proxies(url):
        return  # then the proxy resolves it
    host = urlsplit(url).hostname or ""
    found: list[bool] = []

    def resolve() -> None:
        try:
            found.append(bool(socket.getaddrinfo(host, None)))
        except OSError:
            found.append(False)

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not any(found):
        raise UnreachableError(f"the name {host} cannot be resolved; there is no internet here")


def _network_words(error: requests.RequestException, url: str) -> str:
    host = urlsplit(url).hostname
    if isinstance(error, requests.ConnectTimeout):
        return f"{host} does not answer"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the certificate of {host} is not trusted (a wrong clock, or a proxy that looks inside)"
    if isinstance(error, requests.ReadTimeout):
        return f"{host} stopped sending; the next try goes on from there"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the download broke off; the next try goes on from there"
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return "the address is not one of http or https"
    return f"{host} cannot be reached"

"""The InsightFace pack `buffalo_sc`: where it is kept, and how it is fetched once and checked.

The SHA-256 of both files that we load are pinned, so it does not matter who served them. The detector's was
measured on the file itself; the recogniser's is the one that InsightFace's own server project (deepinsight/
insightface, server/) and several independent projects publish for the `w600k_mbf.onnx` of this pack.
The weights are for non-commercial research only.
"""

import hashlib
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests

PACK = "buffalo_sc"
BASE_URL = "https://github.com/deepinsight/insightface/releases/download/model-zoo"
PINNED = {
    "det_500m.onnx": "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
    "w600k_mbf.onnx": "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
}
CONNECT_S, READ_S = 5.0, 20.0
MOST_BYTES = 200_000_000
Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all if known


class PackError(Exception):
    """The pack cannot be had; the message says why in one clause."""


def packs_folder() -> Path:
    """Return where InsightFace keeps its packs."""
    return Path.home() / ".insightface" / "models"


def installed_pack(folder: Path) -> Path | None:
    """Return the pack in the packs folder, whoever put it there."""
    pack = folder / PACK
    return pack if any(pack.glob("*.onnx")) else None


def is_known(pack: Path, pinned: Mapping[str, str] = PINNED) -> bool:
    """Tell whether the files of pack are the ones that are pinned."""
    return all((pack / name).is_file() and _sha256(pack / name) == pin for name, pin in pinned.items())


def download_pack(
    folder: Path,
    progress: Progress,
    *,
    base_url: str = BASE_URL,
    pinned: Mapping[str, str] = PINNED,
    connect_s: float = CONNECT_S,
) -> Path:
    """Fetch the pack into the packs folder and return it; nothing half-done is ever found there.

    An interrupted download goes on where it stopped. Raises PackError.
    """
    archive = folder / f".{PACK}.zip.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(f"{base_url}/{PACK}.zip", archive, progress, connect_s)
        return _unpack(archive, folder, pinned)
    except requests.RequestException as error:
        raise PackError(_network_words(error, base_url)) from error
    except zipfile.BadZipFile as error:
        raise PackError("what was downloaded is not a zip archive") from error
    except OSError as error:
        raise PackError(f"it cannot be stored in {folder} ({error.strerror or error})") from error


def _fetch(url: str, part: Path, progress: Progress, connect_s: float) -> None:
    """Download url to part, going on after the bytes that part holds already."""
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
                if have > MOST_BYTES:
                    raise PackError("the archive is far larger than the pack")
    if total is not None and have < total:
        raise PackError(
            f"the download stopped after {have} of {total} bytes; the next try goes on from there"
        )


def _unpack(archive: Path, folder: Path, pinned: Mapping[str, str]) -> Path:
    """Check and move the archive's files into place at once; of a wrong archive nothing stays."""
    fresh, pack = folder / f".{PACK}.new", folder / PACK
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        _extract(archive, fresh, pinned)
    except (PackError, zipfile.BadZipFile):
        shutil.rmtree(fresh)
        archive.unlink()
        raise
    if pack.exists():
        pack.rmdir()  # empty, or it is somebody's and stays
    fresh.rename(pack)
    archive.unlink()
    return pack


def _extract(archive: Path, fresh: Path, pinned: Mapping[str, str]) -> None:
    """Write the pinned files of archive to fresh, by their names alone: no path of it is followed."""
    with zipfile.ZipFile(archive) as opened:
        members = {Path(name).name: name for name in opened.namelist()}
        for name, pin in pinned.items():
            if name not in members:
                raise PackError(f"the archive holds no {name}")
            with opened.open(members[name]) as source, (fresh / name).open("wb") as target:
                shutil.copyfileobj(source, target)
            if _sha256(fresh / name) != pin:
                raise PackError(f"{name} is not the file that we know (its SHA-256 differs)")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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
        raise PackError(f"the name {host} cannot be resolved; there is no internet here")


def _network_words(error: requests.RequestException, base_url: str) -> str:
    host = urlsplit(base_url).hostname
    if isinstance(error, requests.ConnectTimeout):
        return f"{host} does not answer"
    if isinstance(error, requests.ReadTimeout):
        return f"{host} stopped sending; the next try goes on from there"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the download broke off; the next try goes on from there"
    return f"{host} cannot be reached"

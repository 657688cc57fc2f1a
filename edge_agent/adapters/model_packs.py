"""Model packs on this machine's disk: found, checked by SHA-256, and put in place whole or not at all.

Only the files that we load are kept, by their names alone: no path in an archive is followed. What they must
be stands in edge_agent/core/packs.py, so it does not matter who served them.
"""

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from edge_agent.adapters.pack_download import BASE_URL, CONNECT_S, PackError, Progress, fetch
from edge_agent.adapters.pack_record import PackRecord, write_record
from edge_agent.core.packs import ModelFile, ModelPack

CHUNK = 1 << 20
Source = Mapping[str, Callable[[], IO[bytes]]]  # the name of each *.onnx file, and how it is opened


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one file of a pack."""

    file: str
    kind: str  # missing, short, different, unreadable
    words: str


def packs_folder() -> Path:
    """Return where InsightFace keeps its packs."""
    return Path.home() / ".insightface" / "models"


def installed_pack(folder: Path, name: str) -> Path | None:
    """Return the pack of that name in the packs folder, whoever put it there."""
    pack = folder / name
    return pack if any(pack.glob("*.onnx")) else None


def faults(pack: Path, files: Sequence[ModelFile]) -> list[Fault]:
    """Return what is wrong with the files of a pack; nothing when each is the one that is pinned."""
    return [fault for file in files if (fault := _fault(pack / file.name, file))]


def is_known(pack: Path, files: Sequence[ModelFile]) -> bool:
    """Tell whether the files of a pack are the ones that are pinned."""
    return not faults(pack, files)


def pins_of(record: PackRecord) -> tuple[ModelFile, ...]:
    """Return the files of a record as pins. Their sizes are not in it."""
    return tuple(ModelFile(name, 0, sha256) for name, sha256 in record.files.items())


def _fault(path: Path, pinned: ModelFile) -> Fault | None:
    try:
        if not path.is_file():
            return Fault(pinned.name, "missing", "is missing")
        size = path.stat().st_size
        if size < pinned.size:
            return Fault(pinned.name, "short", f"is cut short: {size} of {pinned.size} bytes are there")
        with path.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() == pinned.sha256:
                return None
    except OSError as error:
        return Fault(pinned.name, "unreadable", f"cannot be read ({error.strerror or error})")
    return Fault(
        pinned.name, "different", "is not the file that we know (its SHA-256 differs): corrupt, or another"
    )


def download_pack(
    folder: Path,
    pack: ModelPack,
    progress: Progress,
    *,
    base_url: str = BASE_URL,
    record: PackRecord | None = None,
    replace: bool = False,
    connect_s: float = CONNECT_S,
) -> Path:
    """Fetch a pack into the packs folder and return it; nothing half-done is ever found there.

    An interrupted download goes on where it stopped. Raises PackError.
    """
    archive = folder / f".{pack.name}.zip.part"
    with _storing_in(folder):
        have = archive.stat().st_size if archive.exists() else 0
        _make_room(folder, pack.name, replace, pack.zip_size - have + _total(pack.files))
        fetch(
            f"{base_url.rstrip('/')}/{pack.name}.zip",
            archive,
            progress,
            most_bytes=2 * pack.zip_size + CHUNK,
            connect_s=connect_s,
        )
        try:
            if not zipfile.is_zipfile(archive):
                raise PackError("what was downloaded is not a zip archive")
            with opened_source(archive) as source:
                placed = _place(source, pack.name, pack.files, folder, lambda *_: None, record, replace)
        except PackError:
            archive.unlink()  # of a wrong archive nothing stays
            raise
        archive.unlink()
        return placed


def copy_pack(
    source: Source,
    folder: Path,
    name: str,
    files: Sequence[ModelFile],
    progress: Progress,
    *,
    record: PackRecord | None = None,
    replace: bool = False,
) -> Path:
    """Copy the files of a pack from an opened archive or folder into the packs folder. Raises PackError."""
    with _storing_in(folder):
        _make_room(folder, name, replace, _total(files))
        return _place(source, name, files, folder, progress, record, replace)


@contextmanager
def opened_source(path: Path, name: str | None = None) -> Iterator[Source]:
    """Open a zip archive, or a folder (a USB stick) with model files or NAME.zip. Raises PackError."""
    if path.is_dir():
        if name is None or (path / name).is_dir() or not (path / f"{name}.zip").is_file():
            yield _in_folder(path / name if name and (path / name).is_dir() else path)
            return
        path = path / f"{name}.zip"
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise PackError(f"{path} is not a zip archive") from error
    except OSError as error:
        raise PackError(f"{path} cannot be read ({error.strerror or error})") from error
    with archive:
        members = (member for member in archive.namelist() if member.endswith(".onnx"))
        yield {Path(member).name: partial(archive.open, member) for member in members}


def measured(source: Source) -> tuple[ModelFile, ...]:
    """Return every file of a source as it is now, for packs that nobody has pinned. Raises PackError."""
    return tuple(_measured(name, source[name]) for name in sorted(source))


def _measured(name: str, open_file: Callable[[], IO[bytes]]) -> ModelFile:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(name, open_file):
        digest.update(chunk)
        size += len(chunk)
    return ModelFile(name, size, digest.hexdigest())


def _in_folder(folder: Path) -> Source:
    """Return the model files of a folder, or of the one folder in it that has some, as antelopev2 does."""
    found = sorted(folder.glob("*.onnx")) or sorted(folder.glob("*/*.onnx"))
    homes = sorted({each.parent.name for each in found})
    if len(homes) > 1:
        raise PackError(f"{folder} holds several folders with models ({', '.join(homes)}): name one of them")
    return {each.name: partial(each.open, "rb") for each in found}


@contextmanager
def _storing_in(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise PackError(f"it cannot be stored in {folder} ({error.strerror or error})") from error


def _make_room(folder: Path, name: str, replace: bool, need: int) -> None:
    """Raise PackError, before anything is fetched, when the pack has no place in the folder."""
    pack = folder / name
    if pack.exists() and not replace and (not pack.is_dir() or any(pack.iterdir())):
        raise PackError(f"there is another {name} in {folder} already (--replace puts the new one there)")
    free = shutil.disk_usage(folder).free
    if free < need:
        raise PackError(f"{folder} has {free / 1e6:.0f} MB free, and it needs {need / 1e6:.0f} MB")


def _place(
    source: Source,
    name: str,
    files: Sequence[ModelFile],
    folder: Path,
    progress: Progress,
    record: PackRecord | None,
    replace: bool,
) -> Path:
    """Copy and check the files beside their place, then move them there at once; else leave nothing."""
    fresh = folder / f".{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        done = 0
        for file in files:
            if file.name not in source:
                raise PackError(f"the archive or folder holds no {file.name}")
            for size in _copied(source[file.name], fresh / file.name, file):
                progress(done + size, _total(files))
            done += file.size
        if record is not None:
            write_record(fresh, record)
        return _moved(fresh, folder / name, replace)
    except BaseException:  # also Ctrl-C
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _moved(fresh: Path, pack: Path, replace: bool) -> Path:
    old = pack.with_name(f".{pack.name}.old")
    _forget(old)
    if pack.exists() or pack.is_symlink():
        if replace:
            pack.rename(old)
        else:
            pack.rmdir()  # empty, or it is somebody's and stays
    fresh.rename(pack)
    _forget(old)
    return pack


def _forget(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _copied(open_file: Callable[[], IO[bytes]], target: Path, pinned: ModelFile) -> Iterator[int]:
    """Write one file, yielding its size so far. Raises PackError when it is not the pinned one."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as written:
        for chunk in _chunks(pinned.name, open_file):
            digest.update(chunk)
            size += len(chunk)
            if size > pinned.size:
                break  # no archive unpacks for ever
            written.write(chunk)
            yield size
        written.flush()
        os.fsync(written.fileno())  # a box may lose its power at any time
    if digest.hexdigest() != pinned.sha256:
        raise PackError(f"{pinned.name} is not the file that we know (its SHA-256 differs)")


def _chunks(name: str, open_file: Callable[[], IO[bytes]]) -> Iterator[bytes]:
    """Yield the content of a file in a source. Raises PackError for whatever a torn archive does."""
    try:
        with open_file() as opened:
            while chunk := opened.read(CHUNK):
                yield chunk
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise PackError(f"{name} cannot be read from it ({error})") from error


def _total(files: Sequence[ModelFile]) -> int:
    return sum(file.size for file in files)

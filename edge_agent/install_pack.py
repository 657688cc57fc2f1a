"""`hadir agent models install`: a pack downloaded or copied, once its licence is accepted."""

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from common.logs import redact
from edge_agent.adapters import model_packs
from edge_agent.adapters.model_packs import PackError, Source
from edge_agent.adapters.pack_download import UnreachableError
from edge_agent.adapters.pack_record import RECORD_FILE, PackRecord, now, read_record, who, write_record
from edge_agent.core.packs import Catalogue, Licence, ModelPack, packs_among
from edge_agent.progress import progress_on

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class RefusalError(Exception):
    """The command cannot be obeyed as it was given; the message is what the technician reads."""


def install_pack(args: argparse.Namespace, catalogue: Catalogue) -> dict[str, Any]:
    """Install what args ask for; return the facts about it. Raises RefusalError and PackError."""
    folder = (args.folder or model_packs.packs_folder()).absolute()
    source = args.source or (None if args.what in catalogue else Path(args.what))
    if source is None:
        return _download(catalogue[args.what], folder, args)
    if not source.exists():
        known = ", ".join(catalogue)
        raise RefusalError(f"There is no pack and no file {source}. Known packs: {known}.")
    wanted = args.what if args.source else None
    if wanted is not None and wanted not in catalogue:
        raise RefusalError(f"{wanted} is not a pack that we know: {', '.join(catalogue)}.")
    with model_packs.opened_source(source, wanted) as files:
        pack = catalogue[wanted] if wanted else _pack_in(files, source, catalogue)
        if pack is None:
            return _copy_unpinned(files, source, folder, args)
        return _copy(pack, files, source, folder, args)


def _pack_in(files: Source, path: Path, catalogue: Catalogue) -> ModelPack | None:
    """Return the known pack that a zip or a folder holds, by its name or by those of its files."""
    if _called(path) in catalogue:
        return catalogue[_called(path)]
    among = packs_among(files.keys(), catalogue)
    if len(among) > 1:
        names = ", ".join(pack.name for pack in among)
        raise RefusalError(f"{path} holds several packs ({names}): say which, NAME --from {path}.")
    return among[0] if among else None


def _called(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _download(pack: ModelPack, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    url = f"{args.base_url.rstrip('/')}/{pack.name}.zip"
    if done := _already(pack, folder, args):
        return done
    _accept(pack.licence, args.accept_licence)
    _tell(f"Downloading {pack.name} ({pack.zip_size / 1e6:.0f} MB) from {redact(url)}")
    with closing(progress_on(sys.stderr)) as progress, _said_of(pack.name):
        placed = model_packs.download_pack(
            folder,
            pack,
            progress,
            base_url=args.base_url,
            record=_record(pack, redact(url)),
            replace=args.replace,
        )
    return _installed(placed, pack.name, pinned=True)


def _copy(
    pack: ModelPack, files: Source, source: Path, folder: Path, args: argparse.Namespace
) -> dict[str, Any]:
    if done := _already(pack, folder, args):
        return done
    _accept(pack.licence, args.accept_licence)
    _tell(f"Copying {pack.name} from {source}")
    with closing(progress_on(sys.stderr)) as progress, _said_of(pack.name):
        placed = model_packs.copy_pack(
            files,
            folder,
            pack.name,
            pack.files,
            progress,
            record=_record(pack, str(source.resolve())),
            replace=args.replace,
        )
    return _installed(placed, pack.name, pinned=True)


def _copy_unpinned(files: Source, source: Path, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    name = _called(source)
    if not files:
        raise RefusalError(f"There is no model (*.onnx) in {source}. A zip in it has to be named itself.")
    if not _NAME.fullmatch(name):
        raise RefusalError(f"{name!r} cannot be a pack's name: a-z, 0-9, '.', '_' and '-'. Rename it.")
    if not args.accept_unpinned:
        raise RefusalError(
            f"{name} is not a pack that we know, so nobody can say whether its files are the right ones.\n"
            "If you know where it comes from and may use it, repeat with --accept-unpinned: its files are\n"
            "then trusted as they are now, that is written down, and every later change is noticed."
        )
    with closing(progress_on(sys.stderr)) as progress, _said_of(name):
        pins = model_packs.measured(files)
        record = PackRecord(
            pack=name,
            source=str(source.resolve()),
            files={file.name: file.sha256 for file in pins},
            is_pinned=False,
            licence_id=None,
            licence_version=None,
            accepted_by=who(),
            accepted_at=now(),
        )
        placed = model_packs.copy_pack(
            files, folder, name, pins, progress, record=record, replace=args.replace
        )
    return _installed(placed, name, pinned=False)


def _already(pack: ModelPack, folder: Path, args: argparse.Namespace) -> dict[str, Any] | None:
    """Return the facts when the pack is there and right; its licence is accepted now if it was not before."""
    there = model_packs.installed_pack(folder, pack.name)
    if there is None:
        return None
    if bad := model_packs.faults(there, pack.files):
        if args.replace:
            return None
        raise PackError(
            f"There is a {pack.name} in {folder} already, but {bad[0].file} {bad[0].words}. "
            "Repeat with --replace to put the right one in its place."
        )
    record, licence = read_record(there), pack.licence
    if record is None or (record.licence_id, record.licence_version) != (licence.licence_id, licence.version):
        _accept(pack.licence, args.accept_licence)
        _note(there, _record(pack, "was there"))
    print(f"{pack.name} is installed already in {there}, and its files are the right ones.")
    return {"ok": True, "pack": pack.name, "path": str(there), "pinned": True, "already": True}


def _note(there: Path, record: PackRecord) -> None:
    try:
        write_record(there, record)
    except OSError as error:
        raise PackError(f"{there / RECORD_FILE} cannot be written ({error.strerror or error}).") from error


def _accept(licence: Licence, is_accepted: bool) -> None:
    """Show the licence and see to it that somebody accepts it. Raises RefusalError when nobody does."""
    _tell(f"\n{licence.text}\nThe owner's terms: {licence.url}\n")
    if is_accepted:
        _tell(f"Accepted by {who()} with --accept-licence.")
        return
    if not sys.stdin.isatty():
        raise RefusalError(
            "Nothing is installed: the licence above has to be accepted. Repeat with --accept-licence."
        )
    sys.stderr.write("Type yes to accept: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise RefusalError("Nothing is installed: the licence was not accepted.")


def _record(pack: ModelPack, source: str) -> PackRecord:
    return PackRecord(
        pack=pack.name,
        source=source,
        files={file.name: file.sha256 for file in pack.files},
        is_pinned=True,
        licence_id=pack.licence.licence_id,
        licence_version=pack.licence.version,
        accepted_by=who(),
        accepted_at=now(),
    )


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """Make a whole sentence of what went wrong with a pack."""
    try:
        yield
    except UnreachableError as error:
        instead = f"Without internet here, fetch {name}.zip elsewhere and repeat with --from PATH."
        raise PackError(f"{name} is not installed: {error}. {instead}") from error
    except PackError as error:
        raise PackError(f"{name} is not installed: {error}.") from error


def _installed(placed: Path, name: str, *, pinned: bool) -> dict[str, Any]:
    checked = "every file is the right one" if pinned else "its files are trusted as they came"
    print(f"Installed {name} in {placed}; {checked}.")
    is_usual = placed.parent == model_packs.packs_folder() and pinned
    print(f"Try it: hadir agent models verify {name if is_usual else placed}")
    print(f"Use it: `models: {name if is_usual else placed}` in agent.yaml")
    return {"ok": True, "pack": name, "path": str(placed), "pinned": pinned, "already": False}


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)

"""`hadir agent models verify`: is each file of a pack the right one, and does the pack work?"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_agent.adapters import model_packs
from edge_agent.adapters.model_packs import PackError
from edge_agent.adapters.pack_record import read_record
from edge_agent.core.packs import Catalogue, ModelFile
from edge_agent.install_pack import RefusalError


def verify_pack(args: argparse.Namespace, catalogue: Catalogue) -> dict[str, Any]:
    """Print what is found; return it. Raises RefusalError, and PackError when there is no pack."""
    pack, pins, is_pinned = _to_verify(args.what, catalogue)
    bad = {fault.file: fault for fault in model_packs.faults(pack, pins)}
    for file in pins:
        fault = bad.get(file.name)
        good = "is the file that we know" if is_pinned else "is as it was when it was installed"
        _finding(fault is None, f"{file.name} {fault.words if fault else good}")
    if not pins:
        _finding(None, "nobody has pinned these files, so they can only be tried")
    facts: dict[str, Any] = {
        "ok": not bad,
        "pack": pack.name,
        "path": str(pack),
        "pinned": is_pinned,
        "faults": [asdict(fault) for fault in bad.values()],
        "model_id": None,
        "dimension": None,
    }
    if not bad:
        facts |= _tried(pack, pins, is_pinned)
    if not facts["ok"] and pack.name in catalogue:
        place = "" if pack.parent == model_packs.packs_folder() else f" --to {pack.parent}"
        print(f"Put it right with: hadir agent models install {pack.name} --replace{place}", file=sys.stderr)
    return facts


def _to_verify(what: str, catalogue: Catalogue) -> tuple[Path, tuple[ModelFile, ...], bool]:
    """Return a pack's folder, what its files must be, and whether we knew that before it was installed."""
    pack = Path(what).absolute()
    if not pack.is_dir():
        if what not in catalogue:
            known = ", ".join(catalogue)
            raise RefusalError(f"There is no folder {what}, and no pack of that name. Known packs: {known}.")
        pack = model_packs.packs_folder() / what
        if not pack.is_dir():
            raise PackError(
                f"{what} is missing: there is none in {pack.parent}. "
                f"Install it with: hadir agent models install {what}"
            )
    if pack.name in catalogue:
        return pack, catalogue[pack.name].files, True
    record = read_record(pack)
    return pack, model_packs.pins_of(record) if record else (), False


def _tried(pack: Path, pins: tuple[ModelFile, ...], is_pinned: bool) -> dict[str, Any]:
    from edge_agent.adapters.pack_trial import try_pack

    try:
        trial = try_pack(pack)
    except PackError as error:
        _finding(False, f"it cannot be used: {error}")
        return {"ok": False, "error": str(error)}
    if is_pinned and trial.model_id.partition(":")[2] not in {file.sha256[:12] for file in pins}:
        words = "another recogniser in this folder is taken instead of the one that we know"
        _finding(False, words)
        return {"ok": False, "error": words}
    _finding(
        True,
        f"it runs: {trial.faces} faces found in the test photograph, embeddings of {trial.dimension} numbers "
        f"({trial.seconds:.1f} s in all)",
    )
    print(f"{pack.name} can be used. model_id {trial.model_id}, dimension {trial.dimension}.")
    return asdict(trial)


def _finding(is_good: bool | None, words: str) -> None:
    print(f"{'note' if is_good is None else 'ok  ' if is_good else 'FAIL'}  {words}", flush=True)

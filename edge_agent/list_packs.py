"""`hadir agent models list`: the packs that we know, and those that are on this machine."""

import argparse
from pathlib import Path
from typing import Any

from edge_agent.adapters import model_packs
from edge_agent.adapters.pack_record import read_record
from edge_agent.core.packs import PRODUCTION, Catalogue, ModelPack

HEADINGS = ("", "pack", "MB", "detector, recogniser", "dim", "installed", "licence", "good for")
RIGHT = (2, 4)  # columns of numbers
STATES = {"missing": "incomplete", "short": "corrupt", "different": "corrupt", "unreadable": "unreadable"}


def list_packs(args: argparse.Namespace, catalogue: Catalogue) -> dict[str, Any]:
    """Print the table; return what is in it."""
    folder = (args.folder or model_packs.packs_folder()).absolute()
    rows = [_row(pack, folder) for pack in catalogue.values()]
    rows += [_foreign_row(each) for each in _others(folder, catalogue)]
    _print_table([HEADINGS, *map(_cells, rows)])
    print(f"* the default for production. Packs are kept in {folder}.")
    print("Research only: InsightFace's terms forbid business use without their licence;")
    print("docs/model-licences.md says more. Install one with: hadir agent models install NAME")
    return {"ok": True, "folder": str(folder), "default": PRODUCTION, "packs": rows}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    mark = "*" if row["name"] == PRODUCTION else ""
    numbers = _mb(row["zip_size"]), str(row["dimension"] or "?")
    state, licence = row["state"], row["licence_words"]
    return mark, row["name"], numbers[0], row["networks"], numbers[1], state, licence, row["about"]


def _print_table(table: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def _row(pack: ModelPack, folder: Path) -> dict[str, Any]:
    there = model_packs.installed_pack(folder, pack.name)
    bad = model_packs.faults(there, pack.files) if there else []
    record = read_record(there) if there else None
    accepted = record and record.licence_id and {"by": record.accepted_by, "at": record.accepted_at}
    state = "no" if there is None else STATES[bad[0].kind] if bad else "yes, verified"
    return {
        "name": pack.name,
        "zip_size": pack.zip_size,
        "networks": pack.networks,
        "detector": pack.detector.name,
        "recogniser": pack.recogniser.name,
        "dimension": pack.dimension,
        "about": pack.about,
        "installed": there is not None,
        "verified": there is not None and not bad,
        "pinned": True,
        "state": state,
        "licence": pack.licence.licence_id,
        "licence_words": pack.licence.short + (", accepted" if accepted else ""),
        "accepted": accepted or None,
    }


def _others(folder: Path, catalogue: Catalogue) -> list[Path]:
    """Return the packs of a folder that have no place in the catalogue."""
    found = sorted({file.parent for file in folder.glob("*/*.onnx")}) if folder.is_dir() else []
    return [each for each in found if each.name not in catalogue and not each.name.startswith(".")]


def _foreign_row(pack: Path) -> dict[str, Any]:
    record = read_record(pack)
    good = record is not None and model_packs.is_known(pack, model_packs.pins_of(record))
    return {
        "name": pack.name,
        "zip_size": None,
        "networks": "not known to us",
        "detector": None,
        "recogniser": None,
        "dimension": None,
        "about": "your own" if record else "",
        "installed": True,
        "verified": good,
        "pinned": False,
        "state": "yes, unpinned" if record is None else "yes, as it came" if good else "changed since",
        "licence": None,
        "licence_words": "its owner's",
        "accepted": {"by": record.accepted_by, "at": record.accepted_at} if record else None,
    }


def _mb(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.0f}"

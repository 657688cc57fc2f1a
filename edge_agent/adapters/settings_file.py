"""Adds cameras to agent.yaml, and their login to agent.env beside it, without touching what is there."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

NO_CAMERAS = re.compile(r"^cameras:[ \t]*(\[[ \t]*\]|null|~)?[ \t]*(#.*)?$", re.MULTILINE)
ANY_CAMERAS = re.compile(r"^cameras[ \t]*:", re.MULTILINE)


class SettingsFileError(Exception):
    """The file cannot be added to; says why."""


def add_cameras(path: Path, lines: Sequence[str]) -> None:
    """Add lines, the entries of `cameras:`, to the settings at path. Raises SettingsFileError.

    Comments and everything else stay as they are. A file that has cameras already is left alone.
    """
    text = _read(path)
    before = _parsed(path, text)
    if before.get("cameras"):
        raise SettingsFileError(f"{path} has cameras already; add the lines by hand")
    block = "\n".join(["cameras:", *lines])
    if ANY_CAMERAS.search(text):
        added, count = NO_CAMERAS.subn(lambda _: block, text, count=1)
        if count != 1:
            raise SettingsFileError(
                f"{path} has a `cameras:` that is written unusually; add the lines by hand"
            )
    else:
        added = f"{text.rstrip(chr(10))}\n\n{block}\n" if text.strip() else f"{block}\n"
    after = _parsed(path, added)
    if {**after, "cameras": None} != {**before, "cameras": None} or not after.get("cameras"):
        raise SettingsFileError(f"{path} could not be added to safely; add the lines by hand")
    _replace(path, added, mode=0o640)


def add_variables(path: Path, values: Mapping[str, str], like: Path) -> None:
    """Add NAME=value lines to path, an EnvironmentFile of systemd; it gets the owner and mode of like.

    Raises SettingsFileError when a name has another value there already.
    """
    text = _read(path) if path.exists() else ""
    there = dict(line.strip().split("=", 1) for line in text.splitlines() if re.match(r"\s*\w+=", line))
    for name, value in values.items():
        if there.get(name, value).strip("'\"") != value:
            raise SettingsFileError(f"{path} has another {name} already; change it by hand if it is wrong")
    new = "".join(f"{name}={value}\n" for name, value in values.items() if name not in there)
    if new:
        _replace(path, f"{text.rstrip(chr(10))}\n{new}" if text.strip() else new, mode=0o640, like=like)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsFileError(f"{path} cannot be read ({error})") from error


def _parsed(path: Path, text: str) -> dict[str, object]:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsFileError(f"{path} is not YAML: put it right first ({error})") from error
    if parsed is not None and not isinstance(parsed, dict):
        raise SettingsFileError(f"{path} does not hold `key: value` lines")
    return dict(parsed or {})


def _replace(path: Path, text: str, *, mode: int, like: Path | None = None) -> None:
    """Put text in path's place, whole or not at all, with the owner and mode that path, or like, has."""
    model = path if path.exists() else like if like is not None and like.exists() else None
    draft = path.with_name(f".{path.name}.new")
    try:
        about = model.stat() if model else None
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if about is not None and os.geteuid() == 0:
                os.fchown(file.fileno(), about.st_uid, about.st_gid)
            os.fchmod(file.fileno(), about.st_mode & 0o777 if about is not None else mode)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise SettingsFileError(f"{path} cannot be written ({error.strerror}); as root?") from error

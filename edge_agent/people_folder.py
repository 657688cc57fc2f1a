"""A folder with one folder of photos a person: how a technician brings people along without a server."""

import sys
from collections.abc import Callable
from pathlib import Path

from common.ids import EmployeeId, is_employee_id
from edge_agent.core.gallery import Gallery, Template
from edge_agent.enrolment import Enrolled, Refused, embed_portrait
from edge_agent.ports import FaceAnalyser

Say = Callable[[str], None]
PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


class InputError(Exception):
    """A file or folder that was named cannot be used; the message is one sentence about it."""


def complain(words: str) -> None:
    """Tell the technician on stderr; stdout is for results."""
    print(words, file=sys.stderr, flush=True)


def gallery_of(people: Path, analyser: FaceAnalyser) -> Gallery:
    """Return the gallery of a folder with one folder a person. Photos that cannot be used are reported.

    Raises InputError when no photo can be used.
    """
    templates: list[Template] = []
    for employee_id, photos in people_in(people):
        first_id = len(templates) + 1
        for photo in photos:
            outcome = portrait(photo, analyser)
            if isinstance(outcome, Enrolled):
                templates.append(Template(len(templates) + 1, employee_id, outcome.embedding))
            else:
                complain(f"{photo} is not used: {outcome.words}")
        if len(templates) < first_id:
            complain(f"{employee_id} is not enrolled: no usable photo.")
    if not templates:
        raise no_photo(people)
    return Gallery.build(analyser.model_id, 1, templates)


def no_photo(people: Path) -> InputError:
    """Return what to say when a folder has nobody in it."""
    return InputError(f"No usable photo was found in {people}; it needs one folder a person, photos inside.")


def people_in(people: Path, say: Say = complain) -> list[tuple[EmployeeId, list[Path]]]:
    """Return who has a folder, by name, and the photos in it. What is passed over is said.

    Raises InputError when there is no such folder, or it cannot be read.
    """
    found = []
    for folder in _entries(people):
        if folder.is_dir() and not is_employee_id(folder.name):
            say(f"{folder} is passed over: its name cannot be an employee code.")
        elif folder.is_dir():
            found.append((EmployeeId(folder.name), _photos_or_none(folder, say)))
        elif folder.suffix.lower() in PHOTOS:
            say(f"{folder} is passed over: a photo belongs into the folder of a person.")
    return found


def photos_in(folder: Path) -> list[Path]:
    """Return the photos directly in a folder, by name. Raises InputError when it cannot be read."""
    return [each for each in _entries(folder) if each.suffix.lower() in PHOTOS and not each.is_dir()]


def impostors_in(impostors: Path, say: Say = complain) -> list[tuple[str, list[Path]]]:
    """Return people who are not enrolled: a name for each and the photos.

    A photo that lies directly in the folder is of a person of its own; a folder in it is one person.
    Raises InputError when there is no such folder, or it cannot be read.
    """
    folders = [each for each in _entries(impostors) if each.is_dir()]
    alone = [(photo.name, [photo]) for photo in photos_in(impostors)]
    return alone + [(folder.name, _photos_or_none(folder, say)) for folder in folders]


def _photos_or_none(folder: Path, say: Say) -> list[Path]:
    try:
        return photos_in(folder)
    except InputError as error:
        say(str(error))
        return []


def portrait(photo: Path, analyser: FaceAnalyser) -> Enrolled | Refused:
    """Return the embedding of the one face in a photo, or why it cannot be used."""
    try:
        return embed_portrait(photo.read_bytes(), analyser)
    except OSError as error:
        return Refused("unreadable", f"The file cannot be read ({error.strerror}).")


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder, by name, without what is hidden."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read ({error.strerror}).") from error

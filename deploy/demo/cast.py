"""Who plays: the five who are enrolled, from the group photograph or from a folder of one's own."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from deploy.demo import scene

NAMES = ("Budi Santoso", "Dewi Lestari", "Agus Wijaya", "Rizky Pratama", "Putri Maharani")
DEPARTMENTS = ("Finance", "People", "Engineering", "Engineering", "Sales")
PHOTO_ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Player:
    employee_id: str
    name: str
    department: str
    photos: tuple[tuple[str, bytes], ...]  # file name, content


def from_group_photograph() -> tuple[Player, ...]:
    """Five of the six faces; the sixth stays unknown."""
    photograph = scene.group_photograph()
    return tuple(
        Player(f"EMP{number:03d}", name, department, ((f"{name}.jpg", _jpeg(photograph, number - 1)),))
        for number, (name, department) in enumerate(zip(NAMES, DEPARTMENTS, strict=True), start=1)
    )


def from_folder(folder: Path) -> tuple[Player, ...]:
    """One player a folder, named as the folder is. Raises ValueError when there is nobody in it."""
    players = []
    for person in sorted(each for each in folder.iterdir() if each.is_dir()):
        photos = [each for each in sorted(person.iterdir()) if each.suffix.lower() in PHOTO_ENDINGS]
        if photos:
            name = person.name.replace("_", " ").replace("-", " ").title()
            content = tuple((photo.name, photo.read_bytes()) for photo in photos)
            players.append(Player(f"EMP{len(players) + 1:03d}", name, "", content))
    if not players:
        raise ValueError(
            f"no photos found: {folder} needs one folder a person with .jpg or .png files inside"
        )
    return tuple(players)


def _jpeg(photograph: "cv2.typing.MatLike", person: int) -> bytes:
    _, encoded = cv2.imencode(".jpg", scene.portrait(photograph, person), [cv2.IMWRITE_JPEG_QUALITY, 95])
    return encoded.tobytes()

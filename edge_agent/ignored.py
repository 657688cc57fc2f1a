"""Faces to ignore: a folder of photos of posters, portraits on the wall, people not to be told of."""

from collections.abc import Callable
from pathlib import Path

from common.ids import EmployeeId
from edge_agent.core.gallery import Template
from edge_agent.enrolment import Refused
from edge_agent.people_folder import InputError, photos_in, portrait
from edge_agent.ports import FaceAnalyser

_Stamp = tuple[str, int, int]  # a photo as it is now: name, time of change, size


class IgnoredFaces:
    """The anchors of a folder. A photo is embedded once, and again when it changes.

    Not for several threads at once.
    """

    def __init__(self, folder: Path, analyser: FaceAnalyser, complain: Callable[[str], None]) -> None:
        self._folder, self._analyser, self._complain = folder, analyser, complain
        self._known: dict[_Stamp, Template | None] = {}  # None: it cannot be used
        self._last_id = 0

    def anchors(self) -> list[Template]:
        """Return an anchor for each photo in the folder that can be used; the others are complained of once.

        Their template ids are negative, so that they meet none of the server's.
        """
        try:
            photos = photos_in(self._folder) if self._folder.is_dir() else []
            stamps = {(each.name, each.stat().st_mtime_ns, each.stat().st_size): each for each in photos}
        except (InputError, OSError) as error:
            self._complain(f"{self._folder} cannot be read ({error})")
        else:
            self._known = {
                stamp: self._known[stamp] if stamp in self._known else self._embedded(photo)
                for stamp, photo in stamps.items()
            }
        return [each for each in self._known.values() if each]

    def _embedded(self, photo: Path) -> Template | None:
        outcome = portrait(photo, self._analyser)
        if isinstance(outcome, Refused):
            self._complain(f"{photo} is not used: {outcome.words}")
            return None
        self._last_id -= 1
        return Template(self._last_id, EmployeeId(""), outcome.embedding, is_ignored=True)

"""Where somebody may be: absence is proven only when every camera of all those places has watched.

The places are the zones that HR gave, and those in which the person was seen lately; whoever is new may be
anywhere at the site. A zone of which nothing is known any more is no place; one that lost its last camera
proves nothing; public zones do not count, as nobody is identified there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from central_server.domain.coverage import Proof, SiteCoverage, place_of

LATELY = timedelta(days=14)  # today is one of them


def places_after(places: Mapping[str, str], place: str, day: date) -> Mapping[str, str]:
    """Return where somebody was seen lately, each place with the last business date, after one more sighting.

    The very same object when the sighting changes nothing.
    """
    newest = max(day.isoformat(), *places.values()) if places else day.isoformat()
    if places.get(place, "") >= day.isoformat():
        return places
    oldest = (date.fromisoformat(newest) - LATELY).isoformat()
    return {name: last for name, last in {**places, place: day.isoformat()}.items() if last > oldest}


@dataclass
class Whereabouts:
    """What the cameras prove about people, by where each may be; the same places are one question."""

    coverage: SiteCoverage
    known: dict[tuple[frozenset[str], frozenset[str], bool, str], Proof] = field(default_factory=dict)

    def proof(
        self, seen: Mapping[str, str], given: frozenset[str], last_camera: str | None, today: date
    ) -> Proof:
        """Return over which time every camera of the person's places has watched.

        seen: places, each with its last business date. given: zones by HR, none of them public.
        """
        oldest, this = (today - LATELY).isoformat(), today.isoformat()
        lately = frozenset(place for place, last in seen.items() if last > oldest)
        is_new = not given and not any(oldest < last < this for last in seen.values())
        key = (lately, given, is_new, last_camera or "")
        if key not in self.known:
            self.known[key] = self._proof(lately, given, is_new=is_new, last_camera=last_camera)
        return self.known[key]

    def _proof(
        self, lately: frozenset[str], given: frozenset[str], *, is_new: bool, last_camera: str | None
    ) -> Proof:
        zones = self.coverage.zones
        blind = sorted(each for each in lately | given if not zones.get(each, each not in given))
        if blind:
            return Proof(None, missing=blind[0])
        cameras = {camera for each in lately | given for camera in zones.get(each, ())}
        if last_camera:
            cameras |= zones.get(place_of(None, last_camera), frozenset())
        if is_new or not any(each in zones for each in lately | given):
            cameras |= self.coverage.cameras
        return self.coverage.proof(cameras)

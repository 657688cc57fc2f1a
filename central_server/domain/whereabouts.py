"""Where somebody may be: absence is proven only when every camera of all those places has watched.

The places are the zones that HR gave, and those in which the person was seen lately; whoever is new may be
anywhere at the site. A zone of which nothing is known any more is no place. One that lost its last camera
proves nothing, for a few days: then it is a part of the world like any other that nobody watches. Public
zones do not count, as nobody is identified there.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from central_server.domain.coverage import Proof, SiteCoverage, place_of

LATELY = timedelta(days=14)  # today is one of them
FIRST = ""  # beside the places, none of which is called so
DARK = timedelta(days=4)  # the same for a zone that lost its last camera: over a weekend


def places_after(places: Mapping[str, str], place: str, day: date) -> Mapping[str, str]:
    """Return where somebody was seen lately, each place with the last business date, after one more sighting.

    FIRST stands for the first of these dates, as long as there is no gap of LATELY. The very same object when
    the sighting changes nothing.
    """
    if places.get(place, "") >= day.isoformat():
        return places
    known = {name: last for name, last in places.items() if name != FIRST}
    oldest = (date.fromisoformat(max(day.isoformat(), *known.values())) - LATELY).isoformat() if known else ""
    kept = {name: last for name, last in {**known, place: day.isoformat()}.items() if last > oldest}
    lately = [last for last in known.values() if last > oldest]
    first = min([*kept.values(), *lately, *([places[FIRST]] if lately and FIRST in places else [])])
    return {FIRST: first, **kept}


def has_a_past(seen: Mapping[str, str], today: date, there_are: Collection[str]) -> bool:
    """Tell whether something is known of where the person goes, from before today: else it may be anywhere.

    there_are: the places that there are now.
    """
    oldest = (today - LATELY).isoformat()
    first = seen.get(FIRST) or min(seen.values(), default=today.isoformat())
    is_known = any(last > oldest and place in there_are for place, last in seen.items() if place != FIRST)
    return is_known and first < today.isoformat()


@dataclass
class Whereabouts:
    """What the cameras prove about people, by where each may be; what is known of a place is kept."""

    coverage: SiteCoverage
    places: dict[str, Proof | None] = field(default_factory=dict)  # None: there is no such place any more
    whole_site: Proof = field(init=False)

    def __post_init__(self) -> None:
        self.whole_site = self.coverage.proof(self.coverage.cameras)

    def proof(
        self, seen: Mapping[str, str], given: frozenset[str], last_camera: str | None, today: date
    ) -> Proof:
        """Return over which time every camera of the person's places has watched.

        seen: places, each with its last business date. given: zones by HR, none of them public.
        """
        oldest = (today - LATELY).isoformat()
        dark = (today - DARK).isoformat()
        proofs = []
        for place, last in seen.items():
            is_dark = last <= dark and not self.coverage.zones.get(place)
            if place == FIRST or last <= oldest or is_dark:
                continue
            if (proof := self._of(place)) is not None:
                proofs.append(proof)
        proofs += [self._of(zone) or Proof(None, missing=zone) for zone in given]
        if last_camera and self.coverage.zones.get(place := place_of(None, last_camera)):
            proofs.append(self._of(place) or self.whole_site)  # it may have been moved to another zone
        if not given and not has_a_past(seen, today, self.coverage.zones):
            proofs.append(self.whole_site)
        return together(proofs)

    def _of(self, place: str) -> Proof | None:
        if place not in self.places:
            cameras = self.coverage.zones.get(place)
            found = None if cameras is None else self.coverage.proof(cameras)
            if found is not None and not cameras:
                found = Proof(None, missing=place)
            self.places[place] = found
        return self.places[place]


def together(proofs: Iterable[Proof]) -> Proof:
    """Return what some proofs prove together: the first that proves nothing, else what all of them cover."""
    since: datetime | None = None
    to: datetime | None = None
    for proof in proofs:
        if proof.since is None:
            return proof
        since = proof.since if since is None or proof.since > since else since
        if proof.to is not None and (to is None or proof.to < to):
            to = proof.to
    return Proof(since, to)

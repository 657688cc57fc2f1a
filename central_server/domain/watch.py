"""What has become of the watch since the last look: of whom can anything else be said by that alone?

A camera that fails, or is back, concerns whoever was seen by it last, and those missing or unknown who may be
where it looks. Everybody else who was seen a moment ago is there, whatever other cameras do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from central_server.domain.coverage import SiteCoverage, place_of
from central_server.domain.whereabouts import has_a_past


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """The places of which something else is proven than before."""

    places: frozenset[str]  # zones, and cameras as place_of names them
    is_whole_site: bool  # so is the site as a whole, where whoever is new may be anywhere
    there_are: frozenset[str]  # all places

    @property
    def cameras(self) -> list[str]:
        """The cameras among the places."""
        start = place_of(None, "")
        return sorted(each.removeprefix(start) for each in self.places if each.startswith(start))

    def concerns(self, seen: Mapping[str, str], given: frozenset[str], today: date) -> bool:
        """Tell whether what the cameras prove about somebody can be something else than before.

        seen: places, each with its last business date. given: zones by HR. Who was seen last by one of
        self.cameras is concerned anyway.
        """
        if not self.places.isdisjoint(seen) or not self.places.isdisjoint(given):
            return True
        return self.is_whole_site and not given and not has_a_past(seen, today, self.there_are)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Which cameras watch, as far as it decides about people. To the second: a clock that is corrected again
    and again moves an instant by a few milliseconds.
    """

    since: Mapping[str, datetime]  # of each camera that watches
    zones: Mapping[str, frozenset[str]]
    cameras: frozenset[str]  # of the site itself
    concerns_all: object  # what else there is

    @classmethod
    def of(cls, covered: SiteCoverage) -> "Watch":
        """Return what is to be remembered of a coverage."""
        site_since = covered.site_since and covered.site_since.replace(microsecond=0)
        return cls(
            since={camera: each.replace(microsecond=0) for camera, each in covered.watching.items()},
            zones=covered.zones,
            cameras=covered.cameras,
            concerns_all=(covered.is_held, covered.watermark is None, site_since),
        )

    def touched(self, before: "Watch | None") -> Touched | None:
        """Return what is otherwise than before; None: everything may be."""
        if before is None or before.concerns_all != self.concerns_all:
            return None
        changed = {each for each, _ in self.since.items() ^ before.since.items()}
        places = {
            each
            for each in self.zones.keys() | before.zones.keys()
            if self.zones.get(each) != before.zones.get(each)
            or not changed.isdisjoint(self.zones.get(each, ()))
        }
        return Touched(
            places=frozenset(places),
            is_whole_site=self.cameras != before.cameras or not changed.isdisjoint(self.cameras),
            there_are=frozenset(self.zones),
        )

"""Who was where when, according to two systems that watched the same video: what one found of the other's."""

from collections.abc import Sequence
from dataclasses import dataclass

GAP_S = 2.0  # hits on one person no further apart are one appearance
SLACK_S = 1.0  # by which the two may differ about an appearance's ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One person, named without a longer break. Seconds are of the video."""

    person: str
    first_s: float  # what was seen of them first
    last_s: float
    named_s: float  # when their name was first said

    def meets(self, other: "Named") -> bool:
        """Tell whether both are about the same person at about the same time."""
        return (
            self.person == other.person
            and self.first_s <= other.last_s + SLACK_S
            and other.first_s <= self.last_s + SLACK_S
        )


def appearances(hits: Sequence[tuple[float, str]]) -> list[Named]:
    """Return the appearances that single hits (second, person) make up, in order."""
    last: dict[str, Named] = {}
    done: list[Named] = []
    for at_s, person in sorted(hits):
        known = last.get(person)
        if known is None or at_s - known.last_s > GAP_S:
            if known is not None:
                done.append(known)
            last[person] = Named(person=person, first_s=at_s, last_s=at_s, named_s=at_s)
        else:
            last[person] = Named(person=person, first_s=known.first_s, last_s=at_s, named_s=known.named_s)
    return sorted([*done, *last.values()], key=lambda each: (each.first_s, each.person))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one system's appearances stand against a reference's."""

    found: int
    missed: tuple[Named, ...]  # of the reference
    unsupported: tuple[Named, ...]  # ours, that the reference knows nothing of
    delays_s: tuple[float, ...]  # our first name after the reference's, an appearance; negative: before

    @property
    def recall(self) -> float:
        """Return the share of the reference's appearances that were found; 1 when there are none."""
        among = self.found + len(self.missed)
        return self.found / among if among else 1.0


def compared(ours: Sequence[Named], reference: Sequence[Named]) -> Comparison:
    """Return what ours found of reference."""
    delays, missed = [], []
    for each in reference:
        named = [mine.named_s for mine in ours if mine.meets(each)]
        if named:
            delays.append(min(named) - each.named_s)
        else:
            missed.append(each)
    return Comparison(
        found=len(delays),
        missed=tuple(missed),
        unsupported=tuple(mine for mine in ours if not any(mine.meets(each) for each in reference)),
        delays_s=tuple(delays),
    )

"""What happens in front of the demo's camera: who walks in when, who leaves, who comes back. Pure."""

from dataclasses import dataclass

WALK_S = 2.5  # from the edge of the picture to one's place, or back


@dataclass(frozen=True, slots=True)
class Stay:
    """One visit: seconds from the start of the clip at which the walk in and the walk out begin."""

    enters: float
    leaves: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Where somebody is: 0 is outside the picture, 1 is their own place."""

    arrival: float
    is_walking: bool


@dataclass(frozen=True, slots=True)
class Story:
    length_s: float
    visits: tuple[tuple[Stay, ...], ...]  # one row a person

    def pose(self, person: int, second: float) -> Pose | None:
        """Return where person is at second, or None while out of the picture."""
        for stay in self.visits[person]:
            if stay.enters <= second < stay.enters + WALK_S:
                return Pose(_eased((second - stay.enters) / WALK_S), True)
            if stay.enters + WALK_S <= second < stay.leaves:
                return Pose(1.0, False)
            if stay.leaves <= second < stay.leaves + WALK_S:
                return Pose(_eased(1 - (second - stay.leaves) / WALK_S), True)
        return None


def office_morning(away_s: float) -> Story:
    """Five people and a stranger: the board fills, the first one is away for away_s seconds and returns.

    Everybody has left at the end, briefly, so that the clip can loop without anyone jumping into place.
    """
    leaves, returns = 20.0, 20.0 + away_s
    end = returns + 10
    gone = [end + second for second in range(5)]
    visits = (
        (Stay(1, leaves), Stay(returns, gone[0])),
        (Stay(3, gone[1]),),
        (Stay(5, gone[2]),),
        (Stay(7, gone[3]),),
        (Stay(9, gone[4]),),
        (Stay(12, min(40.0, end)),),
    )
    return Story(gone[4] + WALK_S + 0.5, visits)


def _eased(share: float) -> float:
    return share * share * (3 - 2 * share)

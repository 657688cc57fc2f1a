"""How long to wait after a number of failures."""


def delay_s(failures: int, *, chance: float, first_s: float = 1.0, most_s: float = 60.0) -> float:
    """Return seconds to wait: doubling from first_s to most_s, of which a random half is taken off.

    failures counts from 1; chance, uniform in 0..1, is given by the caller. The jitter is "equal jitter":
    never less than half of the full delay, so that a fleet neither hammers nor marches in step.
    """
    full = min(most_s, first_s * 2.0 ** min(max(failures, 1) - 1, 32))
    return full / 2 + full / 2 * chance

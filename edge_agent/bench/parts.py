"""Parts of a video, and what each of them cost."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from edge_agent.people_folder import InputError

Series = Sequence[Sequence[float]]  # (second, CPU-s until then, faces found there) a sample
CALM_S = 5.0  # without a face for longer than this, a part counts as empty
CROWD = 3  # faces on average that make a crowd


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    spans: tuple[tuple[float, float], ...]  # seconds

    @property
    def length_s(self) -> float:
        return sum(until - start for start, until in self.spans)


def given_part(words: str) -> Part:
    """Return the part that NAME=FROM-TO[,FROM-TO] means. Raises InputError."""
    name, _, spans = words.partition("=")
    try:
        found = tuple((float(a), float(b)) for a, b in (each.split("-") for each in spans.split(",")))
    except ValueError as error:
        raise InputError(f"--part wants NAME=FROM-TO in seconds, not {words!r}.") from error
    if not name or any(until <= start for start, until in found):
        raise InputError(f"--part wants NAME=FROM-TO in seconds, not {words!r}.")
    return Part(name, found)


def automatic_parts(series: Series) -> list[Part]:
    """Return the parts without a face and those with a crowd, as one system saw them."""
    seconds: dict[int, list[float]] = {}
    for at_s, _, faces in series:
        seconds.setdefault(int(at_s), []).append(faces)
    # The last sample lasts as long as the one before it did.
    end_s = round(2 * series[-1][0] - series[-2][0], 3) if len(series) > 1 else float("inf")
    mean = {second: sum(each) / len(each) for second, each in seconds.items()}
    empty = [span for span in _spans(mean, lambda faces: faces == 0, end_s) if span[1] - span[0] > CALM_S]
    crowd = _spans(mean, lambda faces: faces >= CROWD, end_s)
    named = (("without a face", empty), (f"{CROWD} faces and more", crowd))
    return [Part(name, tuple(spans)) for name, spans in named if spans]


def _spans(mean: dict[int, float], belongs: object, end_s: float) -> list[tuple[float, float]]:
    spans = []
    for is_in, group in groupby(sorted(mean), key=lambda second: belongs(mean[second])):  # type: ignore[operator]
        run = list(group)
        if is_in:
            spans.append((float(run[0]), min(float(run[-1] + 1), end_s)))
    return spans


def cost_of(part: Part, series: Series) -> float:
    """Return the processor time of a run within part."""
    return sum(_until(until, series) - _until(start, series) for start, until in part.spans)


def _until(at_s: float, series: Series) -> float:
    """Return the processor time spent up to at_s of the video."""
    index = bisect_left(series, at_s, key=lambda row: row[0])
    return series[min(index, len(series) - 1)][1] if series else 0.0

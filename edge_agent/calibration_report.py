"""A calibration in words: for the technician, and as one JSON object."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_agent.core.calibration import Basis, OperatingPoint, Proposal, Rate
from edge_agent.core.comparisons import Photo
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.photo_faults import Alike, Judgement, Likeness, Unlike

SHOWN = 20  # of a list; --json has all of it
LIKENESS = {
    Likeness.SAME_PICTURE: "one picture under two names",
    Likeness.ONE_PERSON: "one person under two names? (or twins)",
    Likeness.WOULD_MATCH: "would match: two people, or a photo in the wrong folder?",
    Likeness.NEAR: "near the threshold",
}


@dataclass(frozen=True, slots=True)
class RefusedPhoto:
    photo: str
    reason: str  # a key of enrolment.WORDS, or unreadable
    words: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """Everything that a run found out."""

    model_id: str
    policy: MatchPolicy
    photos: tuple[Photo, ...]
    refused: tuple[RefusedPhoto, ...]
    without_photo: tuple[str, ...]  # people who have a folder, and in it no photo that can be used
    judgement: Judgement
    proposal: Proposal
    points: tuple[OperatingPoint, ...]  # by threshold; the model's own and the proposed are among them

    @property
    def people(self) -> set[str]:
        return {photo.person for photo in self.photos if photo.is_enrolled}

    @property
    def impostors(self) -> set[str]:
        return {photo.person for photo in self.photos if not photo.is_enrolled}

    def at(self, threshold: float) -> OperatingPoint:
        """Return the point nearest to a threshold."""
        return min(self.points, key=lambda point: abs(point.threshold - threshold))


def lines_of(calibration: Calibration) -> Iterator[str]:
    """Yield the report, line by line."""
    enrolled = sum(photo.is_enrolled for photo in calibration.photos)
    strangers = len(calibration.photos) - enrolled
    yield f"Recogniser {calibration.model_id}"
    yield (
        f"{enrolled} photos of {len(calibration.people)} people, {strangers} impostor photos"
        f" of {len(calibration.impostors)} people, {len(calibration.refused)} photos not used"
    )
    yield from _faults(calibration)
    yield ""
    yield from _table(calibration)
    yield ""
    yield from proposal_in_words(calibration)


def _faults(calibration: Calibration) -> Iterator[str]:
    faults = calibration.judgement.faults
    refused = [f"{each.photo}: {each.words}" for each in calibration.refused]
    yield from _list("Not used", refused)
    yield from _list("Unlike their owner", [_unlike_in_words(each) for each in faults.unlike])
    yield from _list("Too like someone else", [_alike_in_words(each) for each in faults.alike])
    copies = [f"{other} is the same picture as {one}" for one, other in faults.copies]
    yield from _list("Copies, which teach the recogniser nothing", copies)
    yield from _names("Only one photo, which cannot be judged: add a second", faults.single)
    yield from _names("Without a photo that can be used", calibration.without_photo)


def _names(title: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        more = len(names) - SHOWN
        yield from ("", f"{title} ({len(names)})")
        yield "  " + ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _list(title: str, entries: Sequence[str]) -> Iterator[str]:
    if not entries:
        return
    yield from ("", f"{title} ({len(entries)})")
    yield from (f"  {each}" for each in entries[:SHOWN])
    if len(entries) > SHOWN:
        yield f"  and {len(entries) - SHOWN} more: --json lists them all"


def _unlike_in_words(unlike: Unlike) -> str:
    words = f"{unlike.photo}: {unlike.similarity:.2f} at best to the other photos of {unlike.person}"
    if unlike.is_misplaced:
        return (
            f"{words}, but {unlike.other_similarity:.2f} to {unlike.nearest_other}:"
            " in the wrong folder? Left out of the figures"
        )
    return f"{words}: the wrong person, or too poor a photo"


def _alike_in_words(alike: Alike) -> str:
    one, other = alike.photos
    return f"{alike.similarity:.2f}  {one} and {other}: {LIKENESS[alike.likeness]}"


def _table(calibration: Calibration) -> Iterator[str]:
    point, proposal = calibration.points[0], calibration.proposal
    yield (
        f"FMR: {point.fmr.trials} comparisons of different people ({point.fmr.independent} pairs of people)."
        f" FNMR: {point.fnmr.trials} of a photo with its owner's others ({point.fnmr.independent} people)."
    )
    if left_out := calibration.judgement.left_out:
        yield (
            f"{left_out} comparisons of people who look like one person are not counted."
            " If they are different people after all, they are false matches."
        )
    yield (
        f"FPIR, FNIR: a search among {len(calibration.people)} people, with the margin"
        f" {calibration.policy.margin:g}, by one look. In brackets: the true rate at most, 19 times in 20."
    )
    yield ""
    rows = [
        [_rate(rate) for rate in (each.fmr, each.fnmr, each.fpir, each.fnir)] for each in calibration.points
    ]
    width = max(len(cell) for row in rows for cell in row) + 2
    yield "threshold" + "".join(f"{name:>{width}}" for name in ("FMR", "FNMR", "FPIR", "FNIR"))
    for point, row in zip(calibration.points, rows, strict=True):
        yield f"{point.threshold:9.3f}" + "".join(f"{cell:>{width}}" for cell in row) + _mark(point, proposal)


def _mark(point: OperatingPoint, proposal: Proposal) -> str:
    marks = (("proposed", proposal.threshold), ("the model's own", proposal.default))
    found = [words for words, threshold in marks if threshold == point.threshold]
    return "  <- " + ", ".join(found) if found else ""


def _rate(rate: Rate) -> str:
    return f"{percent(rate.value)} (≤ {percent(rate.at_most)})" if rate.trials else "-"


def percent(share: float) -> str:
    """Return a share of 0..1 as people read it: 12 %, 1.2 %, 0.012 %, never 0 % unless it is 0."""
    if math.isnan(share):
        return "-"
    digits = 0 if share >= 0.1 or not share else 1 - math.floor(math.log10(100 * share))
    return f"{100 * share:.{digits}f} %"


def proposal_in_words(calibration: Calibration) -> Iterator[str]:
    """Yield which threshold is proposed and why, sentence by sentence."""
    proposal = calibration.proposal
    yield f"Proposed threshold: {proposal.threshold:g}"
    yield _REASONS[proposal.basis](calibration)
    if proposal.basis in (Basis.DEFAULT_STANDS, Basis.RAISED):
        yield _too_few(calibration)
    yield _misses(calibration)
    if calibration.judgement.faults.unlike or calibration.judgement.left_out:
        yield "Look at the photos listed above, put them right, and run this again."
    yield (
        "Cameras see worse than portraits show: add faces cut from your cameras' pictures to the photos,"
        " or expect more to be missed."
    )
    if proposal.threshold == proposal.default:
        yield "It is what this model asks for by itself: leave match.threshold out of agent.yaml."
    else:
        yield (
            f"To use it, write `threshold: {proposal.threshold:g}` under `match:` in agent.yaml and start the"
            f" agent again. It holds for {calibration.model_id} only."
        )


def _measured(calibration: Calibration) -> str:
    proposal, here = calibration.proposal, calibration.at(calibration.proposal.threshold)
    words = (
        f"It is the lowest at which no more than {100 * proposal.target:g} % of the comparisons of different"
        f" people match: {percent(here.fmr.value)} did, and with {proposal.pairs} pairs of people that is"
        f" {percent(here.fmr.at_most)} at most."
    )
    there = calibration.at(proposal.default)
    if proposal.threshold < proposal.default:
        return (
            f"{words} It is below the model's own {proposal.default:g}, where {percent(there.fnmr.value)} of"
            f" the photos are missed instead of {percent(here.fnmr.value)}; the price is that a search for a"
            f" face that is not enrolled gives a name in {percent(here.fpir.value)} of the cases instead of"
            f" {percent(there.fpir.value)}."
        )
    if proposal.threshold > proposal.default:
        return f"{words} At the model's own {proposal.default:g} {percent(there.fmr.value)} match."
    return words


def _default_stands(calibration: Calibration) -> str:
    proposal = calibration.proposal
    return (
        f"It is the model's own, and nothing speaks against it: {_most_alike(calibration)}, and that is"
        f" {proposal.threshold - proposal.highest_impostor:.2f} below it."
    )


def _raised(calibration: Calibration) -> str:
    proposal = calibration.proposal
    return (
        f"It is above the model's own {proposal.default:g}, because {_most_alike(calibration)}; the model's"
        f" margin, {calibration.policy.margin:g}, is added to that. If the two are one person, put that right"
        " and run this again."
    )


def _nothing(_: Calibration) -> str:
    return (
        "It is the model's own: nobody was compared with anybody else. Give photos of two people or more,"
        " or --impostors."
    )


_REASONS = {
    Basis.MEASURED: _measured,
    Basis.DEFAULT_STANDS: _default_stands,
    Basis.RAISED: _raised,
    Basis.NOTHING: _nothing,
}


def _most_alike(calibration: Calibration) -> str:
    similarity, one, other = calibration.judgement.comparisons.most_alike() or (math.nan, "", "")
    return f"the most alike of different people are {one} and {other} with {similarity:.2f}"


def _too_few(calibration: Calibration) -> str:
    """Say what the photos cannot show, and what could."""
    proposal, people = calibration.proposal, len(calibration.people)
    needed = math.ceil((1 + math.sqrt(1 + 8 * proposal.pairs_needed)) / 2)
    strangers = math.ceil((proposal.pairs_needed - people * (people - 1) / 2) / people)
    return (
        f"The photos are too few to show a false match rate of {100 * proposal.target:g} %: that takes"
        f" {proposal.pairs_needed} pairs of different people without a false match ({needed} people, or these"
        f" {people} and {strangers} impostors), and here are {proposal.pairs}, which show"
        f" {percent(min(1.0, 3 / proposal.pairs))} at best."
    )


def _misses(calibration: Calibration) -> str:
    rate = calibration.at(calibration.proposal.threshold).fnmr
    if not rate.trials:
        return "Nobody has a second photo, so nobody knows how many would be missed: add second photos."
    return (
        f"At it, {rate.errors} of {rate.trials} photos would not be taken for their owner's; the least alike"
        f" has {calibration.proposal.lowest_genuine:.2f}."
    )


def as_json(calibration: Calibration) -> dict[str, Any]:
    """Return every figure, as JSON knows it: rates 0..1, similarities as cosines, null for what is not."""
    judgement, proposal = calibration.judgement, calibration.proposal
    counted = judgement.comparisons
    figures = {
        "model_id": calibration.model_id,
        "people": len(calibration.people),
        "photos": sum(photo.is_enrolled for photo in calibration.photos),
        "impostor_people": len(calibration.impostors),
        "impostor_photos": sum(not photo.is_enrolled for photo in calibration.photos),
        **asdict(proposal),
        "margin": calibration.policy.margin,
        "words": list(proposal_in_words(calibration)),
        "genuine": _spread(counted.genuine),
        "impostor": _spread(counted.impostor),
        "left_out": judgement.left_out,
        "points": [_point(point) for point in calibration.points],
        **asdict(judgement.faults),
        "without_photo": list(calibration.without_photo),
        "refused": [asdict(each) for each in calibration.refused],
    }
    return _plain(figures)


def _spread(similarities: np.ndarray) -> dict[str, Any]:
    if not len(similarities):
        return {"n": 0, "lowest": None, "median": None, "highest": None}
    lowest, median, highest = np.quantile(similarities, [0, 0.5, 1]).tolist()
    return {"n": len(similarities), "lowest": lowest, "median": median, "highest": highest}


def _point(point: OperatingPoint) -> dict[str, Any]:
    figures: dict[str, Any] = {"threshold": point.threshold}
    for name in ("fmr", "fnmr", "fpir", "fnir"):
        rate: Rate = getattr(point, name)
        figures |= {name: rate.value, f"{name}_at_most": rate.at_most, **_counts(name, rate)}
    return figures


def _counts(name: str, rate: Rate) -> dict[str, int]:
    return {
        f"{name}_errors": rate.errors,
        f"{name}_trials": rate.trials,
        f"{name}_independent": rate.independent,
    }


def _plain(value: Any) -> Any:
    """Return a value with floats of six decimals, and None for NaN, however deep."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 6)
    return value

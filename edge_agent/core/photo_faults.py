"""Enrolment photos that somebody should look at: in the wrong folder, too alike, copies, or alone.

A wrong photo in a gallery is worse than a missing one: every day it gives one person's name to another.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from edge_agent.core.comparisons import Comparisons, Photo, Subject, compare, copy_level
from edge_agent.core.identification import MatchPolicy


class Likeness(StrEnum):
    """What it may mean that two people's photos are alike, the gravest first."""

    SAME_PICTURE = "same_picture"  # one picture under two names
    ONE_PERSON = "one_person"  # most of their photos: one person enrolled twice, or twins
    WOULD_MATCH = "would_match"  # at or above the model's own threshold
    NEAR = "near"  # within the model's margin below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """A photo whose owner's other photos are all below the model's own threshold."""

    photo: str
    person: str
    similarity: float  # to the nearest of the owner's other photos
    nearest_other: str | None  # the nearest photo of anybody else, and how near
    other_similarity: float | None
    is_misplaced: bool  # clearly somebody else's: it is left out of every figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Two people, the second of whom may be an impostor, and their two most similar photos."""

    people: tuple[str, str]
    photos: tuple[str, str]
    similarity: float
    likeness: Likeness
    is_impostor: bool  # the second is not enrolled


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    unlike: tuple[Unlike, ...]  # the least alike first
    alike: tuple[Alike, ...]  # the most alike first
    copies: tuple[tuple[str, str], ...]  # within one person: the second tells nothing new
    single: tuple[str, ...]  # people with one photo, copies not counted: it cannot be judged


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """The faults, and the comparisons that the error rates are counted on.

    An enrolment mistake is not an error of the recogniser. So a misplaced photo is left out, a picture under
    two names counts for neither, and two people who look like one are not compared with one another.
    """

    faults: Faults
    comparisons: Comparisons
    left_out: int  # comparisons of different people that are not counted, because they look like one


def judge(photos: list[Photo], policy: MatchPolicy) -> Judgement:
    """Return what is wrong with photos, by what the model's own policy asks for.

    "Clearly" means by the bar of a single look, the highest that the policy has: nearer calls than that stay
    in the figures, or the errors that we count would be those that we have just thrown away.
    """
    level = copy_level(policy)
    every = compare(photos, level)
    misplaced = {each.photo for each in _unlike(every, policy) if each.is_misplaced}
    kept = compare([each for each in photos if not (each.is_enrolled and each.name in misplaced)], level)
    unlike = [each for each in _unlike(every, policy) if each.is_misplaced]
    unlike += [each for each in _unlike(kept, policy) if each.photo not in misplaced]
    alike = _alike(kept, policy, level)
    counted, left_out = _without(kept, alike)
    faults = Faults(
        unlike=tuple(sorted(unlike, key=lambda each: each.similarity)),
        alike=tuple(alike),
        copies=tuple(_copies(kept, level)),
        single=_single(kept),
    )
    return Judgement(faults, counted, left_out)


def _unlike(comparisons: Comparisons, policy: MatchPolicy) -> list[Unlike]:
    found = []
    for row, photo in enumerate(comparisons.photos):
        own = float(np.max(comparisons.best[row], where=comparisons.own[row], initial=-2))
        if not -1 <= own < policy.threshold:  # NaN and strangers too
            continue
        others = np.where(comparisons.own[row] | np.isnan(comparisons.best[row]), -2, comparisons.best[row])
        column = int(others.argmax())
        other = float(others[column])
        found.append(
            Unlike(
                photo=photo.name,
                person=photo.person,
                similarity=own,
                nearest_other=comparisons.photos[comparisons.nearest[row, column]].name
                if other > -2
                else None,
                other_similarity=other if other > -2 else None,
                is_misplaced=own < policy.threshold - policy.margin and other >= policy.bar(1),
            )
        )
    return found


def _alike(comparisons: Comparisons, policy: MatchPolicy, level: float) -> list[Alike]:
    """Return one entry for each two people of whom a photo comes within the margin of the threshold."""
    rows_of = comparisons.rows_of()
    vectors = [photo.embedding for photo in comparisons.photos]
    alike = []
    for (one, other), (similarity, *rows) in _nearest_pairs(comparisons, policy).items():
        together = (
            np.array([vectors[row] for row in rows_of[one]])
            @ np.array([vectors[row] for row in rows_of[other]]).T
        )
        first, second = sorted(rows, key=lambda row: comparisons.photos[row].subject != one)
        alike.append(
            Alike(
                people=(one[1], other[1]),
                photos=(comparisons.photos[first].name, comparisons.photos[second].name),
                similarity=similarity,
                likeness=_likeness(similarity, together, policy, level),
                is_impostor=not other[0],
            )
        )
    return sorted(alike, key=lambda each: (-each.similarity, each.photos))


def _nearest_pairs(
    comparisons: Comparisons, policy: MatchPolicy
) -> dict[tuple[Subject, Subject], tuple[float, int, int]]:
    """Return, for every two alike subjects, the highest similarity and the rows of the two photos."""
    near = policy.threshold - policy.margin
    found: dict[tuple[Subject, Subject], tuple[float, int, int]] = {}
    rows, columns = np.nonzero(~comparisons.own & (comparisons.best >= near))
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        one, other = (True, comparisons.people[column]), comparisons.photos[row].subject
        if other[0] and other < one:
            one, other = other, one
        this = (float(comparisons.best[row, column]), row, int(comparisons.nearest[row, column]))
        found[one, other] = max(this, found.get((one, other), this))
    return found


def _likeness(similarity: float, together: np.ndarray, policy: MatchPolicy, level: float) -> Likeness:
    """Return what it means; together are the similarities of all photos of the one to all of the other."""
    if similarity >= level:
        return Likeness.SAME_PICTURE
    if (together >= policy.bar(1)).mean() > 0.5:
        return Likeness.ONE_PERSON
    return Likeness.WOULD_MATCH if similarity >= policy.threshold else Likeness.NEAR


def _without(comparisons: Comparisons, alike: list[Alike]) -> tuple[Comparisons, int]:
    """Return the comparisons but those of two people who look like one, and how many these were."""
    best, rows_of = comparisons.best.copy(), comparisons.rows_of()
    for each in alike:
        if each.likeness in (Likeness.SAME_PICTURE, Likeness.ONE_PERSON):
            one, other = (True, each.people[0]), (not each.is_impostor, each.people[1])
            best[rows_of[other], comparisons.people.index(one[1])] = np.nan
            if other[0]:
                best[rows_of[one], comparisons.people.index(other[1])] = np.nan
    left_out = int((np.isnan(best) & ~np.isnan(comparisons.best)).sum())
    return replace(comparisons, best=best), left_out


def _copies(comparisons: Comparisons, level: float) -> list[tuple[str, str]]:
    photos, copies = comparisons.photos, []
    for (is_enrolled, _), rows in comparisons.rows_of().items():
        vectors = np.array([photos[row].embedding for row in rows])
        if is_enrolled:
            alike = np.argwhere(np.triu(vectors @ vectors.T >= level, 1)).tolist()
            copies += [(photos[rows[one]].name, photos[rows[other]].name) for one, other in alike]
    return copies


def _single(comparisons: Comparisons) -> tuple[str, ...]:
    can_be_judged = (comparisons.own & ~np.isnan(comparisons.best)).any(axis=0)
    return tuple(person for person, is_so in zip(comparisons.people, can_be_judged, strict=True) if not is_so)

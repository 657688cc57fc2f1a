"""Photos compared with people, as identification compares a probe with the gallery."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.core.identification import MatchPolicy

COPY = 0.98  # two photos at least this alike are one picture, unless the model's own policy asks for more
Subject = tuple[bool, str]  # is enrolled, person: an impostor's folder may bear an employee's code
BLOCK = 512  # photos compared at a time, so that a large company fits into a small box


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Photo:
    """The one face of one photo, and whose face the folder says it is."""

    name: str  # how a report calls it, e.g. EMP001/2.jpg; unique
    person: str
    embedding: np.ndarray  # unit length, float32
    is_enrolled: bool = True  # False: a face of somebody who is not in the gallery, an impostor only

    @property
    def subject(self) -> Subject:
        return self.is_enrolled, self.person


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """Every photo with every enrolled person, at person level: the nearest of the person's photos counts.

    A photo is compared with its owner's *other* photos only (leave-one-out), and a copy of it among them is
    no evidence either. Where nothing is left to compare with, best is NaN and nearest -1.
    """

    photos: tuple[Photo, ...]  # each person's together, the enrolled first; the order of reading is gone
    people: tuple[str, ...]  # enrolled
    best: np.ndarray  # photos × people float32, cosine similarity
    nearest: np.ndarray  # photos × people int: which photo that was
    own: np.ndarray  # photos × people bool: the photo's owner

    @property
    def genuine(self) -> np.ndarray:
        """Return n float32: the similarities of photos to their owners."""
        values = self.best[self.own]
        return values[~np.isnan(values)]

    @property
    def impostor(self) -> np.ndarray:
        """Return n float32: the similarities of photos to everybody else."""
        values = self.best[~self.own]
        return values[~np.isnan(values)]

    @property
    def pairs(self) -> int:
        """Return how many pairs of two different people were compared, each counted once."""
        starts = [members[0] for members in self.rows_of().values()]
        if not starts or not self.people:
            return 0
        met = np.logical_or.reduceat(~self.own & ~np.isnan(self.best), starts, axis=0)
        among, strangers = met[: len(self.people)], met[len(self.people) :]
        return int(np.triu(among | among.T, 1).sum() + strangers.sum())

    def rows_of(self) -> dict[Subject, list[int]]:
        """Return the rows of each subject, in the order of the rows."""
        rows: dict[Subject, list[int]] = {}
        for row, photo in enumerate(self.photos):
            rows.setdefault(photo.subject, []).append(row)
        return rows

    def most_alike(self) -> tuple[float, str, str] | None:
        """Return the highest similarity of two different people, and their photos; None without a pair."""
        others = np.where(self.own | np.isnan(self.best), -np.inf, self.best)
        if not others.size or others.max() == -np.inf:
            return None
        row, column = np.unravel_index(int(others.argmax()), others.shape)
        nearest = self.photos[self.nearest[row, column]]
        return float(others[row, column]), self.photos[row].name, nearest.name

    @property
    def owners(self) -> int:
        """Return how many people have photos that could be compared with one another."""
        return int((self.own & ~np.isnan(self.best)).any(axis=0).sum()) if self.photos else 0


def compare(photos: Iterable[Photo], copy_level: float = COPY) -> Comparisons:
    """Return the comparisons of photos. Raises ValueError for embeddings of different lengths."""
    rows = tuple(sorted(photos, key=lambda each: (not each.is_enrolled, each.person, each.name)))
    if len({len(photo.embedding) for photo in rows}) > 1:
        raise ValueError("embeddings of different lengths cannot be of one model")
    people = tuple(sorted({photo.person for photo in rows if photo.is_enrolled}))
    column = {person: number for number, person in enumerate(people)}
    subjects = np.array([column[each.person] if each.is_enrolled else -1 for each in rows], int)
    best = np.full((len(rows), len(people)), np.nan, np.float32)
    nearest = np.full(best.shape, -1, int)
    if people:
        _fill(best, nearest, rows, subjects, copy_level)
    return Comparisons(rows, people, best, nearest, subjects[:, None] == np.arange(len(people)))


def _fill(
    best: np.ndarray, nearest: np.ndarray, rows: Sequence[Photo], subjects: np.ndarray, copy_level: float
) -> None:
    vectors = np.array([photo.embedding for photo in rows], np.float32)
    members = [np.flatnonzero(subjects == person) for person in range(best.shape[1])]
    for start in range(0, len(rows), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(rows)))
        similarities = np.clip(vectors[block] @ vectors.T, -1, 1)
        is_own = subjects[block][:, None] == subjects
        similarities[is_own & (similarities >= copy_level)] = np.nan
        similarities[np.arange(len(block)), block] = np.nan
        for person, columns in enumerate(members):
            theirs = np.where(np.isnan(similarities[:, columns]), -np.inf, similarities[:, columns])
            highest = theirs.max(axis=1)
            is_there = highest > -np.inf
            best[block[is_there], person] = highest[is_there]
            nearest[block[is_there], person] = columns[theirs.argmax(axis=1)][is_there]


def copy_level(policy: MatchPolicy) -> float:
    """Return the similarity from which two photos are one picture, for a model."""
    return max(COPY, policy.same_look)

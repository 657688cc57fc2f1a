"""The enrolled people as columns of numbers: a search is one matrix product, whoever comes or goes.

A template is a column, because few probes times many columns is the product that processors do fastest. The
columns lie in chunks: to add or to erase somebody touches one of them instead of everybody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np

from common.ids import EmployeeId
from edge_agent.core.identification import Match

CHUNK_BYTES = 2**22  # of vectors, about
BLOCK = 1024  # templates that are read at a time, so that a large gallery is not held twice while it is built
ABSENT = -2.0  # less than any cosine


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """An enrolled embedding; or an anchor, a face to ignore, which is no employee's."""

    template_id: int
    employee_id: EmployeeId
    vector: np.ndarray  # n float32; any length but zero, it is normalised on use
    is_ignored: bool = False  # an anchor: its employee_id means nothing

    @property
    def owner(self) -> EmployeeId | None:
        return None if self.is_ignored else self.employee_id


@dataclass(slots=True, eq=False)
class _Chunk:
    """Room for templates. Places are written beyond those that any gallery sees; afterwards only erased."""

    vectors: np.ndarray  # dimension × capacity float32, unit columns
    owners: np.ndarray  # capacity int32: numbers in the roll
    template_ids: np.ndarray  # capacity int64
    used: int = 0

    @classmethod
    def of(cls, dimension: int) -> "_Chunk":
        # No power of two: then the numbers of one template would compete for the same lines of the cache.
        places = CHUNK_BYTES // (4 * dimension) // 16 * 16 + 16
        vectors = np.empty((dimension, places), np.float32)
        return cls(vectors, np.empty(places, np.int32), np.empty(places, np.int64))

    @property
    def dimension(self) -> int:
        return len(self.vectors)

    @property
    def room(self) -> int:
        return len(self.owners) - self.used

    def append(self, vectors: np.ndarray, owners: np.ndarray, template_ids: np.ndarray) -> None:
        places = slice(self.used, self.used + len(owners))
        self.vectors[:, places], self.owners[places], self.template_ids[places] = (
            vectors,
            owners,
            template_ids,
        )
        self.used = places.stop

    def without(self, gone: np.ndarray) -> "_Chunk":
        """Return a copy of the first places less those that are gone (a mask), and erase these here."""
        kept, stays = _Chunk.of(self.dimension), np.flatnonzero(~gone)
        kept.append(self.vectors[:, stays], self.owners[stays], self.template_ids[stays])
        self.vectors[:, np.flatnonzero(gone)] = 0.0
        return kept


@dataclass(frozen=True, slots=True, eq=False)
class _Roll:
    """A number for each person. It only grows, so that galleries made from one another share it."""

    names: list[EmployeeId | None] = field(default_factory=lambda: [None])  # None: all anchors together
    numbers: dict[EmployeeId | None, int] = field(default_factory=lambda: {None: 0})

    def number(self, name: EmployeeId | None) -> int:
        if name not in self.numbers:
            self.names.append(name)  # first, so that whoever finds the number finds the name
            self.numbers[name] = len(self.names) - 1
        return self.numbers[name]


@dataclass(frozen=True, eq=False)
class Gallery:
    """Templates of one recognition model. Any thread may search it while another one makes the next of it.

    It never changes but for one thing: who is erased from a later gallery is erased here too, at once.
    """

    model_id: str
    gen: int
    _chunks: tuple[tuple[_Chunk, int], ...] = ()  # and how many of its places this gallery sees
    _roll: _Roll = field(default_factory=_Roll)
    stamp: object = field(default_factory=object)  # names this gallery, and does not keep it in memory

    @classmethod
    def build(cls, model_id: str, gen: int, templates: Iterable[Template]) -> "Gallery":
        """Return the gallery of templates. Raises ValueError for a vector that is not a usable embedding."""
        return cls(model_id, gen).with_templates(templates, gen=gen)

    @classmethod
    def empty(cls, model_id: str) -> "Gallery":
        return cls(model_id, 0)

    # -- making the next one ---------------------------------------------------------------------------------

    def with_templates(self, templates: Iterable[Template], *, gen: int) -> "Gallery":
        """Return a gallery that holds these too, at the cost of these alone; this one does not see them.

        Raises ValueError for a vector that is no usable embedding or not as long as the others.
        """
        given, chunks = iter(templates), list(self._chunks)
        while block := list(islice(given, BLOCK)):
            self._append(block, chunks)
        return Gallery(self.model_id, gen, tuple(chunks), self._roll)

    def _append(self, block: Sequence[Template], chunks: list[tuple[_Chunk, int]]) -> None:
        vectors = _unit_columns(block)
        dimension = len(vectors)
        if chunks and chunks[0][0].dimension != dimension:
            raise ValueError("templates of different lengths cannot be of one model")
        owners = np.array([self._roll.number(each.owner) for each in block], np.int32)
        template_ids = np.array([each.template_id for each in block], np.int64)
        done = 0
        while done < len(block):
            chunk = _open_chunk(chunks, dimension)
            part = slice(done, done + chunk.room)
            chunk.append(vectors[:, part], owners[part], template_ids[part])
            chunks[-1], done = (chunk, chunk.used), part.stop

    def without(self, template_ids: Iterable[int], *, gen: int) -> "Gallery":
        """Return a gallery without these templates. Their vectors are overwritten, in this gallery too.

        To whoever still searches this one, the erased are like nobody: their similarity is 0.
        """
        wanted, chunks = np.fromiter(template_ids, np.int64), list[tuple[_Chunk, int]]()
        for chunk, seen in self._chunks:
            gone = np.isin(chunk.template_ids[:seen], wanted)
            kept = chunk.without(gone) if gone.any() else chunk
            left = seen - int(gone.sum())
            if left:
                chunks.append((kept, left))
        return Gallery(self.model_id, gen, tuple(chunks), self._roll)

    def with_anchors(self, anchors: Iterable[Template]) -> "Gallery":
        """Return a gallery whose anchors are these and no others."""
        wanted = {each.template_id: each for each in anchors}
        present = set(self._template_ids[self._owners == 0].tolist())
        fewer = self.without(present - wanted.keys(), gen=self.gen) if present - wanted.keys() else self
        added = [wanted[each] for each in sorted(wanted.keys() - present)]
        return fewer.with_templates(added, gen=self.gen) if added else fewer

    # -- what it holds ---------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return sum(seen for _, seen in self._chunks)

    @property
    def people(self) -> tuple[EmployeeId, ...]:
        """The people in it, in order; anchors are not people."""
        names = (self._roll.names[each] for each in np.unique(self._owners))
        return tuple(sorted(name for name in names if name is not None))

    @property
    def matrix(self) -> np.ndarray:
        """A copy of everything: templates × dimension float32, unit rows."""
        return _joined([chunk.vectors[:, :seen].T for chunk, seen in self._chunks], np.float32)

    @cached_property
    def _owners(self) -> np.ndarray:
        return _joined([chunk.owners[:seen] for chunk, seen in self._chunks], np.int32)

    @property
    def _template_ids(self) -> np.ndarray:
        return _joined([chunk.template_ids[:seen] for chunk, seen in self._chunks], np.int64)

    # -- searching -------------------------------------------------------------------------------------------

    def search(self, probes: np.ndarray) -> list[Match | None]:
        """Return for each of the probes (n × dimension, unit rows) who is nearest, an anchor perhaps.

        A person is as similar as the best of their templates, and all anchors together are one. None, when
        nobody is in the gallery.
        """
        if not self._chunks:
            return [None] * len(probes)
        similarities = self._similarities(probes)
        best, first = _best_of(similarities)
        owners = self._owners[best]
        for row, owner in zip(similarities, owners, strict=True):  # second: the best of the others' templates
            row[np.flatnonzero(self._owners == owner)] = ABSENT
        _, second = _best_of(similarities)
        margins = np.where(second == ABSENT, 1.0, np.minimum(1.0, first - second))
        names = (self._roll.names[owner] for owner in owners)
        return [Match(*each) for each in zip(names, first.tolist(), margins.tolist(), strict=True)]

    def _similarities(self, probes: np.ndarray) -> np.ndarray:
        """Return the similarity of each probe to every template, probes × templates."""
        rows = np.ascontiguousarray(probes, np.float32)
        found, done = np.empty((len(rows), len(self)), np.float32), 0
        for chunk, seen in self._chunks:
            found[:, done : done + seen] = rows @ chunk.vectors[:, :seen]
            done += seen
        return found

    def similarities_to(self, person: EmployeeId | None, probes: np.ndarray) -> np.ndarray:
        """Return the similarity of each probe (n × dimension) to one person; None means the anchors.

        -1 when the person is not in the gallery. It costs the product with that person's templates alone.
        """
        own = np.flatnonzero(self._owners == self._roll.numbers.get(person, -1))
        if not len(own) or not len(probes):
            return np.full(len(probes), -1.0, np.float32)
        starts = np.cumsum([0, *(seen for _, seen in self._chunks)])
        chunks = np.searchsorted(starts, own, side="right") - 1
        places = own - starts[chunks]
        vectors = [self._chunks[at][0].vectors[:, place] for at, place in zip(chunks, places, strict=True)]
        return (np.asarray(probes, np.float32) @ np.array(vectors).T).max(axis=1)


def _open_chunk(chunks: list[tuple[_Chunk, int]], dimension: int) -> _Chunk:
    """Return the last chunk; a new one when it is full, or when another gallery has gone on in it."""
    if not chunks or not chunks[-1][0].room or chunks[-1][1] != chunks[-1][0].used:
        chunks.append((_Chunk.of(dimension), 0))
    return chunks[-1][0]


def _best_of(similarities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the column of the highest similarity in each row, and that similarity."""
    best = similarities.argmax(axis=1)
    return best, similarities[np.arange(len(best)), best]


def _joined(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _unit_columns(templates: Sequence[Template]) -> np.ndarray:
    """Return the vectors of templates, dimension × n float32, each of length 1."""
    vectors = [np.asarray(each.vector, dtype=np.float32).ravel() for each in templates]
    if len({len(vector) for vector in vectors}) > 1:
        raise ValueError("templates of different lengths cannot be of one model")
    rows = np.array(vectors)
    lengths = np.linalg.norm(rows, axis=1)
    for template, length in zip(templates, lengths, strict=True):
        if not np.isfinite(length) or length < 1e-6:
            raise ValueError(f"template {template.template_id} is not an embedding")
    return (rows / lengths[:, None]).T

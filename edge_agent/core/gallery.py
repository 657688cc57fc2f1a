"""The enrolled people as one matrix: a search is one matrix-vector product."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from common.ids import EmployeeId


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    template_id: int
    employee_id: EmployeeId
    vector: np.ndarray  # n float32; any length but zero, it is normalised on use


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Templates of one recognition model, grouped by person. Never changes: a new one replaces it."""

    model_id: str
    gen: int
    matrix: np.ndarray  # templates × dimension float32, unit rows, the rows of a person together
    people: tuple[EmployeeId, ...]
    first_rows: np.ndarray  # where each person's rows begin

    @classmethod
    def build(cls, model_id: str, gen: int, templates: Iterable[Template]) -> "Gallery":
        """Return the gallery of templates. Raises ValueError for a vector that is not a usable embedding."""
        rows = sorted(templates, key=lambda each: (each.employee_id, each.template_id))
        vectors = [_unit(each) for each in rows]
        if len({len(vector) for vector in vectors}) > 1:
            raise ValueError("templates of different lengths cannot be of one model")
        first = {each.employee_id: index for index, each in reversed(list(enumerate(rows)))}
        people = tuple(dict.fromkeys(each.employee_id for each in rows))
        matrix = np.ascontiguousarray(vectors, dtype=np.float32) if rows else np.zeros((0, 0), np.float32)
        matrix.setflags(write=False)
        return cls(model_id, gen, matrix, people, np.array([first[person] for person in people], int))

    @classmethod
    def empty(cls, model_id: str) -> "Gallery":
        return cls.build(model_id, 0, ())

    def __len__(self) -> int:
        return len(self.matrix)

    def similarities(self, embedding: np.ndarray) -> dict[EmployeeId, float]:
        """Return each person's similarity: that of their template nearest to the unit embedding."""
        if not self.people:
            return {}
        best = np.maximum.reduceat(self.matrix @ embedding.astype(np.float32, copy=False), self.first_rows)
        return dict(zip(self.people, best.tolist(), strict=True))


def _unit(template: Template) -> np.ndarray:
    vector = np.asarray(template.vector, dtype=np.float32).ravel()
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length < 1e-6:
        raise ValueError(f"template {template.template_id} is not an embedding")
    return vector / length

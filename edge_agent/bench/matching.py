"""`hadir bench match`: what a search of the gallery costs beside the bare matrix product that is in it."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from common.ids import EmployeeId
from common.signing import gallery_digest
from edge_agent.adapters.gallery_download import TemplatePage
from edge_agent.adapters.gallery_file import Change, GalleryFile, HeldGallery, checked
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.identification import Match

MODEL = "bench:0"
LEAST_RUNS = 15
ANCHORS = 0.001  # of the templates are faces to ignore
SAME = 1e-4  # two products of the same numbers differ by rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    templates: int
    dimension: int
    people: int
    anchors: int
    probes: int
    runs: int
    bare_ms: float  # the faster one of the next two
    bare_by_rows_ms: float  # probes × templates.T
    bare_by_columns_ms: float  # the same with the templates stored as columns beforehand
    ours_ms: float
    ratio: float  # ours to bare
    processors: float  # processor time by wall time of the bare product: 1 is one thread
    build_s: dict[int, float]  # by the number of templates
    add_person_ms: dict[int, float]  # in memory, by the number of templates that are there
    add_person_delta_ms: float  # from the server's answer to the disk and the memory
    agrees_with_a_loop: bool  # person, similarity and lead over the second person
    old_gallery_stays_valid: bool


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Made-up people with their templates, and probes of some of them."""

    vectors: np.ndarray  # templates × dimension float32, unit rows
    owners: np.ndarray  # templates; -1 is an anchor
    probes: np.ndarray  # probes × dimension float32, unit rows

    @classmethod
    def of(cls, templates: int, dimension: int, people: int, probes: int) -> "Crowd":
        rng = np.random.default_rng(1)
        vectors = _unit(rng.standard_normal((templates, dimension), dtype=np.float32))
        owners = rng.permutation(np.arange(templates) % people)
        owners[rng.choice(templates, max(1, int(templates * ANCHORS)), replace=False)] = -1
        seen = vectors[rng.integers(templates, size=probes)]
        return cls(vectors, owners, _unit(seen + 0.05 * rng.standard_normal(seen.shape, dtype=np.float32)))

    def templates(self, count: int) -> Iterator[Template]:
        for number, (vector, owner) in enumerate(zip(self.vectors[:count], self.owners, strict=False)):
            yield Template(number, EmployeeId(f"p{owner}"), vector, is_ignored=bool(owner < 0))


def add_parser(subparsers: Any) -> None:
    """Add the sub-command to an argparse parser's sub-parsers."""
    about = "search a gallery of made-up people, beside the bare matrix product"
    parser = subparsers.add_parser("match", help=about, description=about)
    parser.add_argument("--templates", type=int, default=100_000, help="in the gallery (100000)")
    parser.add_argument("--dimension", type=int, default=512, help="of an embedding (512)")
    parser.add_argument("--people", type=int, help="whose templates they are (three in ten of the templates)")
    parser.add_argument("--probes", type=int, default=8, help="searched at once (8)")
    parser.add_argument("--runs", type=int, default=2 * LEAST_RUNS + 1, help="of each, in turn (31)")
    parser.add_argument("--json", action="store_true", help="print one JSON line last")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Run the benchmark; return its exit status: 2 for input that makes no sense, 1 for a wrong answer."""
    people = max(2, args.templates * 3 // 10) if args.people is None else args.people
    if args.templates < 8 or args.dimension < 2 or args.probes < 1:
        return _refuse("It takes at least 8 templates, 2 dimensions and 1 probe.")
    if not 2 <= people <= args.templates:
        return _refuse("--people must be at least 2 and at most the number of templates.")
    if args.runs < LEAST_RUNS:
        return _refuse(f"--runs must be at least {LEAST_RUNS}: fewer tell nothing.")
    figures = measured(Crowd.of(args.templates, args.dimension, people, args.probes), people, args.runs)
    _show(figures)
    if args.json:
        print(json.dumps({"command": "match", **asdict(figures)}), flush=True)
    return 0 if figures.agrees_with_a_loop and figures.old_gallery_stays_valid else 1


def measured(crowd: Crowd, people: int, runs: int) -> Figures:
    """Return the figures of one crowd; runs: of each product, in turn."""
    count = len(crowd.vectors)
    build_s, add_ms = {}, {}
    for size in (count // 4, count // 2, count):
        began = time.perf_counter()
        gallery = Gallery.build(MODEL, 1, crowd.templates(size))
        build_s[size] = round(time.perf_counter() - began, 3)
        add_ms[size] = _add_ms(gallery, crowd)
    before = gallery.search(crowd.probes)
    times, processors = _in_turn(crowd, gallery, runs)
    rows, columns, ours = (round(median(each) * 1000, 3) for each in times)
    return Figures(
        templates=count,
        dimension=crowd.vectors.shape[1],
        people=people,
        anchors=int((crowd.owners < 0).sum()),
        probes=len(crowd.probes),
        runs=runs,
        bare_ms=min(rows, columns),
        bare_by_rows_ms=rows,
        bare_by_columns_ms=columns,
        ours_ms=ours,
        ratio=round(ours / min(rows, columns), 3),
        processors=round(processors, 2),
        build_s=build_s,
        add_person_ms=add_ms,
        agrees_with_a_loop=_are_alike(before, _by_hand(crowd)),
        add_person_delta_ms=_delta_ms(gallery, crowd),
        old_gallery_stays_valid=gallery.search(crowd.probes) == before and len(gallery) == count,
    )


def _in_turn(crowd: Crowd, gallery: Gallery, runs: int) -> tuple[list[list[float]], float]:
    """Return the seconds of each run of the two bare products and ours, and the processors they kept busy."""
    probes, rows = crowd.probes, crowd.vectors
    columns = np.ascontiguousarray(rows.T)
    tasks: list[Callable[[], object]] = [
        lambda: probes @ rows.T,
        lambda: probes @ columns,
        lambda: gallery.search(probes),
    ]
    times: list[list[float]] = [[] for _ in tasks]
    wall = cpu = 0.0
    for run in range(runs + 1):  # the first one only warms up
        for task, seconds in zip(tasks, times, strict=True):
            began, cpu_began = time.perf_counter(), time.process_time()
            task()
            took = time.perf_counter() - began
            if run:
                seconds.append(took)
                wall, cpu = wall + took, cpu + time.process_time() - cpu_began
    return times, cpu / wall


def _newcomer(crowd: Crowd, number: int) -> Template:
    vector = np.random.default_rng(number).standard_normal(crowd.vectors.shape[1], dtype=np.float32)
    return Template(len(crowd.vectors) + number, EmployeeId(f"new{number}"), _unit(vector[None])[0])


def _add_ms(gallery: Gallery, crowd: Crowd) -> float:
    """Return the milliseconds to add one more person, each to the gallery with all of those before."""
    seconds = []
    for number in range(LEAST_RUNS):
        newcomer, began = _newcomer(crowd, number), time.perf_counter()
        gallery = gallery.with_templates([newcomer], gen=2)
        seconds.append(time.perf_counter() - began)
    return round(median(seconds) * 1000, 3)


def _delta_ms(gallery: Gallery, crowd: Crowd) -> float:
    """Return the milliseconds from the server's word of one new person until disk and memory hold them."""
    everybody = tuple(crowd.templates(len(crowd.vectors)))
    owners: dict[int, str] = {each.template_id: each.employee_id for each in everybody}
    held = HeldGallery(1, MODEL, gallery_digest(owners), owners, gallery)
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        file = GalleryFile(Path(folder) / "gallery.db")
        file.save(Change(1, held.sha256, True, owners, everybody, ()), held)
        for number in range(5):
            newcomer = _newcomer(crowd, number)
            after = {**held.owners, newcomer.template_id: newcomer.employee_id}
            sent = (newcomer.template_id, newcomer.employee_id, newcomer.vector.tobytes())
            page = TemplatePage(held.gen + 1, MODEL, gallery_digest(after), False, (sent,), ())
            began = time.perf_counter()
            change = checked(held, page, crowd.vectors.shape[1])
            file.save(change, held)
            held = held.after(change)
            seconds.append(time.perf_counter() - began)
    return round(median(seconds) * 1000, 1)


def _by_hand(crowd: Crowd) -> list[Match]:
    """Return what a loop over the probes finds that looks at every person."""
    order = np.argsort(crowd.owners, kind="stable")
    names, first = np.unique(crowd.owners[order], return_index=True)
    found = []
    for probe in crowd.probes:
        best = np.maximum.reduceat((crowd.vectors @ probe)[order], first)
        second, nearest = np.argsort(best)[-2:]
        name = None if names[nearest] < 0 else EmployeeId(f"p{names[nearest]}")
        found.append(Match(name, float(best[nearest]), float(best[nearest] - best[second])))
    return found


def _are_alike(found: Sequence[Match | None], expected: Sequence[Match]) -> bool:
    return all(
        each is not None
        and each.employee_id == other.employee_id
        and abs(each.similarity - other.similarity) < SAME
        and abs(each.margin - other.margin) < SAME
        for each, other in zip(found, expected, strict=True)
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _show(figures: Figures) -> None:
    rows = [
        ("bare product, templates as rows", f"{figures.bare_by_rows_ms:.2f} ms"),
        ("bare product, templates as columns", f"{figures.bare_by_columns_ms:.2f} ms"),
        ("our search", f"{figures.ours_ms:.2f} ms"),
        ("ours to the faster bare one", f"{figures.ratio:.3f}"),
        ("processors at work", f"{figures.processors:.2f}"),
        *((f"build {size} templates", f"{seconds:.2f} s") for size, seconds in figures.build_s.items()),
        *((f"add a person to {size}", f"{took:.3f} ms") for size, took in figures.add_person_ms.items()),
        ("add a person, on disk and in memory", f"{figures.add_person_delta_ms:.1f} ms"),
        ("same answers as a loop", "yes" if figures.agrees_with_a_loop else "NO"),
        ("older gallery stays valid", "yes" if figures.old_gallery_stays_valid else "NO"),
    ]
    print(
        f"{figures.probes} probes, {figures.templates} templates × {figures.dimension} "
        f"of {figures.people} people and {figures.anchors} anchors; median of {figures.runs} runs in turn"
    )
    for name, value in rows:
        print(f"  {name:36} {value:>12}")


def _refuse(words: str) -> int:
    print(words, file=sys.stderr)
    return 2

"""Where in a picture to look for faces: where something changed since it was last looked at, around every
face that is being followed, and everywhere now and then.

A part that looks as it did when the detector last searched it would give the same answer again. So what is
kept is the picture as last searched, part by part, and not a background: somebody who sits down and stays is
searched while they move, and is never learnt away. Faces that are followed are looked at in every sample,
moving or not, and every few seconds the whole picture is, so nothing rests on the gate alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_agent.core.geometry import Box

GREY = (160, 90)  # width, height of the grey picture that changes are seen in
CELLS = (16, 9)  # columns, rows: a change concerns the whole cell that it is in


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionPolicy:
    is_gated: bool = True  # False: search the whole of every sample
    follows: bool = True  # False: no regions, the whole picture or nothing
    whole_every_s: float = 5.0  # people who sit still, and whatever the gate misses
    change: float = 8.0  # grey levels of 255; noise and compression stay below it by daylight
    noise_factor: float = 7.0  # times the mean change of the quietest quarter: what noise alone may reach
    most_change: float = 24.0  # a change that large is never taken for noise
    pixels: int = 2  # changed pixels that make a cell changed: a face of 30 px in 720p has 14
    around_track: float = 2.4  # times the box of a track, to where it is predicted
    least_side: float = 96.0  # of a region, in detector pixels: smaller ones cost as much
    whole_from: float = 0.75  # share of the picture from which the whole is not dearer
    calm_after_s: float = 3.0  # without change and tracks, the picture is idle


ATTENTION = AttentionPolicy()


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What the detector has seen of a camera so far."""

    grey: np.ndarray  # GREY uint8: each cell as it was when it was last searched
    whole_ms: int  # when the whole picture was last searched
    changed_ms: int  # when something last changed, or a track was in view


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where to look now: regions in pixels of the picture; none at all; or the whole of it."""

    regions: tuple[Box, ...]
    is_whole: bool
    searched: Searched  # what is known once that has been done
    is_idle: bool  # nothing has moved and nobody was followed for a while
    changed: float  # share of the picture that changed since it was last searched

    @property
    def is_blind(self) -> bool:
        """Tell whether this sample is not searched at all."""
        return not self.is_whole and not self.regions


def plan(
    searched: Searched | None,
    grey: np.ndarray,
    tracks: Sequence[Box],
    at_ms: int,
    size: tuple[int, int],
    scale: float,
    policy: AttentionPolicy,
    *,
    is_new: bool = False,
) -> Plan:
    """Return where to look in a picture of size (width, height) that is searched at scale.

    tracks are where the followed faces are expected; is_new: nothing is known any more (a cut).
    """
    if searched is None or is_new or not policy.is_gated:
        return _whole(grey, at_ms, at_ms, 1.0, policy)
    changed = changed_cells(searched.grey, grey, policy)
    share = float(changed.mean())
    busy_ms = at_ms if share or tracks else searched.changed_ms
    if at_ms - searched.whole_ms >= policy.whole_every_s * 1000:
        return _whole(grey, at_ms, busy_ms, share, policy)
    wanted = [*_boxes(changed, size), *(each.grown(policy.around_track) for each in tracks)]
    regions = merged([_fitted(each, size, policy.least_side / scale) for each in wanted])
    area = sum(each.area for each in regions) / (size[0] * size[1])
    if area >= policy.whole_from or (regions and not policy.follows):
        return _whole(grey, at_ms, busy_ms, share, policy)
    after = replace(searched, grey=_looked_at(searched.grey, grey, regions, size), changed_ms=busy_ms)
    return Plan(tuple(regions), False, after, _is_idle(busy_ms, at_ms, policy), share)


def _whole(grey: np.ndarray, at_ms: int, busy_ms: int, share: float, policy: AttentionPolicy) -> Plan:
    return Plan((), True, Searched(grey, at_ms, busy_ms), _is_idle(busy_ms, at_ms, policy), share)


def _is_idle(busy_ms: int, at_ms: int, policy: AttentionPolicy) -> bool:
    return policy.is_gated and at_ms - busy_ms >= policy.calm_after_s * 1000


def changed_cells(before: np.ndarray, now: np.ndarray, policy: AttentionPolicy) -> np.ndarray:
    """Return rows × columns of CELLS: True where a cell no longer looks as it did."""
    columns, rows = CELLS
    difference = np.abs(now.astype(np.int16) - before)
    cells = difference.reshape(rows, GREY[1] // rows, columns, GREY[0] // columns)
    quiet = float(np.sort(cells.mean(axis=(1, 3)), axis=None)[: columns * rows // 4].mean())
    bar = min(policy.most_change, max(policy.change, policy.noise_factor * quiet))
    return (cells > bar).sum(axis=(1, 3)) >= policy.pixels


def _boxes(changed: np.ndarray, size: tuple[int, int]) -> list[Box]:
    """Return boxes in pixels around the groups of changed cells, each with one more cell on every side.

    A face that turned changes some of its pixels only; the rest of it lies beside them.
    """
    rows, columns = changed.shape
    wide, high = size[0] / columns, size[1] / rows
    return [
        Box((left - 1) * wide, (top - 1) * high, (right + 2) * wide, (bottom + 2) * high)
        for left, top, right, bottom in groups(changed)
    ]


def groups(changed: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return (left, top, right, bottom), inclusive, of each group of True cells that touch, corners too."""
    left = {(int(row), int(column)) for row, column in np.argwhere(changed)}
    found = []
    while left:
        reached, edge = set(), [left.pop()]
        while edge:
            row, column = edge.pop()
            reached.add((row, column))
            near = {(row + r, column + c) for r in (-1, 0, 1) for c in (-1, 0, 1)} & left
            left -= near
            edge += near
        rows, columns = [row for row, _ in reached], [column for _, column in reached]
        found.append((min(columns), min(rows), max(columns), max(rows)))
    return sorted(found)


def _fitted(box: Box, size: tuple[int, int], least: float) -> Box:
    """Return box at least so large, moved and cut to lie within the picture."""
    width, height = min(size[0], max(box.width, least)), min(size[1], max(box.height, least))
    x, y = box.centre
    left = min(max(0.0, x - width / 2), size[0] - width)
    top = min(max(0.0, y - height / 2), size[1] - height)
    return Box(left, top, left + width, top + height)


def merged(boxes: Sequence[Box]) -> list[Box]:
    """Return fewer boxes that cover the same: two become one where that is not dearer than both."""
    done: list[Box] = []
    waiting = list(boxes)
    while waiting:
        box = waiting.pop()
        partner = next((each for each in done if _is_cheaper(box, each)), None)
        if partner is None:
            done.append(box)
        else:
            done.remove(partner)
            waiting.append(_hull(box, partner))
    return done


def _hull(a: Box, b: Box) -> Box:
    return Box(min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom))


def _is_cheaper(a: Box, b: Box) -> bool:
    """Tell whether one box around both is hardly more work: each search has a cost of its own."""
    return _hull(a, b).area <= 1.1 * (a.area + b.area)


def _looked_at(
    before: np.ndarray, now: np.ndarray, regions: Sequence[Box], size: tuple[int, int]
) -> np.ndarray:
    """Return before with what lies within the regions as it is now."""
    after = before.copy()
    across, down = GREY[0] / size[0], GREY[1] / size[1]
    for each in regions:
        rows = _within(each.top * down, each.bottom * down)
        columns = _within(each.left * across, each.right * across)
        after[rows, columns] = now[rows, columns]
    return after


def _within(start: float, end: float) -> slice:
    """Return the pixels that lie wholly between start and end, which may be off by a rounding."""
    return slice(int(np.ceil(start - 1e-6)), int(end + 1e-6))


def is_cut_off(face: Box, region: Box, size: tuple[int, int], rim: float = 3.0) -> bool:
    """Tell whether a face found in region goes on beyond an edge of it that is not the picture's own."""
    return (
        (face.left <= region.left + rim and region.left > rim)
        or (face.top <= region.top + rim and region.top > rim)
        or (face.right >= region.right - rim and region.right < size[0] - rim)
        or (face.bottom >= region.bottom - rim and region.bottom < size[1] - rim)
    )

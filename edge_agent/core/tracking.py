"""Which face is which from frame to frame: overlap with the predicted place, no appearance.

Everything is counted in seconds, not frames, so a camera sampled at 5 or at 15 fps behaves alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from edge_agent.core.geometry import Box, Detection, iou, overlap

Velocity = tuple[float, float]  # pixels a second


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPolicy:
    birth_score: float = 0.5  # only a detection at least this sure begins a track
    buffer: float = 1.8  # boxes are grown by this before they are compared: people walk between samples
    min_overlap: float = 0.15  # IoU of the grown boxes
    max_growth: float = 1.8  # a face does not change its size faster than this between two looks
    lost_after_s: float = 1.5  # a track unseen for this long has ended
    long_gap_s: float = 0.7  # after such a gap it may be somebody else
    steer: float = 0.6  # how much of the newest displacement enters the velocity
    coast_s: float = 0.6  # how long an unseen face is assumed to keep moving
    rejoin_s: float = 4.0  # a track that was lost is taken up again when its face comes back so soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One face over time in one camera. Times are ms on the agent's monotonic clock."""

    number: int
    box: Box
    first_ms: int
    last_ms: int
    velocity: Velocity = (0.0, 0.0)
    hits: int = 1
    is_ambiguous: bool = False  # it came near another track, or back from a gap: look again who it is

    def predicted(self, at_ms: int, policy: TrackPolicy) -> Box:
        """Return where the face should be at at_ms."""
        seconds = min((at_ms - self.last_ms) / 1000, policy.coast_s)
        return self.box.moved(self.velocity[0] * seconds, self.velocity[1] * seconds)


@dataclass(frozen=True, slots=True)
class Advance:
    """What one frame did to the tracks."""

    tracks: tuple[Track, ...]  # alive after the frame, seen in it or not
    seen: dict[int, Detection]  # by track number
    ended: tuple[Track, ...]
    next_number: int


def advance(
    tracks: Sequence[Track],
    detections: Sequence[Detection],
    at_ms: int,
    next_number: int,
    policy: TrackPolicy,
) -> Advance:
    """Return the tracks after a frame taken at at_ms, later than any before.

    Sure detections choose among the tracks first; doubtful ones may then keep a track alive but never
    begin one (the idea of BYTE). What is left of the sure ones begins new tracks.
    """
    sure = [each for each in detections if each.score >= policy.birth_score]
    doubtful = [each for each in detections if each.score < policy.birth_score]
    seen = _paired(tracks, sure, at_ms, policy)
    seen |= _paired([each for each in tracks if each.number not in seen], doubtful, at_ms, policy)
    taken = {id(each) for each in seen.values()}
    moved = [
        _moved(each, seen[each.number], at_ms, policy) if each.number in seen else each for each in tracks
    ]
    lost_ms = policy.lost_after_s * 1000
    alive = [each for each in moved if at_ms - each.last_ms <= lost_ms]
    for each in sure:
        if id(each) not in taken:
            alive.append(Track(number=next_number, box=each.box, first_ms=at_ms, last_ms=at_ms))
            seen[next_number] = each
            next_number += 1
    ended = tuple(each for each in moved if at_ms - each.last_ms > lost_ms)
    return Advance(_marked(alive, policy), seen, ended, next_number)


def _paired(
    tracks: Sequence[Track], detections: Sequence[Detection], at_ms: int, policy: TrackPolicy
) -> dict[int, Detection]:
    """Pair tracks with detections, nearest first."""
    pairs = []
    for track in tracks:
        place = track.predicted(at_ms, policy)
        for index, each in enumerate(detections):
            near = _nearness(place, each.box, policy)
            if near >= policy.min_overlap:
                pairs.append((near, -track.number, index))
    paired: dict[int, Detection] = {}
    used: set[int] = set()
    for _, negative, index in sorted(pairs, reverse=True):
        if -negative not in paired and index not in used:
            paired[-negative] = detections[index]
            used.add(index)
    return paired


def _nearness(place: Box, box: Box, policy: TrackPolicy) -> float:
    growth = max(place.height, box.height) / max(1.0, min(place.height, box.height))
    return iou(place.grown(policy.buffer), box.grown(policy.buffer)) if growth <= policy.max_growth else 0.0


def _moved(track: Track, detection: Detection, at_ms: int, policy: TrackPolicy) -> Track:
    seconds = max((at_ms - track.last_ms) / 1000, 1e-3)
    new, old = detection.box.centre, track.box.centre
    keep = 0.0 if track.hits == 1 else 1 - policy.steer
    velocity = tuple(
        keep * was + (1 - keep) * (to - start) / seconds
        for was, to, start in zip(track.velocity, new, old, strict=True)
    )
    return replace(
        track,
        box=detection.box,
        last_ms=at_ms,
        velocity=velocity,
        hits=track.hits + 1,
        is_ambiguous=track.is_ambiguous or seconds > policy.long_gap_s,
    )


def _marked(tracks: Sequence[Track], policy: TrackPolicy) -> tuple[Track, ...]:
    """Mark the tracks that touch: they may have been swapped."""
    near = {
        number
        for a, b in combinations(tracks, 2)
        if overlap(a.box, b.box) > 0
        for number in (a.number, b.number)
    }
    return tuple(replace(each, is_ambiguous=True) if each.number in near else each for each in tracks)

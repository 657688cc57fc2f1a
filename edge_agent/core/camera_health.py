"""Does a camera still see? Dark, frozen, covered and turned-away pictures are told from thumbnails.

Frames that arrive prove nothing: a sprayed lens and a hung encoder send them too. Whoever relies on a camera
("unseen for five minutes") must know that it could have seen somebody. Each sign must hold without a break
for a while before it is believed, and one look without it ends it. False alarms cost trust, so in doubt there
is none; the docstrings of the signs say what they cannot tell.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from common.events import CameraReason


@dataclass(frozen=True, slots=True, kw_only=True)
class PicturePolicy:
    """Levels are grey levels of 255; where two bars are given, the second ends what the first began."""

    every_s: float = 1.0  # between two looks
    most_gap_s: float = 15.0  # a longer one breaks off what was held: there was no picture
    dark: tuple[float, float] = (40.0, 50.0)  # all but BRIGHT_SHARE of the picture is below
    plain: tuple[float, float] = (0.20, 0.30)  # detail, of what the camera usually has
    plain_and_strange: tuple[float, float] = (0.35, 0.50)  # the same, where nothing known is left in view
    known_left: float = 0.30  # likeness above which something known is left
    most_plain: float = 2.0  # levels from pixel to pixel: with more, something can be seen
    always_plain: float = 0.004  # detail that is none, even with nothing to compare with
    strange: tuple[float, float] = (0.15, 0.25)  # likeness to the usual view
    least_detail: float = 0.5  # of the usual: with less, a view is not compared
    still_mean: float = 0.5  # levels: pictures of one moment, encoded again and again, differ by less
    still_most: float = 4.0
    known_after_s: float = 60.0  # of learning, before a picture is compared with the usual one
    memory_s: float = 600.0  # the usual picture follows slower changes
    dark_after_s: float = 10.0
    covered_after_s: float = 10.0
    frozen_after_s: float = 20.0  # more than two key-frame intervals of cameras that set them long
    moved_after_s: float = 30.0
    accepted_after_s: float = 600.0  # a new view has become the usual one

    def after_ms(self, reason: CameraReason) -> float:
        """Return how long a sign must hold to be believed."""
        return 1000 * {
            CameraReason.DARK: self.dark_after_s,
            CameraReason.FROZEN: self.frozen_after_s,
            CameraReason.COVERED: self.covered_after_s,
            CameraReason.MOVED: self.moved_after_s,
        }.get(reason, 0.0)


PICTURE = PicturePolicy()
BRIGHT_SHARE = 0.05  # a clock written into the picture, a lamp of a machine
BLACK = 16.0  # of video; what a camera calls black
RECENT = 128  # pictures remembered: more than lie between two key frames


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What a camera usually shows, learnt while nothing was wrong."""

    learnt_s: float = 0.0
    detail: float = 0.0
    view: np.ndarray | None = None  # see view_of()


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """What is known about the pictures of one camera; `reason` is what is wrong with them, if anything."""

    reason: CameraReason = CameraReason.NONE
    at_ms: int | None = None
    held: Mapping[CameraReason, int] = field(
        default_factory=dict
    )  # since when each sign has held without a break
    usual: Usual = field(default_factory=Usual)
    still: np.ndarray | None = None  # the first of the pictures that have not changed since
    recent: tuple[int, ...] = ()  # checksums of those


def watched(
    before: Watched,
    grey: np.ndarray,
    at_ms: int,
    policy: PicturePolicy = PICTURE,
    *,
    hidden: np.ndarray | None = None,
) -> Watched:
    """Return what is known after one more picture, rows × columns uint8 of one size, even sides, at least 8.

    at_ms is on a clock that never jumps. Looks more often than policy.every_s change nothing. hidden is bool
    of that size, always the same: what a privacy mask paints over, which would look like a view that stays.
    """
    if before.at_ms is not None and at_ms - before.at_ms < policy.every_s * 1000:
        return before
    gap_s = 0.0 if before.at_ms is None else (at_ms - before.at_ms) / 1000
    if gap_s > policy.most_gap_s or (before.still is not None and before.still.shape != grey.shape):
        usual = before.usual if before.still is not None and before.still.shape == grey.shape else Usual()
        before, gap_s = Watched(usual=usual), 0.0
    still, recent, is_repeated = _repeated(before, grey, policy)
    shown = _shown(hidden)
    view, detail = view_of(grey, shown), detail_of(grey, shown)
    signs = _signs(grey, view, detail, before, policy, shown)
    signs |= {CameraReason.FROZEN} if is_repeated else set()
    held = {sign: before.held.get(sign, at_ms) for sign in signs}
    usual = before.usual
    if at_ms - held.get(CameraReason.MOVED, at_ms) >= policy.accepted_after_s * 1000:
        usual = Usual()
        del held[CameraReason.MOVED]
    if not held:
        usual = _learnt(usual, view, detail, min(gap_s, policy.most_gap_s), policy)
    reason = _believed(before.reason, held, at_ms, policy)
    return Watched(reason, at_ms, held, usual, still, recent)


def _believed(
    before: CameraReason, held: Mapping[CameraReason, int], at_ms: int, policy: PicturePolicy
) -> CameraReason:
    """Return what is wrong: what was wrong before as long as it is, else what has held for long enough."""
    if before in held:
        return before
    order = (CameraReason.DARK, CameraReason.FROZEN, CameraReason.COVERED, CameraReason.MOVED)
    due = (each for each in order if each in held and at_ms - held[each] >= policy.after_ms(each))
    return next(due, CameraReason.NONE)


def _signs(
    grey: np.ndarray,
    view: np.ndarray,
    detail: float,
    before: Watched,
    policy: PicturePolicy,
    shown: np.ndarray | None,
) -> set[CameraReason]:
    """Return what this picture looks like; nothing is said about the view of a dark or plain one."""
    if is_dark(grey, policy.dark[before.reason is CameraReason.DARK], shown):
        return {CameraReason.DARK}
    if _is_plain(steepness(grey, shown), view, detail, before, policy):
        return {CameraReason.COVERED}
    return {CameraReason.MOVED} if _is_strange(view, detail, before, policy) else set()


def is_dark(grey: np.ndarray, level: float = PICTURE.dark[0], shown: np.ndarray | None = None) -> bool:
    """Tell whether nearly all of a picture is darker than level: nobody could be recognised in it.

    A lens cap is as dark as a night without a lamp, so the one is not told from the other.
    """
    seen = grey if shown is None else _halved(grey)[shown]
    return bool(seen.size) and float(np.quantile(seen, 1 - BRIGHT_SHARE)) < level


def _shown(hidden: np.ndarray | None) -> np.ndarray | None:
    """Return where a halved picture shows the camera's own; None: everywhere, also when nothing is left."""
    if hidden is None:
        return None
    shown = ~_halved(hidden).astype(bool)
    return shown if shown.any() else None


def _halved(grey: np.ndarray) -> np.ndarray:
    """Return a grey picture at half its size: the noise is less, the edges stay."""
    rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
    return grey.reshape(rows, 2, columns, 2).mean(axis=(1, 3), dtype=np.float32)


def steepness(grey: np.ndarray, shown: np.ndarray | None = None) -> float:
    """Return by how many levels neighbours differ on average, in a picture of half the size."""
    small = _halved(grey)
    down, across = np.abs(np.diff(small, axis=0)), np.abs(np.diff(small, axis=1))
    if shown is not None:
        down, across = down[shown[1:] & shown[:-1]], across[shown[:, 1:] & shown[:, :-1]]
    return sum(float(each.mean()) if each.size else 0.0 for each in (down, across)) / 2


def detail_of(grey: np.ndarray, shown: np.ndarray | None = None) -> float:
    """Return the steepness relative to the light, which a dimmed lamp leaves as it is."""
    light = float(grey.mean()) if shown is None else float(_halved(grey)[shown].mean())
    return steepness(grey, shown) / (max(0.0, light - BLACK) + 10.0)


def is_featureless(grey: np.ndarray, policy: PicturePolicy = PICTURE) -> bool:
    """Tell whether there is nothing to see in a picture, whatever the camera usually shows."""
    return detail_of(grey) < policy.always_plain


def _is_plain(steep: float, view: np.ndarray, detail: float, before: Watched, policy: PicturePolicy) -> bool:
    """Tell whether the detail that the camera usually has is gone: a cloth, paint, a lens far out of focus.

    A slight blur does not show in a thumbnail. Somebody who fills the picture with a plain coat covers it.
    """
    if detail < policy.always_plain:
        return True
    usual, late = before.usual, before.reason is CameraReason.COVERED
    if usual.view is None or usual.learnt_s < policy.known_after_s or steep >= policy.most_plain:
        return False
    share = detail / max(usual.detail, 1e-6)
    is_lost = likeness(view, usual.view) < policy.known_left
    return share < policy.plain[late] or (is_lost and share < policy.plain_and_strange[late])


def _is_strange(view: np.ndarray, detail: float, before: Watched, policy: PicturePolicy) -> bool:
    """Tell whether the edges of the usual view are gone, and there are others.

    Light, shadows, an infrared lamp and people leave most edges where they are. A camera that was pushed a
    little, or looks at bare walls before and after, is not told.
    """
    usual = before.usual
    if usual.view is None or usual.learnt_s < policy.known_after_s:
        return False
    if detail < policy.least_detail * usual.detail:
        return before.reason is CameraReason.MOVED
    return likeness(view, usual.view) < policy.strange[before.reason is CameraReason.MOVED]


def view_of(grey: np.ndarray, shown: np.ndarray | None = None) -> np.ndarray:
    """Return the edges of a picture, 4 × rows × columns: their direction with its sign, and without.

    Their strength hardly counts, so that the light does not; without the sign, a contrast that an infrared
    lamp turns round is the same edge.
    """
    small = _halved(grey)
    across = (small[:, 2:] - small[:, :-2])[1:-1]
    down = (small[2:] - small[:-2])[:, 1:-1]
    length = np.hypot(across, down)
    softened = length + 4.0  # noise stays small
    signed = np.stack((across, down)) / softened
    squared = np.stack((across**2 - down**2, 2 * across * down)) / (softened * (length + 1e-3))
    view = np.concatenate((signed, squared))
    if shown is not None:
        view *= shown[1:-1, 1:-1] & shown[1:-1, 2:] & shown[1:-1, :-2] & shown[2:, 1:-1] & shown[:-2, 1:-1]
    return view


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Return how much two views have in common, -1..1; two places have next to nothing."""
    return max(_cosine(a[:2], b[:2]), _cosine(a[2:], b[2:]))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.vdot(a, b)) / scale if scale > 1e-6 else 0.0


def _repeated(
    before: Watched, grey: np.ndarray, policy: PicturePolicy
) -> tuple[np.ndarray, tuple[int, ...], bool]:
    """Return the picture since which nothing changed, what followed it, and whether this one came before.

    A sensor has noise: of one that works, no two pictures are the same to the last digit. Those of a hung one
    are, or come round again with every key frame. Not told from a working one: a hung sensor with a clock
    written over it, or behind an encoder that spends another number of bits on each key frame. Taken for a
    hung one: a recording of an empty room that repeats within two minutes.
    """
    code = zlib.crc32(np.ascontiguousarray(grey).data)
    if before.still is not None:
        change = np.abs(grey.astype(np.int16) - before.still)
        if change.max() <= policy.still_most and change.mean() <= policy.still_mean:
            return before.still, (*before.recent[1 - RECENT :], code), code in before.recent
    return grey, (code,), False


def _learnt(usual: Usual, view: np.ndarray, detail: float, elapsed_s: float, policy: PicturePolicy) -> Usual:
    """Return the usual picture with one more: the mean at first, later one that forgets."""
    if usual.view is None:
        return Usual(0.0, detail, view)
    learnt_s = usual.learnt_s + elapsed_s
    share = min(1.0, elapsed_s / max(1e-6, min(learnt_s, policy.memory_s)))
    return replace(
        usual,
        learnt_s=learnt_s,
        detail=usual.detail + share * (detail - usual.detail),
        view=usual.view + np.float32(share) * (view - usual.view),
    )

"""The geometry of the charts: numbers in, rectangles out. Templates only draw them, as SVG."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from central_server.domain.explanation import Piece as DayPiece
from central_server.domain.intervals import Interval


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle along an axis; offset and length in the unit of the drawing."""

    tone: str
    offset: float
    length: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A stretch of one day. The drawing is `minutes` wide."""

    minutes: int
    pieces: tuple[Piece, ...]
    hours: tuple[str, ...]  # six labels, evenly spread from the left edge
    now: float | None  # minutes from the left edge


def stacked(parts: Iterable[tuple[str, int]], whole: float = 100.0) -> tuple[Piece, ...]:
    """Return pieces that fill `whole` in proportion; nothing at all gives no pieces."""
    parts = [(tone, count) for tone, count in parts if count > 0]
    total = sum(count for _, count in parts)
    pieces: list[Piece] = []
    reached = 0.0
    for tone, count in parts:
        length = whole * count / total
        pieces.append(Piece(tone, round(reached, 3), round(length, 3), str(count)))
        reached += length
    return tuple(pieces)


def column(parts: Iterable[tuple[str, int]], most: int, height: float = 100.0) -> tuple[Piece, ...]:
    """Return the pieces of one column, from the bottom up, where `most` is as high as the drawing."""
    pieces: list[Piece] = []
    top = height
    for tone, count in parts:
        length = height * count / most if most else 0.0
        if length:
            top -= length
            pieces.append(Piece(tone, round(top, 3), round(length, 3), str(count)))
    return tuple(pieces)


def day_timeline(stays: Sequence[Interval], day: date, zone: tzinfo, now: datetime) -> Timeline:
    """Return a person's day from 06:00 to 18:00, or wider when there were stays outside of that."""
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    first = min([6.0, *(_hour(each.start, midnight) for each in stays)])
    last = max([18.0, *(_hour(each.end, midnight) for each in stays)])
    start = max(0, int(first) // 6 * 6)
    hours = -(-int(-(-last // 1) - start) // 6) * 6  # a whole number of sixths, each some full hours
    left = midnight + timedelta(hours=start)
    pieces = tuple(
        Piece(
            "good",
            round((each.start - left) / timedelta(minutes=1), 2),
            max(2.0, round((each.end - each.start) / timedelta(minutes=1), 2)),
            f"{each.start:%H:%M}–{each.end:%H:%M}",
        )
        for each in stays
    )
    step = hours // 6
    passed = (now - left) / timedelta(minutes=1)
    return Timeline(
        minutes=hours * 60,
        pieces=pieces,
        hours=tuple(f"{(start + step * each) % 24:02d}:00" for each in range(6)),
        now=round(passed, 1) if 0 <= passed <= hours * 60 else None,
    )


def _hour(moment: datetime, midnight: datetime) -> float:
    return (moment - midnight) / timedelta(hours=1)


WEEK_MINUTES = 7 * 24 * 60


def week_bars(starts: time, ends: time, days: Iterable[int], tone: str = "good") -> tuple[Piece, ...]:
    """Return the working time of a week as pieces in minutes from Monday 00:00; Sunday's night goes round."""
    pieces = []
    begins = starts.hour * 60 + starts.minute
    length = (ends.hour * 60 + ends.minute - begins) % (24 * 60) or 24 * 60
    words = f"{starts:%H:%M}–{ends:%H:%M}"
    for day in sorted(days):
        offset = day * 24 * 60 + begins
        pieces.append(Piece(tone, offset, min(length, WEEK_MINUTES - offset), words))
        if offset + length > WEEK_MINUTES:
            pieces.append(Piece(tone, 0, offset + length - WEEK_MINUTES, words))
    return tuple(pieces)


LANES: Mapping[str, tuple[str, ...]] = {  # of a day's drawing, from the top, with what lies over what
    "shift": ("shift", "break"),
    "stay": ("odd_stay", "stay", "in", "out"),
    "gap": ("idle_gap", "gap"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle of a lane."""

    kind: str  # shift | break | stay | odd_stay | gap | idle_gap | in | out
    offset: float  # minutes from the left edge
    length: float
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """What is of one kind, to the scale of its strip."""

    kind: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """A person-day drawn to scale, `minutes` wide; only lanes in which there is something."""

    minutes: int
    lanes: tuple[Lane, ...]
    hours: tuple[str, ...]  # six labels, evenly spread from the left edge
    lines: tuple[int, ...]  # where they stand, in minutes from the left edge

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(bar.kind for lane in self.lanes for bar in lane.bars)


def strip(pieces: Sequence[DayPiece], zone: tzinfo, labels: Sequence[str]) -> Strip | None:
    """Return the drawing of a day's pieces, each with its label; None when there are none."""
    if not pieces:
        return None
    first = min(each.time.start for each in pieces).astimezone(zone)
    left = first.replace(minute=0, second=0, microsecond=0)
    last = max(each.time.end for each in pieces)
    hours = max(6, -(-int(-(-(last - left) // timedelta(hours=1))) // 6) * 6)
    bars = [_bar(*each, left, hours) for each in zip(pieces, labels, strict=True)]
    lanes = (
        Lane(name, tuple(each for kind in kinds for each in bars if each.kind == kind))
        for name, kinds in LANES.items()
    )
    step = hours // 6
    return Strip(
        minutes=hours * 60,
        lanes=tuple(each for each in lanes if each.bars),
        hours=tuple(f"{(left + timedelta(hours=step * each)).astimezone(zone):%H:%M}" for each in range(6)),
        lines=tuple(step * 60 * each for each in range(6)),
    )


def _bar(piece: DayPiece, label: str, left: datetime, hours: int) -> Bar:
    is_idle = piece.note is not None and piece.note.code == "gap_does_not_decide"
    offset = (piece.time.start - left) / timedelta(minutes=1)
    length = max(hours / 3, piece.time.length / timedelta(minutes=1))  # an instant can be seen too
    return Bar("idle_gap" if is_idle else piece.kind, round(offset, 1), round(length, 1), label)

"""Which packets of a video are worth decoding. Decoding is the dearest thing that a camera costs.

Pictures that no other picture is built on need decoding only when they are sampled themselves. And while
nothing moves before a camera, its key frames are enough: the packets in between are kept, and when they grow
far larger than they were of late - something moves - they are all decoded after all.
"""

from dataclasses import dataclass

# Kinds of H.264 and HEVC units, from the standards (ITU-T H.264 table 7-1, H.265 table 7-1).
_H264_SLICES = range(1, 6)
_HEVC_SLICES = range(32)
_HEVC_UNREFERENCED = range(0, 15, 2)  # the "_N" types: not used for reference within their layer


@dataclass(frozen=True, slots=True)
class Role:
    """What a packet's picture is to the others."""

    layer: int = 0  # of HEVC: 0 shows the most seldom pictures; a layer may be built on those below it
    is_leaf: bool = False  # nothing of its own layer is built on it, in H.264 nothing at all

    def is_unreferenced(self, highest: int) -> bool:
        """Tell whether no other picture is decoded from it; highest is the highest layer of the video."""
        return self.is_leaf and self.layer >= highest


def role_of(data: memoryview | bytes, codec: str, length_bytes: int = 0) -> Role:
    """Return the role of a packet's picture, as its first slice tells.

    length_bytes is how units are set apart: by a length of so many bytes (files), or 0 by start codes (RTSP).
    Never a leaf where something is not understood: then it is decoded.
    """
    if codec not in ("h264", "hevc"):
        return Role()
    for head, following in _unit_heads(bytes(data[:4096]), length_bytes):
        if codec == "h264":
            if head & 31 in _H264_SLICES:
                return Role(is_leaf=head >> 5 & 3 == 0)
        elif (kind := head >> 1 & 63) in _HEVC_SLICES:
            return Role(layer=max(0, (following & 7) - 1), is_leaf=kind in _HEVC_UNREFERENCED)
    return Role()


def _unit_heads(data: bytes, length_bytes: int) -> list[tuple[int, int]]:
    """Return the first two bytes of each unit in data."""
    heads, at = [], 0
    while length_bytes and at + length_bytes + 1 < len(data):
        heads.append((data[at + length_bytes], data[at + length_bytes + 1]))
        at += length_bytes + int.from_bytes(data[at : at + length_bytes], "big")
    at = 0 if not length_bytes else -1
    while at >= 0:
        at = data.find(b"\x00\x00\x01", at)
        if at < 0 or at + 4 >= len(data):
            break
        heads.append((data[at + 3], data[at + 4]))
        at += 3
    return heads


@dataclass(frozen=True, slots=True, kw_only=True)
class RestPolicy:
    """When key frames are enough."""

    most_gap_s: float = 2.5  # between key frames: with longer gaps a camera is never at rest
    rise: float = 1.6  # times the usual size: something moves
    least_bytes: int = 400  # beyond it: tiny packets vary by nothing
    in_a_row: int = 4  # packets that are so large: a single one is a pulse of the encoder
    known_after: int = 20  # packets before their usual size means anything
    most_per_pixel: float = 0.015  # usual bytes a pixel: a noisy picture hides in its packets what moves
    awake_s: float = 1.0  # once something moved, the scene is looked at for at least so long


REST = RestPolicy()
REMEMBERED = 60


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the packets between key frames have been of late, in bytes, the newest last."""

    recent: tuple[int, ...] = ()

    def with_packet(self, size: int) -> "Sizes":
        return Sizes((*self.recent, size)[-REMEMBERED:])

    @property
    def usual(self) -> int:
        """The median; 0 when nothing is known."""
        return sorted(self.recent)[len(self.recent) // 2] if self.recent else 0

    def tells(self, pixels: int, policy: RestPolicy) -> bool:
        """Tell whether sizes say anything about a picture of so many pixels."""
        return self.usual <= pixels * policy.most_per_pixel

    def is_rise(self, policy: RestPolicy) -> bool:
        """Tell whether the newest packets, all of them, are far larger than is usual."""
        if len(self.recent) < policy.known_after:
            return False
        return min(self.recent[-policy.in_a_row :]) > self.usual * policy.rise + policy.least_bytes

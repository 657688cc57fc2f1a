"""Which packets of a video are worth decoding. Decoding is the dearest thing that a camera costs.

Pictures that no other picture is built on need decoding only when they are sampled themselves. And while
nothing moves before a camera, its key frames are enough: the packets in between are kept, and when one of
them is far larger than they were of late - something moved - they are all decoded after all.
"""

from dataclasses import dataclass

# Kinds of H.264 and HEVC units, from the standards (ITU-T H.264 table 7-1, H.265 table 7-1).
_H264_SLICES = range(1, 6)
_HEVC_SLICES = range(32)
_HEVC_UNREFERENCED = range(0, 15, 2)  # the "_N" types: not used for reference within their layer


def is_unreferenced(data: memoryview | bytes, codec: str, length_bytes: int = 0) -> bool:
    """Tell whether no other picture is decoded from this packet's.

    length_bytes is how units are set apart: by a length of so many bytes (files), or 0 by start codes (RTSP).
    False for anything that is not understood: then it is decoded.
    """
    if codec not in ("h264", "hevc"):
        return False
    for head in _unit_heads(bytes(data[:4096]), length_bytes):
        if codec == "h264":
            if head & 31 in _H264_SLICES:
                return head >> 5 & 3 == 0
        elif (kind := head >> 1 & 63) in _HEVC_SLICES:
            return kind in _HEVC_UNREFERENCED
    return False


def _unit_heads(data: bytes, length_bytes: int) -> list[int]:
    """Return the first byte of each unit in data."""
    heads, at = [], 0
    while length_bytes and at + length_bytes < len(data):
        heads.append(data[at + length_bytes])
        at += length_bytes + int.from_bytes(data[at : at + length_bytes], "big")
    at = 0 if not length_bytes else -1
    while at >= 0:
        at = data.find(b"\x00\x00\x01", at)
        if at < 0 or at + 3 >= len(data):
            break
        heads.append(data[at + 3])
        at += 3
    return heads


@dataclass(frozen=True, slots=True, kw_only=True)
class RestPolicy:
    """When key frames are enough."""

    most_gap_s: float = 4.0  # between key frames: with longer gaps a camera is never at rest
    spike: float = 1.6  # times the largest packet of late: something moved
    least_bytes: int = 400  # beyond it: tiny packets vary by nothing
    fading: float = 0.995  # of the largest size of late, a packet: half in five seconds of 25 fps
    known_after: int = 10  # packets before sizes mean anything


REST = RestPolicy()


@dataclass(frozen=True, slots=True)
class Usual:
    """How large the packets between key frames have been of late."""

    peak: float = 0.0  # bytes
    count: int = 0

    def is_spike(self, size: int, policy: RestPolicy) -> bool:
        """Tell whether a packet is far larger than any of late."""
        return self.count >= policy.known_after and size > self.peak * policy.spike + policy.least_bytes

    def with_packet(self, size: int, policy: RestPolicy) -> "Usual":
        """Return the same after one more packet. What recurs, like a pulse of the encoder, becomes usual."""
        return Usual(max(float(size), self.peak * policy.fading), self.count + 1)

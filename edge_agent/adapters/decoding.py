"""Video from its packets, with PyAV (FFmpeg's libraries in this process): opened, sampled, decoded.

Reading packets apart from decoding them is what makes a camera cheap: see core/packets.py. The pictures stay
the decoder's planes. FFmpeg's own log is silent, since it would print what it opens, password and all.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

import av
import numpy as np
from av import VideoFrame
from av.codec.hwaccel import HWAccel

from common.events import CameraReason
from edge_agent.adapters.ffmpeg_child import ChildContext, ChildError
from edge_agent.core.packets import REST, RestPolicy, Sizes, role_of
from edge_agent.picture import DecodedPicture

log = logging.getLogger(__name__)
av.logging.set_level(av.logging.PANIC)

# UDP loses packets and shows grey smears. Left to itself FFmpeg studies a stream for seconds before it hands
# over the first picture.
LIVE = {
    "rtsp_transport": "tcp",
    "allowed_media_types": "video",  # sound is none of our business, and would hide that the pictures stopped
    "fflags": "+discardcorrupt",
    "analyzeduration": "500000",
    "fpsprobesize": "2",
}
MOST_PENDING = 400  # packets kept while resting
MOST_BAD = 50  # packets in a row that cannot be decoded
LATE_DECODERS = ("v4l2", "vaapi", "ffmpeg")  # their pictures come late: such a camera never rests
MOST_SILENT = 300  # packets in a row that give no picture
# Formats whose first plane is the brightness, a byte a pixel; anything else is converted.
WITH_LUMA = ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray")


_CANNOT_OPEN = (av.FFmpegError, OSError, IndexError, ValueError, RuntimeError, ChildError)


class SourceError(Exception):
    """The stream cannot be opened or goes no further."""

    def __init__(self, reason: CameraReason) -> None:
        self.reason = reason
        super().__init__(reason.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a video is opened."""

    url: str
    open_s: float = 4.0
    read_s: float = 3.0
    decode: str = "software"  # one of config.DECODERS
    is_live: bool = True
    strict: bool = False  # no falling back on the processor where the hardware does not know the video


class Video:
    """An opened video. `packets` raises SourceError when it breaks off."""

    def __init__(self, opening: Opening, *, file: Any = None) -> None:
        """Open what opening says, or an open file instead of its address. Raises SourceError."""
        self._opening = opening
        options = LIVE if opening.is_live else {}
        try:
            self._container = av.open(
                file or opening.url,
                options=options,
                timeout=(opening.open_s, opening.read_s) if opening.is_live else None,
                hwaccel=_hwaccel(opening),
                metadata_errors="replace",
            )
        except _CANNOT_OPEN as error:
            log.debug("the video cannot be opened (%s)", type(error).__name__)
            raise SourceError(CameraReason.DECODE) from error
        try:
            self.stream = self._container.streams.video[0]
            self.context = _context(self.stream, opening.decode)
        except _CANNOT_OPEN as error:
            self._container.close()
            log.debug("the video cannot be decoded (%s)", type(error).__name__)
            raise SourceError(CameraReason.DECODE) from error
        self.codec = self.stream.codec_context.name
        self.pixels = self.stream.codec_context.width * self.stream.codec_context.height
        self.time_base = float(self.stream.time_base or 0) or 1 / 90_000
        self.fps = float(self.stream.average_rate or self.stream.guessed_rate or 25)
        self.length_bytes = _length_bytes(self.stream.codec_context.extradata)

    @property
    def gives_at_once(self) -> bool:
        """Tell whether the decoder gives a picture out as soon as it is asked to, even a single one."""
        return self._opening.decode not in LATE_DECODERS

    @property
    def duration_s(self) -> float | None:
        """The length of a file, in seconds, as far as it says."""
        if self.stream.duration is not None:
            return self.stream.duration * self.time_base
        return self._container.duration / av.time_base if self._container.duration else None

    def packets(self) -> Iterator[av.Packet]:
        """Yield the packets of the picture, until the end of a file."""
        began = time.monotonic()
        try:
            # All streams: FFmpeg's own time limit begins anew with the packets of any, sound for example.
            for packet in self._container.demux():
                if packet.stream.index != self.stream.index:
                    self._complain_of_silence(began)
                    continue
                if packet.size:
                    yield packet
                began = time.monotonic()
        except (av.FFmpegError, OSError) as error:
            is_stall = time.monotonic() - began >= 0.9 * self._opening.read_s
            log.debug("the stream broke off (%s)", "no packet in time" if is_stall else type(error).__name__)
            raise SourceError(CameraReason.STALLED) from error

    def _complain_of_silence(self, since: float) -> None:
        if self._opening.is_live and time.monotonic() - since >= self._opening.read_s:
            raise SourceError(CameraReason.STALLED)

    def seek(self, to_s: float) -> None:
        """Go to the last key frame before to_s."""
        start = self.stream.start_time or 0
        self._container.seek(start + round(to_s / self.time_base), stream=self.stream)
        self.context.flush_buffers()

    def at_s(self, stamp: int | None) -> float | None:
        """Return a time stamp of the stream as seconds from its start."""
        return None if stamp is None else (stamp - (self.stream.start_time or 0)) * self.time_base

    def drained(self) -> list[VideoFrame]:
        """Return the pictures that the decoder still holds, at the end."""
        if isinstance(self.context, ChildContext):
            self.context.close()
        return self.context.decode(None)

    def close(self) -> None:
        try:
            if isinstance(self.context, ChildContext):
                self.context.close()
        finally:
            self._container.close()


def _hwaccel(opening: Opening) -> HWAccel | None:
    if opening.decode not in ("cuda", "qsv", "drm"):
        return None
    return HWAccel(device_type=opening.decode, allow_software_fallback=not opening.strict)


def _context(stream: Any, device: str) -> Any:
    """Return the decoder: one thread, since cameras are what runs in parallel."""
    context = stream.codec_context
    if device in ("vaapi", "ffmpeg"):
        return ChildContext(stream, "vaapi" if device == "vaapi" else None)
    if device == "v4l2":  # a decoder of its own name: the Raspberry Pi's
        own = av.CodecContext.create(f"{context.name}_v4l2m2m", "r")
        own.extradata = context.extradata
        own.width, own.height = context.width, context.height
        return own
    context.thread_count = 1
    context.thread_type = "SLICE"
    return context


def _length_bytes(extradata: bytes | None) -> int:
    """Return how many bytes set the units of a packet apart: of an avcC or hvcC header; 0 for start codes."""
    if not extradata or extradata[0] != 1:
        return 0
    at = 4 if len(extradata) < 23 or extradata[4] & 0xFC == 0xFC else 21
    return (extradata[at] & 3) + 1


def picture_of(frame: VideoFrame) -> DecodedPicture:
    """Return a decoded frame as a picture that shares its memory until its colours are asked for."""
    plain = frame if frame.format.name in WITH_LUMA else frame.reformat(format="yuv420p")
    plane = plain.planes[0]
    luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    return DecodedPicture(luma, lambda: _colours(frame))


def _colours(frame: VideoFrame) -> np.ndarray:
    # OpenCV's reader asks for the same; it matters where there is no direct way, as from ten bits.
    return frame.reformat(format="bgr24", interpolation="BICUBIC").to_ndarray()


class Decoder:
    """The packets of one video, decoded as far as it is needed."""

    def __init__(
        self, video: Video, *, may_rest: bool = True, skips: bool = True, rest: RestPolicy = REST
    ) -> None:
        self._video, self._skips, self._rest = video, skips, rest
        self._may_rest = may_rest and video.gives_at_once
        self._pending: list[av.Packet] = []  # received, not decoded yet; begins with a key frame, or goes on
        self._sizes = Sizes()
        self._awake_until_s = 0.0
        self._last_key_s: float | None = None
        self._key_gap_s = inf  # between the two newest key frames
        self._highest_layer = 0
        self._is_resting = False
        self._bad = self._silent = 0
        self.decoded = self.skipped = 0

    @property
    def is_resting(self) -> bool:
        """Tell whether only key frames are decoded just now."""
        return self._is_resting

    def feed(self, packet: av.Packet, *, is_wanted: bool, is_idle: bool, at_s: float) -> list[VideoFrame]:
        """Return what comes out of the decoder after packet, often nothing.

        is_wanted: a sample is due with this packet; is_idle: key frames are enough; at_s: any steady clock.
        """
        role = role_of(memoryview(packet), self._video.codec, self._video.length_bytes)
        self._highest_layer = max(self._highest_layer, role.layer)
        is_spare = not packet.is_keyframe and role.is_unreferenced(self._highest_layer)
        if not packet.is_keyframe and not is_spare and self._is_rise(packet.size):
            self._awake_until_s = at_s + self._rest.awake_s
        is_calm = (
            is_idle and at_s >= self._awake_until_s and self._sizes.tells(self._video.pixels, self._rest)
        )
        may = self._keys_are_near(packet, at_s) and is_calm and self._may_rest
        if may and packet.is_keyframe:
            return self._key_frame_alone(packet)
        if may:
            self._is_resting = True
            self._pending.append(packet)
            return []
        frames = self._caught_up()
        if is_spare and not is_wanted and self._skips:
            self.skipped += 1
            return frames
        return [*frames, *self._decoded(packet)]

    def end(self) -> list[VideoFrame]:
        """Return what the decoder still held at the end of a file."""
        return [*self._caught_up(), *self._decoded(None)]

    def _is_rise(self, size: int) -> bool:
        self._sizes = self._sizes.with_packet(size)
        return self._sizes.is_rise(self._rest)

    def _keys_are_near(self, packet: av.Packet, at_s: float) -> bool:
        """Tell whether key frames come often enough to live on them."""
        since_s = inf if self._last_key_s is None else at_s - self._last_key_s
        if packet.is_keyframe:
            self._last_key_s, self._key_gap_s = at_s, since_s
        is_near = max(since_s, self._key_gap_s) <= self._rest.most_gap_s
        return is_near and len(self._pending) < MOST_PENDING

    def _key_frame_alone(self, packet: av.Packet) -> list[VideoFrame]:
        """Decode a key frame and have it out at once; should the scene wake up, decoding goes on from it."""
        self.skipped += max(0, len(self._pending) - 1)
        self._video.context.flush_buffers()
        frames = [*self._decoded(packet), *self._decoded(None)]
        self._video.context.flush_buffers()
        self._pending, self._is_resting = [packet], True
        if frames:
            return frames[-1:]
        self._may_rest = False  # of some streams a key frame alone shows nothing: they are decoded always
        return self._caught_up()

    def _caught_up(self) -> list[VideoFrame]:
        """Decode what was left out since the last key frame; only the newest picture of it is of interest."""
        pending, self._pending, self._is_resting = self._pending, [], False
        frames: list[VideoFrame] = []
        for each in pending:
            frames = self._decoded(each) or frames
        return frames[-1:]

    def _decoded(self, packet: av.Packet | None) -> list[VideoFrame]:
        try:
            frames = self._video.context.decode(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._bad += 1
            if self._bad > MOST_BAD:
                raise SourceError(CameraReason.DECODE) from error
            return []
        self.decoded += packet is not None
        self._silent = 0 if frames else self._silent + 1
        whole = [each for each in frames if not each.is_corrupt]
        if frames:
            self._bad = 0 if whole else self._bad + 1
        if self._bad > MOST_BAD or self._silent > MOST_SILENT:
            raise SourceError(CameraReason.DECODE)
        return whole

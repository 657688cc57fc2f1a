"""A camera's main stream, kept and not decoded: when a face is small, the newest picture of it is made.

Watching a 4K stream costs a processor; keeping its packets since the last key frame costs some megabytes. A
face that the sub stream shows at 40 pixels has 160 there.
"""

import logging
import random
import threading
import time
from dataclasses import dataclass, replace

import av

from edge_agent.adapters.camera_reader import open_stream, opening_of
from edge_agent.adapters.decoding import SourceError, Video, picture_of
from edge_agent.config import CameraConfig
from edge_agent.core.retry import RETRY, RetryPolicy
from edge_agent.picture import Picture

log = logging.getLogger(__name__)

MOST_BYTES = 24_000_000  # of packets since the last key frame; beyond it there is no picture until the next
MOST_APART_S = 0.4  # further apart the two streams show different moments: somebody else may stand there
MOST_DECODED = 150  # packets at once: a longer group of pictures would keep its camera waiting


@dataclass(slots=True)
class _Group:
    """The packets since a key frame, and how far they have been decoded."""

    codec: str
    extradata: bytes | None
    packets: list[av.Packet]
    size: int = 0
    newest_s: float = 0.0  # monotonic
    context: av.CodecContext | None = None
    decoded: int = 0
    picture: Picture | None = None  # the newest that was made


class DetailStream:
    """The main stream of one camera, on a thread of its own. `picture` is for one other thread."""

    def __init__(self, camera: CameraConfig, *, retry: RetryPolicy = RETRY) -> None:
        self._camera, self._retry = camera, retry
        self._lock = threading.Lock()
        self._group: _Group | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"detail-{camera.camera_id}", daemon=True)
        self._last_words = ""
        self._last_s = 0.0  # of the newest packet, monotonic

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it may take as long as a read may."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(self._camera.open_timeout_s + self._camera.read_timeout_s + 1)

    def picture(self, at_s: float) -> Picture | None:
        """Return the newest picture, masked as the camera's others; None when there is none of about at_s.

        at_s is on the monotonic clock.
        """
        with self._lock:
            group = self._group
            if group is None or abs(at_s - group.newest_s) > MOST_APART_S:
                return None
            todo = group.packets[group.decoded :]
            if len(todo) > MOST_DECODED:
                return None
            group.decoded = len(group.packets)
        frame = _newest(group, todo)
        if frame is not None:
            picture = picture_of(frame)
            group.picture = picture.without(self._camera.mask) if self._camera.mask else picture
        return group.picture

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                opening = replace(opening_of(self._camera, self._camera.url), decode="software")
                self._keep(open_stream(self._camera.url, opening))
            except SourceError as error:
                self._complain(error)
            except Exception:
                log.exception("camera %s: the main stream's reader failed", self._camera.camera_id)
            with self._lock:
                self._group = None
            lasted, tried = max(0.0, self._last_s - began), time.monotonic() - began
            failures = self._retry.failures(failures, lasted)
            self._stopping.wait(self._retry.wait_s(failures, lasted, tried, chance=random.random()))

    def _keep(self, video: Video) -> None:
        self._last_words = ""
        try:
            for packet in video.packets():
                if self._stopping.is_set():
                    return
                self._last_s = time.monotonic()
                self._take(packet, video)
        finally:
            video.close()

    def _take(self, packet: av.Packet, video: Video) -> None:
        with self._lock:
            if packet.is_keyframe:
                self._group = _Group(video.codec, video.stream.codec_context.extradata, [])
            group = self._group
            if group is None:
                return
            group.packets.append(packet)
            group.size += packet.size
            group.newest_s = time.monotonic()
            if group.size > MOST_BYTES:
                self._group = None

    def _complain(self, error: SourceError) -> None:
        level = logging.DEBUG if str(error) == self._last_words else logging.WARNING
        self._last_words = str(error)
        where = f"camera {self._camera.camera_id}"
        log.log(level, "%s: no main stream (%s); small faces stay small", where, error.reason.value)


def _newest(group: _Group, packets: list[av.Packet]) -> av.VideoFrame | None:
    """Decode what is new of a group and return its newest picture; None when nothing new came out."""
    if group.context is None:
        group.context = av.CodecContext.create(group.codec, "r")
        group.context.extradata = group.extradata
        group.context.thread_count = 1
    newest = None
    for packet in packets:
        try:
            frames = group.context.decode(packet)
        except (av.FFmpegError, ValueError):
            continue
        newest = frames[-1] if frames else newest
    return newest

"""What a camera shows, sample by sample: a live stream, a file played in real time, or a webcam."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.events import CameraReason
from edge_agent.adapters.decoding import Decoder, Opening, SourceError, Video, VideoFrame, picture_of
from edge_agent.adapters.opencv import cv2
from edge_agent.adapters.rtsp_probe import reason_refused, reason_unreachable
from edge_agent.config import CameraConfig
from edge_agent.picture import ColourPicture, Picture

STALL_SHARE = 0.9  # a read that takes this much of its timeout is a stall, even if it brings a frame
LATE_S = 0.1  # a file further behind the clock than this catches up before it is sampled again
PATIENCE_S = 1.0  # but no longer than this: a box too slow for a file still sees something of it


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What came of one sampling instant; `picture` is None while the camera is at rest."""

    picture: Picture | None


Reader = Generator[Sample | None, None, None]  # None: nothing is due, only read past


def read_camera(
    camera: CameraConfig, is_calm: Callable[[], bool], pause: Callable[[float], object]
) -> Reader:
    """Yield what camera shows. Raises SourceError with the reason when there is no picture.

    is_calm tells whether nothing has moved lately; pause waits, without outliving the source.
    """
    if camera.searched_url.startswith("webcam:"):
        return _webcam(camera)
    if is_stream(camera.searched_url):
        return _stream(camera, is_calm)
    return _file(camera, is_calm, pause)


def is_rtsp(url: str) -> bool:
    return url.lower().startswith(("rtsp://", "rtsps://"))


def is_stream(url: str) -> bool:
    return "://" in url and not url.lower().startswith("file://")


def opening_of(camera: CameraConfig, url: str) -> Opening:
    """Return how url, a stream of camera, is opened."""
    return Opening(
        url=url,
        open_s=camera.open_timeout_s,
        read_s=camera.read_timeout_s,
        decode=camera.decode,
        is_live=is_stream(url),
    )


def open_camera(camera: CameraConfig) -> Video:
    """Return the opened video that is searched. Raises SourceError with the reason."""
    return open_stream(camera.searched_url, opening_of(camera, camera.searched_url))


def open_stream(url: str, opening: Opening) -> Video:
    """Return an opened video. Raises SourceError with the reason, found out step by step."""
    if is_rtsp(url) and (reason := reason_unreachable(url, opening.open_s)):
        raise SourceError(reason)
    try:
        return Video(opening)
    except SourceError as error:
        if is_rtsp(url):
            raise SourceError(reason_refused(url, opening.open_s)) from error
        if is_stream(url) or Path(url.removeprefix("file://")).exists():
            raise
        raise SourceError(CameraReason.REFUSED) from error


def _stream(camera: CameraConfig, is_calm: Callable[[], bool]) -> Reader:
    video = open_camera(camera)
    try:
        yield from _live_samples(video, Decoder(video, may_rest=camera.rests), camera, is_calm)
        raise SourceError(CameraReason.STALLED)  # it hung up; why, the next open tells
    finally:
        video.close()


def _live_samples(
    video: Video, decoder: Decoder, camera: CameraConfig, is_calm: Callable[[], bool]
) -> Reader:
    due = Due(1 / camera.sample_fps, time.monotonic())
    for packet in video.packets():
        now = time.monotonic()
        frames = decoder.feed(packet, is_wanted=due.is_at(now), is_idle=is_calm(), at_s=now)
        yield _sample(frames, decoder, due, now)


class Due:
    """When the next sample is due, on any steady clock."""

    def __init__(self, apart_s: float, first_s: float) -> None:
        self.apart_s, self.next_s = apart_s, first_s

    def is_at(self, now_s: float) -> bool:
        return now_s >= self.next_s - 1e-3

    def met(self, now_s: float) -> None:
        """Move on; what was missed is not made up for."""
        self.next_s = max(self.next_s + self.apart_s, now_s - self.apart_s)


def _sample(frames: Sequence[VideoFrame], decoder: Decoder, due: Due, now_s: float) -> Sample | None:
    """Return the sample that is due, if any. A picture decoded at rest is always one: there are few."""
    if decoder.is_resting:
        is_met = due.is_at(now_s)
        if is_met:
            due.met(now_s)
        return Sample(picture_of(frames[-1])) if frames else Sample(None) if is_met else None
    if not frames or not due.is_at(now_s):
        return None
    due.met(now_s)
    return Sample(picture_of(frames[-1]))


def _file(camera: CameraConfig, is_calm: Callable[[], bool], pause: Callable[[float], object]) -> Reader:
    """Yield a file's samples when they are due by the wall clock; a looping file never ends.

    With an anchor the file plays as if it had played since then, so a restarted agent goes on in the story.
    """
    video = open_camera(camera)
    try:
        length_s = video.duration_s or 0.0
        now_s = time.time()
        start_s = camera.loop_anchor_s if camera.loop and camera.loop_anchor_s is not None else now_s
        if length_s > 0 and now_s - start_s >= length_s:
            start_s += (now_s - start_s) // length_s * length_s
        while True:
            last_s = yield from _played(video, camera, start_s, is_calm, pause)
            if last_s is None:
                raise SourceError(CameraReason.DECODE)
            if not camera.loop:
                return
            start_s += max(length_s, last_s)
            video.seek(0.0)
    finally:
        video.close()


def _played(
    video: Video,
    camera: CameraConfig,
    start_s: float,
    is_calm: Callable[[], bool],
    pause: Callable[[float], object],
) -> Iterator[Sample | None]:
    """Play a file once, which began at start_s; return the time of its last picture, None without one."""
    if time.time() - start_s > 1.0:
        video.seek(time.time() - start_s)
    decoder, last_s = Decoder(video, may_rest=camera.rests), None
    due, sampled = Due(1 / camera.sample_fps, 0.0), time.monotonic()
    for packet in video.packets():
        # Packets come in the order of decoding: by their pictures' times they would go back and forth.
        at_s = video.at_s(packet.dts if packet.dts is not None else packet.pts) or 0.0
        pause(start_s + at_s - time.time())
        is_late = time.time() - (start_s + at_s) > LATE_S and time.monotonic() - sampled < PATIENCE_S
        is_wanted = due.is_at(at_s) and not is_late
        frames = decoder.feed(packet, is_wanted=is_wanted, is_idle=is_calm(), at_s=at_s)
        last_s = max(at_s, last_s or 0.0)
        sample = None if is_late else _sample(frames, decoder, due, at_s)
        sampled = time.monotonic() if sample else sampled
        yield sample
    for frame in decoder.end()[-1:]:
        yield Sample(picture_of(frame))
    return last_s + 1 / video.fps if last_s is not None else None


def _webcam(camera: CameraConfig) -> Reader:
    capture = cv2.VideoCapture(int(camera.searched_url.removeprefix("webcam:")))
    try:
        if not capture.isOpened():
            raise SourceError(CameraReason.REFUSED)
        due = time.monotonic()
        while True:
            began = time.monotonic()
            if not capture.grab():
                raise SourceError(CameraReason.STALLED)
            now = time.monotonic()
            if now - began >= STALL_SHARE * camera.read_timeout_s:
                raise SourceError(CameraReason.STALLED)
            if now < due:
                yield None
                continue
            due = max(due + 1 / camera.sample_fps, now - 1 / camera.sample_fps)
            is_there, image = capture.retrieve()
            if not is_there or image is None:
                raise SourceError(CameraReason.DECODE)
            yield Sample(ColourPicture(image))
    finally:
        capture.release()


def recorded(
    video: Video, sample_fps: float, is_calm: Callable[[], bool], *, may_rest: bool = True, skips: bool = True
) -> Iterator[tuple[Picture, float]]:
    """Yield (picture, seconds from the start) of a file, as fast as it can be decoded."""
    decoder, due_s = Decoder(video, may_rest=may_rest, skips=skips), 0.0
    for packet in video.packets():
        at_s = video.at_s(packet.pts if packet.pts is not None else packet.dts) or 0.0
        is_wanted = at_s >= due_s - 1e-3
        for frame in decoder.feed(packet, is_wanted=is_wanted, is_idle=is_calm(), at_s=at_s):
            shown_s = video.at_s(frame.pts) or 0.0
            if shown_s >= due_s - 1e-3:
                due_s = max(due_s + 1 / sample_fps, shown_s)
                yield picture_of(frame), shown_s
    for frame in decoder.end():
        shown_s = video.at_s(frame.pts) or 0.0
        if shown_s >= due_s - 1e-3:
            due_s += 1 / sample_fps
            yield picture_of(frame), shown_s

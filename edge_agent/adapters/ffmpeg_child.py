"""Decoding in an ffmpeg process beside this one, for hardware that PyAV's wheels cannot use (VAAPI).

It gets packets, not the address of the camera: what is in a command line, everybody on the machine can read.
"""

import contextlib
import os
import select
import shutil
import subprocess
import threading
from collections import deque
from fractions import Fraction
from typing import Any

import av
import numpy as np

from common.events import CameraReason

FORMATS = {"h264": "h264", "hevc": "hevc"}
KEPT = 8  # pictures that wait to be taken: the newest
END_S = 2.0
STUCK_S = 3.0  # in which it takes nothing: its device hangs


class ChildError(Exception):
    """The ffmpeg program is missing, or the video is of a kind that it is not used for."""

    reason = CameraReason.DECODE


class ChildContext:
    """Looks like PyAV's decoder, but what goes in and what comes out are not in step."""

    def __init__(self, stream: Any, accelerator: str | None) -> None:
        program, codec = shutil.which("ffmpeg"), stream.codec_context.name
        if program is None:
            raise ChildError("the program ffmpeg is not installed")
        if codec not in FORMATS or not stream.codec_context.width:
            raise ChildError(f"{codec} is not decoded by ffmpeg here")
        self._size = (stream.codec_context.width, stream.codec_context.height)
        self._filter = _start_codes(stream, codec)
        self._command = [program, *_options(FORMATS[codec], accelerator)]
        self._ready: deque[av.VideoFrame] = deque(maxlen=KEPT)
        self._done = threading.Event()  # everything has been read
        self._process = self._started()

    def decode(self, packet: av.Packet | None) -> list[av.VideoFrame]:
        """Hand a packet over; return the pictures that have come out by now.

        Raises OSError when the program ended, or hangs; then it is ended.
        """
        if packet is None:
            return self._taken()
        for each in self._filter.filter(packet) if self._filter else [packet]:
            self._hand_over(bytes(each))
        return self._taken()

    def _hand_over(self, packet: bytes) -> None:
        """Write past the buffer, which would be flushed, and might wait for ever, when it is closed."""
        assert self._process.stdin is not None
        pipe, rest = self._process.stdin.fileno(), memoryview(packet)
        while rest:
            try:
                rest = rest[os.write(pipe, rest) :]
            except BlockingIOError:
                room = select.poll()
                room.register(pipe, select.POLLOUT)
                if not room.poll(STUCK_S * 1000):
                    self._process.kill()
                    raise TimeoutError("ffmpeg takes no more packets") from None

    def flush_buffers(self) -> None:
        """Pictures are in order and never wait for later packets: there is nothing to flush."""

    def close(self) -> None:
        process = self._process
        if process.stdin:
            with contextlib.suppress(OSError):  # it may have ended by itself, with something left unread
                process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._done.wait(END_S)

    def _taken(self) -> list[av.VideoFrame]:
        frames = []
        while self._ready:
            frames.append(self._ready.popleft())
        return frames

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        threading.Thread(target=self._read, args=(process,), name="ffmpeg", daemon=True).start()
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        width, height = self._size
        count, number = width * height * 3 // 2, 0
        assert process.stdout is not None
        self._done.clear()
        with process.stdout:
            while len(raw := process.stdout.read(count)) == count:
                frame = av.VideoFrame.from_ndarray(
                    np.frombuffer(raw, np.uint8).reshape(height * 3 // 2, width), format="yuv420p"
                )
                frame.pts, frame.time_base, number = number, Fraction(1, 1000), number + 1
                self._ready.append(frame)
        self._done.set()


def _options(container: str, accelerator: str | None) -> list[str]:
    # Not +nobuffer: it throws away the packets looked at first, and with them the first key frame.
    quick = "-nostdin -loglevel quiet -probesize 32 -analyzeduration 0 -fflags +discardcorrupt"
    hardware = ["-hwaccel", accelerator] if accelerator else ["-threads", "1"]
    return [
        *quick.split(),
        *hardware,
        *f"-f {container} -i pipe:0 -an -fps_mode passthrough -pix_fmt yuv420p -f rawvideo pipe:1".split(),
    ]


def _start_codes(stream: Any, codec: str) -> Any:
    """Return what turns the packets of a file into a plain byte stream; None where they are one already."""
    extradata = stream.codec_context.extradata
    if not extradata or extradata[0] != 1:
        return None
    return av.BitStreamFilterContext(f"{codec}_mp4toannexb", stream)

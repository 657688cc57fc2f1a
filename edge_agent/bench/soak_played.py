"""The cameras of the soak, played in a process of their own: what that holds is not the agent's."""

import itertools
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from edge_agent.bench.clips import FPS, Clip
from edge_agent.bench.outages import Episode, Fault
from edge_agent.bench.rtsp_camera import Faults, RtspServer

PORTS = range(18_554, 32_000)  # below those that the system gives to outgoing connections
KEY, WRONG_KEY = "hadir:soak", "hadir:other"


@dataclass(frozen=True)
class Show:
    """What a camera shows: clips of several sizes in turn, and in a main stream, if it has one, another."""

    clips: Sequence[Clip]
    main: Clip | None = None


@dataclass(frozen=True, slots=True)
class Back:
    """When a camera was back, on the steady clock, and which size of picture proves it; None: any."""

    at_s: float
    size: tuple[int, int] | None


class Played:
    """One camera, of one stream or two, which fail together."""

    def __init__(self, show: Show, ports: Iterator[int]) -> None:
        self._clips, self._faults = itertools.cycle(show.clips), Faults(auth=KEY)
        shown = [next(self._clips), *([show.main] if show.main else [])]
        self._servers = [_started(clip, self._faults, _free(ports)) for clip in shown]

    def urls(self) -> list[str]:
        """Return the address of the stream to search, and of the main stream if there is one."""
        return [each.url.replace("rtsp://", f"rtsp://{KEY}@") for each in self._servers]

    def suffer(self, episode: Episode) -> None:
        """Let the fault begin."""
        faults, chance = self._faults, episode.seed
        faults.seed = episode.seed
        match episode.fault:
            case Fault.GONE:
                self._on_each(RtspServer.__exit__)
            case Fault.STALLED:
                faults.stall_after = 1
            case Fault.MUTE:
                faults.is_mute = True
                self._on_each(RtspServer.hang_up)
            case Fault.FLAPPING:
                faults.drop_after = 1 + chance % (2 * FPS)
            case Fault.CORRUPT:
                faults.lost_share = 0.01 * (1 + chance % 20)
                faults.flipped_share = 0.01 * (1 + chance // 20 % 20)
            case Fault.PASSWORD:
                faults.auth = WRONG_KEY
                self._on_each(RtspServer.hang_up)

    def recover(self, episode: Episode) -> Back:
        """Put the camera in order."""
        if episode.fault is Fault.GONE:
            self._servers = [_started(each.clip, self._faults, each.port) for each in self._servers]
        if episode.fault is Fault.RESIZED:
            self._servers[0].clip = next(self._clips)
        faults = self._faults
        faults.auth, faults.is_mute, faults.stall_after, faults.drop_after = KEY, False, 0, 0
        faults.lost_share = faults.flipped_share = 0.0
        size = self._servers[0].clip.size if episode.fault is Fault.RESIZED else None
        return Back(time.monotonic(), size)

    def visits(self) -> list[tuple[float, float]]:
        """Return the beginnings and ends of the newest connections to the searched stream."""
        return [(each.began_s, each.ended_s or time.monotonic()) for each in list(self._servers[0].visits)]

    def _on_each(self, do: Callable[[RtspServer], None]) -> None:
        for each in self._servers:
            do(each)


class Remote:
    """A camera that is played in the other process. Not for several threads at once."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def urls(self) -> list[str]:
        return self._ask("urls")

    def suffer(self, episode: Episode) -> None:
        self._ask("suffer", episode)

    def recover(self, episode: Episode) -> Back:
        return self._ask("recover", episode)

    def visits(self) -> list[tuple[float, float]]:
        return self._ask("visits")

    def _ask(self, what: str, *about: Episode) -> Any:
        self._pipe.send((what, *about))
        return self._pipe.recv()


@contextmanager
def played(shows: Sequence[Show]) -> Iterator[list[Remote]]:
    """Play the cameras in a process of their own, as long as the context lasts."""
    ends = [multiprocessing.Pipe() for _ in shows]
    start = multiprocessing.get_context("spawn").Process
    process = start(target=_play, args=([far for _, far in ends], shows), daemon=True)
    process.start()
    for _, far in ends:
        far.close()
    try:
        yield [Remote(near) for near, _ in ends]
    finally:
        process.terminate()
        process.join()
        for near, _ in ends:
            near.close()


def _play(pipes: Sequence[Connection], shows: Sequence[Show]) -> None:
    """Play cameras until the other end hangs up."""
    ports = iter(PORTS)
    threads = [
        threading.Thread(target=_obey, args=(pipe, Played(show, ports)))
        for pipe, show in zip(pipes, shows, strict=True)
    ]
    for each in threads:
        each.start()


def _obey(pipe: Connection, camera: Played) -> None:
    while True:
        try:
            what, *about = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(camera, what)(*about))


def _started(clip: Clip, faults: Faults, port: int) -> RtspServer:
    return RtspServer(clip, fps=FPS, faults=faults, port=port).__enter__()


def _free(ports: Iterator[int]) -> int:
    """Return the next port that nobody uses."""
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")

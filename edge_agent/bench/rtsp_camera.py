"""A camera on this machine, for tests and for the soak: a clip in a loop over RTSP, RTP interleaved in TCP.

Faults: Basic authentication, answer nothing at all, stop sending after some frames (the connection stays
open), hang up after some, damage packets on their way. The clip may be exchanged at any time, for one of
another size too: it follows at the next key frame, and its parameter sets come with it.
"""

import contextlib
import random
import socket
import socketserver
import struct
import threading
import time
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field

from edge_agent.bench.clips import Clip

MOST_PAYLOAD = 1400  # bytes of one RTP packet
FRAME_HEADER, RTP_HEADER = 4, 12  # bytes
MOST_FLIPS = 8  # bytes of one packet
MOST_VISITS = 200


@dataclass
class Faults:
    """What goes wrong; may be changed while the server runs. Counts are frames of one PLAY."""

    auth: str | None = None  # user:password that is asked for
    is_mute: bool = False  # takes connections, and answers nothing
    stall_after: int = 0
    drop_after: int = 0
    lost_share: float = 0.0  # of the RTP packets, which are not sent
    flipped_share: float = 0.0  # of the others, whose payload is altered in places
    seed: int = 0  # of the damage


@dataclass(slots=True)
class Visit:
    """A connection, on the steady clock."""

    began_s: float
    ended_s: float | None = None


class RtspServer(socketserver.ThreadingTCPServer):
    """Use as a context manager; `url` is where the stream is."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, clip: Clip, *, fps: float = 15, faults: Faults | None = None, port: int = 0) -> None:
        self.clip, self.fps, self.faults = clip, fps, faults or Faults()
        self.plays = 0
        self.visits: deque[Visit] = deque(maxlen=MOST_VISITS)  # the newest connections, in order
        self._connections: dict[socket.socket, Visit] = {}
        super().__init__(("127.0.0.1", port), _Session)

    @property
    def port(self) -> int:
        return self.server_address[1]

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/cam"

    def __enter__(self) -> "RtspServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection, as a camera does that starts anew."""
        for each in list(self._connections):
            _hang_up(each)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        visit = Visit(time.monotonic())
        self.visits.append(visit)
        self._connections[request] = visit
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        super().shutdown_request(request)
        if visit := self._connections.pop(request, None):
            visit.ended_s = time.monotonic()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no news."""


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@dataclass
class _Packets:
    """RTP packets of one stream, and how they go into the RTSP connection."""

    sequence: int = field(default_factory=lambda: random.getrandbits(16))
    source: int = field(default_factory=lambda: random.getrandbits(32))
    stamp: int = field(default_factory=lambda: random.getrandbits(31))

    def of(self, picture: list[bytes]) -> list[bytes]:
        """Return one picture's packets, framed for channel 0."""
        parts = [
            (part, index == len(picture) - 1) for index, unit in enumerate(picture) for part in _cut(unit)
        ]
        ends = [last and (n + 1 == len(parts)) for n, (_, last) in enumerate(parts)]
        return [self._framed(part, end) for (part, _), end in zip(parts, ends, strict=True)]

    def _framed(self, payload: bytes, is_end: bool) -> bytes:
        kind = 96 | (128 if is_end else 0)
        header = struct.pack(
            "!BBHII", 0x80, kind, self.sequence & 0xFFFF, self.stamp & 0xFFFFFFFF, self.source
        )
        self.sequence += 1
        return b"$\0" + struct.pack("!H", len(header) + len(payload)) + header + payload


def damaged(packets: list[bytes], faults: Faults, chance: random.Random) -> list[bytes]:
    """Return what arrives of framed RTP packets: some are lost, of some the payload is altered in places."""
    arrived = []
    for packet in packets:
        if chance.random() < faults.lost_share:
            continue
        if chance.random() < faults.flipped_share:
            altered, start = bytearray(packet), FRAME_HEADER + RTP_HEADER
            for _ in range(chance.randint(1, MOST_FLIPS)):
                altered[chance.randrange(start, len(altered))] ^= chance.randint(1, 255)
            packet = bytes(altered)
        arrived.append(packet)
    return arrived


def _cut(unit: bytes) -> list[bytes]:
    """Return a NAL unit as RTP payloads: whole, or as FU-A fragments when it is too long."""
    if len(unit) <= MOST_PAYLOAD:
        return [unit]
    indicator, kind, body = (unit[0] & 0xE0) | 28, unit[0] & 31, unit[1:]
    step = MOST_PAYLOAD - 2
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    flags = [0x80 if n == 0 else 0x40 if n == len(pieces) - 1 else 0 for n in range(len(pieces))]
    return [bytes([indicator, kind | flag]) + piece for flag, piece in zip(flags, pieces, strict=True)]


class _Session(socketserver.BaseRequestHandler):
    server: RtspServer

    def handle(self) -> None:
        self.sending, self.over, self.session = (
            threading.Lock(),
            threading.Event(),
            f"{random.getrandbits(32):08x}",
        )
        waiting = b""
        try:
            while True:
                while b"\r\n\r\n" not in waiting:
                    if waiting[:1] == b"$" and len(waiting) >= 4:  # the client's own reports: passed over
                        length = 4 + struct.unpack("!H", waiting[2:4])[0]
                        if len(waiting) >= length:
                            waiting = waiting[length:]
                            continue
                    more = self.request.recv(65536)
                    if not more:
                        return
                    waiting += more
                head, waiting = waiting.split(b"\r\n\r\n", 1)
                if self.server.faults.is_mute:
                    continue
                if not self._answer(head.decode("latin-1").lstrip()):
                    return
        except (OSError, ValueError):
            return
        finally:
            self.over.set()

    def _answer(self, head: str) -> bool:
        first, *lines = head.split("\r\n")
        method, url = first.split()[:2]
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self.number = headers.get("cseq", "0")
        auth = self.server.faults.auth
        right = "Basic " + b64encode(auth.encode()).decode() if auth else None
        if right and method != "OPTIONS" and headers.get("authorization") != right:
            self._reply("401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"\r\n')
        elif method == "OPTIONS":
            self._reply(extra="Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n")
        elif method == "DESCRIBE":
            self._reply(extra=f"Content-Type: application/sdp\r\nContent-Base: {url}/\r\n", body=self._sdp())
        elif method == "SETUP" and "TCP" not in headers.get("transport", ""):
            self._reply("461 Unsupported Transport")
        elif method == "SETUP":
            transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            self._reply(extra=f"Session: {self.session};timeout=60\r\n{transport}")
        elif method == "PLAY":
            self._reply(extra=f"Session: {self.session}\r\nRange: npt=0.000-\r\n")
            threading.Thread(target=self._play, daemon=True).start()
        else:
            self._reply()
        return method != "TEARDOWN"

    def _sdp(self) -> str:
        clip = self.server.clip
        sets = ",".join(b64encode(each).decode() for each in (clip.sps, clip.pps))
        level = clip.sps[1:4].hex()
        lines = (
            "v=0",
            "o=- 0 0 IN IP4 127.0.0.1",
            "s=cam",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "m=video 0 RTP/AVP 96",
            "a=rtpmap:96 H264/90000",
            f"a=framerate:{self.server.fps:g}",
            f"a=fmtp:96 packetization-mode=1;profile-level-id={level};sprop-parameter-sets={sets}",
            "a=control:t0",
        )
        return "".join(f"{line}\r\n" for line in lines)

    def _reply(self, status: str = "200 OK", extra: str = "", body: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        with self.sending:
            self.request.sendall(
                f"RTSP/1.0 {status}\r\nCSeq: {self.number}\r\n{extra}{length}\r\n{body}".encode()
            )

    def _play(self) -> None:
        server, packets, began = self.server, _Packets(), time.monotonic()
        server.plays += 1
        chance = random.Random(server.faults.seed + server.plays)
        clip, number, sent = server.clip, 0, 0
        try:
            while not self.over.is_set():
                if server.faults.stall_after and sent >= server.faults.stall_after:
                    self.over.wait()
                    return
                if server.faults.drop_after and sent >= server.faults.drop_after:
                    _hang_up(self.request)
                    return
                if clip is not server.clip and clip.is_key(number):
                    clip, number = server.clip, 0
                picture = damaged(packets.of(clip.pictures[number]), server.faults, chance)
                with self.sending:
                    self.request.sendall(b"".join(picture))
                sent, number = sent + 1, (number + 1) % len(clip.pictures)
                packets.stamp += int(90000 / server.fps)
                self.over.wait(max(0.0, began + sent / server.fps - time.monotonic()))
        except OSError:
            return

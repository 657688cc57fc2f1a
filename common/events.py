"""The values that travel between an edge agent and the server.

Instants are whole milliseconds since the Unix epoch, UTC (names end in `ts`, `last_seen` or `since`).
Each class keeps the fields it does not know in `extra`, so that an older peer never strips a newer one's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from common.ids import CameraId, EmployeeId

# A liveness score (`extra["liveness"]` of an event) below this is shown as doubtful. That is all it does.
DOUBTFUL_BELOW = 0.5


class EventKind(StrEnum):
    SEEN = "seen"  # a track was given an identity
    STILL = "still"  # it is still in view
    LEFT = "left"  # its track ended
    UNKNOWN = "unknown"  # good crops, and nobody enrolled is similar enough
    GAP = "gap"  # events had to be dropped here


class Clock(StrEnum):
    NTP = "ntp"
    RTC = "rtc"
    BAD = "bad"


class LinkState(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"  # the broker said so, in the Last Will
    STOPPED = "stopped"  # the agent said so


class CameraState(StrEnum):
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    DISABLED = "disabled"


class CameraReason(StrEnum):
    """Why a camera is not online, in terms that a technician can act on."""

    NONE = ""
    STARTING = "starting"
    AUTH = "auth"
    DNS = "dns"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    DECODE = "decode"
    STALLED = "stalled"
    ENDED = "ended"
    DARK = "dark"
    COVERED = "covered"
    FROZEN = "frozen"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionEvent:
    """One thing that one camera saw of one face track."""

    event_id: str  # <agent>-<epoch>-<seq>: unique for ever, the same on every re-send
    seq: int  # 1, 2, 3 … within one epoch of one agent
    camera_id: CameraId
    track_id: str  # carries the agent's boot id, so it never collides after a restart
    kind: EventKind
    ts: int  # when what it tells was true, ms UTC by the agent's clock
    last_seen: int  # the last frame that showed this face, ms UTC, at most ts
    employee_id: EmployeeId | None = None  # None: unknown
    sim_score: float | None = None  # cosine similarity to the nearest template, -1..1
    threshold: float | None = None  # the similarity that was asked for
    margin: float | None = None  # similarity minus that of the second-best person
    mono: int = 0  # the agent's monotonic clock, ms; orders events when the wall clock jumps
    boot_id: str = ""  # of the agent's machine; mono counts within one boot
    clock: Clock = Clock.RTC
    frames: int = 0  # frames of the track that agreed on the identity
    quality: float | None = None  # of the best crop, 0..1
    model_id: str = ""
    gallery_gen: int = 0
    snapshot: str | None = None  # name of the face crop kept by the agent, if any
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.last_seen > self.ts:
            raise ValueError(f"last_seen {self.last_seen} is later than ts {self.ts}")
        if self.sim_score is not None and not -1.001 <= self.sim_score <= 1.001:
            raise ValueError(f"sim_score {self.sim_score} is not a cosine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Events of one epoch, in order: all that the agent holds between `prev` and the last of them.

    Numbers missing between `prev`, the events, and the last event were given up by the agent when its spool
    was full (a `gap` event tells), and will never come: when everything up to `prev` is recorded, everything
    up to the last event is.
    """

    epoch: str  # random, made with the spool: a new spool never repeats a number
    first: int  # the lowest sequence number that the agent still holds
    events: tuple[RecognitionEvent, ...]
    prev: int | None = None  # the last number held before the first event; None: no number is missing


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to seq is committed in the server's database."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """Birth or death of a connection; a will whose sid is not the current one is stale."""

    state: LinkState
    sid: str  # made anew for each connection
    ts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraInfo:
    camera_id: CameraId
    name: str = ""
    zone: str = ""


class ConfigOrigin(StrEnum):
    """Where the cameras that an agent looks after are configured."""

    LOCAL = "local"  # in the box's own file
    REMOTE = "remote"  # on the dashboard
    REFUSED = "refused"  # in the box's file, which says that the dashboard has no say
    ROLLED_BACK = "rolled_back"  # on the dashboard, but an earlier generation: the newest did not work


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigError:
    """One thing wrong with a wanted configuration, in words an operator understands."""

    key: str  # e.g. cameras.gate-1.url
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What an agent is: said at the start of a connection, and again when its configuration changed."""

    sid: str
    ts: int
    version: str
    model_id: str
    engine: str
    epoch: str
    cameras: tuple[CameraInfo, ...] = ()
    instance: str = ""  # of the process, random: one that comes back after another was born is a second agent
    hardware_id: str = ""  # of the machine and the agent's folder, as at the join
    config_gen: int = 0  # in force
    config_wanted: int = 0  # the newest that was tried
    config_origin: ConfigOrigin = ConfigOrigin.LOCAL
    config_errors: tuple[ConfigError, ...] = ()  # of the newest that was tried
    gallery_gen: int = 0
    spool_depth: int = 0
    spool_dropped: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraHealth:
    """One camera in a heartbeat. `since` is the start of unbroken coverage while it is online."""

    camera_id: CameraId
    state: CameraState
    since: int
    reason: CameraReason = CameraReason.NONE
    fps: float = 0.0
    last_frame_age_ms: int | None = None  # None: no frame yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Every few seconds: the agent's clock, and how far what it saw has been reported.

    `reported_to` is the agent's watermark: every event with `ts` at or before it is either acknowledged
    by the server or was never made. With an empty spool it is `ts`.
    """

    sid: str
    ts: int
    reported_to: int
    mono: int = 0  # the agent's monotonic clock at ts, ms
    boot_id: str = ""
    clock: Clock = Clock.RTC
    spool_depth: int = 0
    spool_oldest_ts: int | None = None
    gallery_gen: int = 0
    interval_s: float = 15.0  # when to expect the next one
    cameras: tuple[CameraHealth, ...] = ()
    temperature_c: float | None = None
    disk_free_mb: int | None = None
    cpu_percent: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraStatus:
    """A camera's state, sent when it changes and kept by the broker."""

    camera_id: CameraId
    state: CameraState
    since: int
    ts: int
    reason: CameraReason = CameraReason.NONE
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Which configuration and gallery an agent should hold; signed, and never going backwards."""

    config_gen: int  # 0: the dashboard configures nothing
    gallery_gen: int
    gallery_sha256: str
    issued: int
    lease_s: int  # an agent that hears nothing for this long wipes its templates
    config_sha256: str = ""  # of the configuration's JSON, as it is served
    mac: str = ""  # HMAC-SHA256, hex; see common/signing.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    command_id: str
    kind: str  # enrol | purge | sync | reload
    ts: int
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    command_id: str
    ok: bool | None  # None: still running
    ts: int
    detail: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    online: bool
    ts: int
    instance: str = ""

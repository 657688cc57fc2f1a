"""What agents say of themselves, checked before it is kept: one agent must not take a page from everybody.

A birth or heartbeat can be read and still hold an interval of 1e300 s or a moment in the year 9999. Kept, it
would be read again by every page and every evaluation, long after its agent was found out.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from central_server.services.record_health import SAID_AT_BIRTH
from common.agent_settings import MOST_CAMERAS
from common.events import AgentState, Birth, CameraHealth, CameraStatus, Heartbeat
from common.ids import is_slug
from common.wire import MalformedMessage

LATEST_MS = 4_102_444_800_000  # the year 2100
MOST_INTERVAL_S = 3600.0
MOST_NUMBER = 2**31 - 2  # of a generation, or of events that wait: one more still fits into its column
MOST_LOCAL_CAMERAS = 4 * MOST_CAMERAS  # of a box that has them in its own file
MOST_DEPTH = 16
MOST_SID = 64

Range = tuple[float, float]
_MOMENT: Range = (0, LATEST_MS)
_COUNT: Range = (0, MOST_NUMBER)


def sane_state(state: AgentState) -> AgentState:
    """Return state if it can be kept. Raises MalformedMessage."""
    _require({"sid": len(state.sid) <= MOST_SID})
    return state


def sane_heartbeat(beat: Heartbeat) -> Heartbeat:
    """Return heartbeat if it can be kept, without what only a birth may say. Raises MalformedMessage."""
    _require(
        {
            "sid": len(beat.sid) <= MOST_SID,
            "boot_id": len(beat.boot_id) <= MOST_SID,
            "ts": _within(beat.ts, _MOMENT),
            "reported_to": _within(beat.reported_to, _MOMENT),
            "mono": _within(beat.mono, _MOMENT),
            "spool_depth": _within(beat.spool_depth, _COUNT),
            "spool_oldest_ts": _within(beat.spool_oldest_ts, _MOMENT),
            "gallery_gen": _within(beat.gallery_gen, _COUNT),
            "interval_s": 0 < beat.interval_s <= MOST_INTERVAL_S,
            "temperature_c": _within(beat.temperature_c, (-300, 1000)),
            "disk_free_mb": _within(beat.disk_free_mb, (0, 1e12)),
            "cpu_percent": _within(beat.cpu_percent, (0, 1e6)),
            "cameras": len(beat.cameras) <= MOST_LOCAL_CAMERAS and all(map(_is_sane_camera, beat.cameras)),
            "extra": is_storable(beat.extra),
        }
    )
    return replace(beat, extra={key: value for key, value in beat.extra.items() if key not in SAID_AT_BIRTH})


def sane_birth(birth: Birth) -> Birth:
    """Return birth if it can be kept, texts cut to what their columns hold. Raises MalformedMessage."""
    _require(
        {
            "sid": len(birth.sid) <= MOST_SID,
            "instance": len(birth.instance) <= MOST_SID,
            "config_gen": _within(birth.config_gen, _COUNT),
            "config_wanted": _within(birth.config_wanted, _COUNT),
            "gallery_gen": _within(birth.gallery_gen, _COUNT),
            "spool_depth": _within(birth.spool_depth, _COUNT),
            "cameras": len(birth.cameras) <= MOST_LOCAL_CAMERAS
            and all(is_slug(each.camera_id) for each in birth.cameras),
            "extra": is_storable(birth.extra),
            "configuration": _is_configuration(birth.extra.get("configuration", {})),
        }
    )
    cameras = tuple(replace(each, name=each.name[:120], zone=each.zone[:120]) for each in birth.cameras)
    return replace(birth, engine=birth.engine[:40], version=birth.version[:40], cameras=cameras)


def sane_status(status: CameraStatus) -> CameraStatus:
    """Return status if it can be kept. Raises MalformedMessage."""
    _require({"camera_id": is_slug(status.camera_id), "since": _within(status.since, _MOMENT)})
    return status


def is_storable(value: Any) -> bool:
    """Tell whether a database and a page take value: no NaN, NUL or half a character, and few levels."""
    try:
        return _is_flat(value, MOST_DEPTH) and b"\\u0000" not in json.dumps(
            value, allow_nan=False, ensure_ascii=False
        ).encode("utf-8")
    except ValueError:
        return False


def _is_flat(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat(each, depth - 1) for each in inner)


def _is_sane_camera(health: CameraHealth) -> bool:
    return (
        _within(health.since, _MOMENT)
        and _within(health.fps, (0, 10_000))
        and _within(health.last_frame_age_ms, _MOMENT)
    )


def _is_configuration(told: Any) -> bool:
    """Tell whether the pages of configuration can take it apart."""
    if not isinstance(told, Mapping):
        return False
    cameras, match = told.get("cameras") or [], told.get("match") or {}
    numbers = match.values() if isinstance(match, Mapping) else (None, "")
    return (
        isinstance(cameras, list)
        and len(cameras) <= MOST_LOCAL_CAMERAS
        and all(isinstance(each, Mapping) and is_slug(str(each.get("camera_id", ""))) for each in cameras)
        and all(each is None or (isinstance(each, int | float) and -2 <= each <= 2) for each in numbers)
    )


def _within(value: float | None, bounds: Range) -> bool:
    return value is None or bounds[0] <= value <= bounds[1]


def _require(checks: Mapping[str, bool]) -> None:
    if wrong := [name for name, is_fine in checks.items() if not is_fine]:
        raise MalformedMessage(f"out of range: {', '.join(wrong)}")

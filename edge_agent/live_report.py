"""The state of a running agent, gathered for whoever looks at `hadir agent live`."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from common import VERSION
from common.events import CameraHealth, RecognitionEvent
from edge_agent.adapters import machine, vitals
from edge_agent.adapters.identity_file import Identity
from edge_agent.adapters.mqtt_link import LinkPhase, MQTTLink
from edge_agent.adapters.outbox import Outbox
from edge_agent.config import EdgeConfig
from edge_agent.gallery_keeper import GalleryKeeper
from edge_agent.http_road import HTTPRoad
from edge_agent.recorder import Recorder

EVENTS_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReport:
    """Call it for a snapshot that JSON can hold: ages in seconds, instants in ms UTC."""

    identity: Identity
    config: EdgeConfig
    model_id: str
    link: MQTTLink
    road: HTTPRoad
    outbox: Outbox
    recorder: Recorder
    keeper: GalleryKeeper
    cameras: Callable[[], Iterable[CameraHealth]]
    started_s: float  # monotonic
    meter: vitals.CpuMeter = field(default_factory=vitals.CpuMeter)

    def __call__(self) -> dict[str, Any]:
        now = time.time_ns() // 1_000_000
        spool, memory = self.outbox.state(), vitals.memory()
        known = self.recorder.last_known()
        return {
            "v": 1,
            "at": now,
            "version": VERSION,
            "agent_id": self.identity.agent_id,
            "site": self.identity.site_name,
            "model_id": self.model_id,
            "people": len(self.keeper.current().people),
            "up_s": round(time.monotonic() - self.started_s),
            "link": self._link(),
            "spool": {
                "depth": spool.depth,
                "oldest_s": None if spool.oldest_ts is None else max(0, now - spool.oldest_ts) // 1000,
                "dropped": spool.dropped,
            },
            "cameras": [self._camera(each, now, known) for each in self.cameras()],
            "events": [_event(each) for each in self.recorder.recent()[-EVENTS_SHOWN:]],
            "box": {
                "cpu_percent": round(self.meter.percent(), 1),
                "rss_mb": machine.rss_mb(),
                "memory_free_mb": memory.free_mb,
                "memory_mb": memory.total_mb,
                "disk_free_mb": machine.disk_free_mb(self.config.home),
                "temperature_c": machine.temperature_c(),
                "throttled": list(vitals.throttling().now),
                "clock": machine.clock_now().value,
            },
        }

    def _link(self) -> dict[str, Any]:
        is_online = self.link.phase is LinkPhase.ONLINE
        return {
            "phase": self.link.phase.value,
            "road": "MQTT" if is_online else "HTTPS" if self.road.is_open else "",
            "server_online": self.link.server_online or self.road.is_open,
            "trouble": self.link.trouble,
        }

    def _camera(self, health: CameraHealth, now: int, known: dict[str, RecognitionEvent]) -> dict[str, Any]:
        last = known.get(health.camera_id)
        return {
            "camera_id": health.camera_id,
            "state": health.state.value,
            "reason": health.reason.value,
            "since_s": max(0, now - health.since) // 1000,
            "fps": health.fps,
            "last_frame_s": None if health.last_frame_age_ms is None else health.last_frame_age_ms / 1000,
            "last_known": _event(last) if last else None,
        }


def _event(event: RecognitionEvent) -> dict[str, Any]:
    return {
        "ts": event.ts,
        "camera_id": event.camera_id,
        "kind": event.kind.value,
        "employee_id": event.employee_id,
        "similarity": None if event.sim_score is None else round(event.sim_score, 3),
    }

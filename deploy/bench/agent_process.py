"""An agent without cameras: `python -m deploy.bench.agent_process HOME RATE PEOPLE`, until it is stopped.

Its recorder, spool, link and road are the product's own; only what the cameras would see is made up. While
there is a file `quiet` in its home, nothing is seen.
"""

import signal
import sys
import threading
import time
from pathlib import Path
from random import Random

from common import VERSION
from common.events import Birth, CameraHealth, CameraInfo, CameraState, EventKind, Heartbeat
from common.ids import CameraId, EmployeeId
from common.topics import AgentTopics
from deploy.bench.company import employee_id
from edge_agent.adapters import machine
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.adapters.identity_file import load_identity
from edge_agent.adapters.mqtt_link import MQTTLink
from edge_agent.adapters.outbox import Outbox, SpoolLimits
from edge_agent.core.resighting import DueEvent
from edge_agent.core.watermark import reported_to
from edge_agent.hearing import AgentVoice
from edge_agent.http_road import HTTPRoad
from edge_agent.pipeline import Sighted
from edge_agent.recorder import Recorder

HEARTBEAT_S = 5.0
FALL_BACK_AFTER_S = 30.0
ROOMY = SpoolLimits(max_bytes=4_000_000_000)


def main(home: Path, rate: float, people: int) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    identity = load_identity(home / "identity.json")
    outbox = Outbox(home / "spool.db", identity.agent_id, ROOMY)
    recorder = Recorder(outbox, None, model_id="bench:0", gallery_gen=lambda: 0)
    camera, started = CameraId(f"{identity.agent_id}-cam"), _now_ms()

    def birth(sid: str) -> Birth:
        return Birth(
            sid=sid, ts=_now_ms(), version=VERSION, model_id="bench:0", engine="none", epoch=outbox.epoch,
            cameras=(CameraInfo(camera_id=camera, zone="Gate"),),
        )  # fmt: skip

    def heartbeat(sid: str) -> Heartbeat:
        now, mono = _now_ms(), machine.mono_ms()
        in_hand = [now - (mono - each) for each in recorder.in_hand()]
        spool = outbox.state()
        health = CameraHealth(camera_id=camera, state=CameraState.ONLINE, since=started, fps=5.0)
        return Heartbeat(
            sid=sid, ts=now, reported_to=reported_to(now, spool.oldest_ts, in_hand), mono=mono,
            boot_id=machine.boot_id(), spool_depth=spool.depth, interval_s=HEARTBEAT_S, cameras=(health,),
        )  # fmt: skip

    voice = AgentVoice(birth, heartbeat, tuple, lambda _: None, lambda _: None)
    link = MQTTLink(identity, outbox, voice, heartbeat_s=HEARTBEAT_S)
    api = CentralAPI.of(identity)
    road = HTTPRoad(
        api,
        AgentTopics(identity.agent_id),
        outbox,
        voice,
        lambda: link.offline_s() > FALL_BACK_AFTER_S,
        closed=link.introduce_again,
    )
    for part in (recorder, link, road):
        part.start()
    _watch(recorder, camera, home / "quiet", rate, people, stop)
    for part in (recorder, road, link):
        part.stop()


def _watch(
    recorder: Recorder, camera: CameraId, quiet: Path, rate: float, people: int, stop: threading.Event
) -> None:
    """See somebody `rate` times a second on average."""
    chance, due, number = Random(str(camera)), time.monotonic(), 0
    while not stop.wait(max(0.0, due - time.monotonic())):
        due += 1 / rate
        if quiet.exists():
            due = max(due, time.monotonic())
            continue
        number += 1
        now, is_known = _now_ms(), chance.random() < 0.9
        seen = DueEvent(
            kind=EventKind.STILL if is_known else EventKind.UNKNOWN, camera_id=camera, track_id=f"t{number}",
            ts=now, last_seen=now, mono=machine.mono_ms(), first_seen=now - 1000,
            employee_id=EmployeeId(employee_id(chance.randrange(people))) if is_known else None,
            sim_score=0.5, threshold=0.42, margin=0.2, frames=5, quality=0.8,
        )  # fmt: skip
        recorder.put([Sighted(seen, None)])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))

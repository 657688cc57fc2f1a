"""What the recorder does while the spool cannot take anything."""

import sqlite3

from common.events import EventKind
from common.ids import CameraId, EmployeeId
from edge_agent import recorder
from edge_agent.core.resighting import DueEvent
from edge_agent.pipeline import Sighted
from tests.link_world import wait_until
from tests.properties.test_outbox_laws import held, spool

NOW = 1_790_000_000_000


def sighted(number: int) -> Sighted:
    ts = NOW + number
    event = DueEvent(
        kind=EventKind.SEEN, camera_id=CameraId("gate"), track_id=f"t{number}", ts=ts, last_seen=ts,
        mono=number, first_seen=ts, employee_id=EmployeeId("EMP001"), sim_score=0.5,
    )  # fmt: skip
    return Sighted(event, None)


def test_events_that_had_no_room_in_memory_are_given_up_aloud(tmp_path, monkeypatch):
    """A disk that is full for hours: the oldest go, and the record says how many, and from when."""
    monkeypatch.setattr(recorder, "MOST_WAITING", 5)
    monkeypatch.setattr(recorder, "RETRY_S", 0.05)
    box = spool(tmp_path)
    with sqlite3.connect(tmp_path / "spool.db") as disk:
        disk.execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'no room'); END")
    writer = recorder.Recorder(box, None, model_id="m", gallery_gen=lambda: 0)
    writer.start()
    for number in range(8):
        writer.put([sighted(number)])
        wait_until(lambda number=number: f"t{number}" in {e.track_id for e in writer._drafts}, about="tried")
    with sqlite3.connect(tmp_path / "spool.db") as disk:
        disk.execute("DROP TRIGGER full")
    wait_until(lambda: box.state().depth == 6, about="the disk has room again")
    writer.stop()

    *kept, gap = held(box)
    assert [each.track_id for each in kept] == ["t3", "t4", "t5", "t6", "t7"]
    assert gap.kind is EventKind.GAP
    assert (gap.extra["dropped"], gap.extra["from_ts"], gap.extra["to_ts"]) == (3, NOW, NOW + 2)
    assert [each.kind for each in writer.recent()] == [EventKind.SEEN] * 5

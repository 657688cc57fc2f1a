"""A batch of envelopes is recorded as its events one by one would be, on SQLite and on PostgreSQL."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.models import Event, EventMark, Presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.record_event import Delivery, record_deliveries
from common.events import Ack, Envelope, EventKind, RecognitionEvent
from common.ids import CameraId
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.postgres import binaries, postgres_server

SECOND = timedelta(seconds=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Engine]:
    """Two agents and three people, in a database of each kind."""
    if request.param == "sqlite":
        yield _filled(f"sqlite:///{tmp_path / 'hadir.db'}")
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with postgres_server(free_port()) as address:
        engine = _filled(address)
        yield engine
        engine.dispose()


def _filled(url: str) -> Engine:
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.an_agent(work.session, "second")
        builders.a_shift(work.session)
        for number in (1, 2, 3):
            builders.an_employee(work.session, f"EMP00{number}")
    return engine


def seen(seq: int, *, agent: str = "plant-agent", who: str = "EMP001", **more) -> RecognitionEvent:
    at = round((EIGHT + seq * SECOND).timestamp() * 1000)
    return RecognitionEvent(
        **{
            "event_id": f"{agent}-e-{seq}", "seq": seq, "camera_id": CameraId("plant-cam"), "track_id": "t",
            "kind": EventKind.SEEN, "ts": at, "last_seen": at, "employee_id": who,
        } | more
    )  # fmt: skip


def envelope(*events: RecognitionEvent, prev: int | None = None) -> Envelope:
    before = events[0].seq - 1 if prev is None else prev
    return Envelope(epoch="e", first=1, prev=before, events=events)


def record(engine: Engine, *deliveries: Delivery, now: datetime = EIGHT + 60 * SECOND) -> list[Ack]:
    with UnitOfWork(engine) as work:
        return record_deliveries(deliveries, work, builders.the_rules(), now=now)


def kept(engine: Engine) -> list[tuple[str, int]]:
    with UnitOfWork(engine) as work:
        return sorted((each.agent_id, each.seq) for each in work.session.query(Event))


def test_envelopes_of_several_agents_make_one_batch(plant):
    """Each agent gets its own ack, and everybody's presence is where they were seen last."""
    acks = record(
        plant,
        Delivery("plant-agent", envelope(seen(1), seen(2, who="EMP002"))),
        Delivery("second", envelope(seen(1, agent="second", who="EMP003"))),
        Delivery("plant-agent", envelope(seen(3, who="EMP002"))),
    )
    assert [ack.seq for ack in acks] == [3, 1, 3], "the mark goes as far as the whole batch lets it"
    with UnitOfWork(plant) as work:
        last = {each.employee_id: each.last_seen for each in work.session.query(Presence)}
    assert last == {"EMP001": EIGHT + SECOND, "EMP002": EIGHT + 3 * SECOND, "EMP003": EIGHT + SECOND}


def test_what_came_before_is_ignored_and_counted(plant):
    """In the same batch or a later one, whole or in part: one row an event."""
    record(plant, Delivery("plant-agent", envelope(seen(1), seen(2))))
    record(
        plant,
        Delivery("plant-agent", envelope(seen(1), seen(2), seen(3))),
        Delivery("plant-agent", envelope(seen(3), seen(4))),
    )
    assert kept(plant) == [("plant-agent", number) for number in (1, 2, 3, 4)]
    with UnitOfWork(plant) as work:
        assert work.session.get(EventMark, ("plant-agent", "e")).repeats == 3


def test_live_events_ahead_of_a_backlog_wait_for_their_ack(plant):
    """They are recorded at once; the mark passes over them when what was before has come."""
    (ahead,) = record(plant, Delivery("plant-agent", envelope(seen(5), seen(6), prev=4)))
    assert (ahead.seq, len(kept(plant))) == (0, 2)
    acks = record(
        plant,
        Delivery("plant-agent", envelope(seen(1), seen(2))),
        Delivery("plant-agent", envelope(seen(3), seen(4))),
    )
    assert acks[-1].seq == 6


def test_an_id_of_another_agents_event_takes_nothing_away(plant):
    """A number is the agent's own, whatever id is claimed with it."""
    record(plant, Delivery("second", envelope(seen(1, agent="second"))))
    (ack,) = record(plant, Delivery("plant-agent", envelope(seen(1, event_id="second-e-1"), seen(2))))
    assert ack.seq == 2
    assert kept(plant) == [("plant-agent", 1), ("plant-agent", 2), ("second", 1)]


def test_an_unreadable_event_holds_its_place(plant):
    """The rest of its envelope is acknowledged with it."""
    (ack,) = record(plant, Delivery("plant-agent", envelope(seen(1), seen(3)), {2: "no camera_id"}))
    assert ack.seq == 3
    with UnitOfWork(plant) as work:
        blank = next(each for each in work.session.query(Event) if each.seq == 2)
    assert (blank.kind, blank.extra) == ("gap", {"unreadable": "no camera_id"})


def test_two_who_write_at_once_do_not_undo_each_others_work(plant):
    """The evaluation reads a presence and writes it; a sighting between the two would be forgotten."""

    def count_up(_: int) -> None:
        with UnitOfWork(plant) as work:
            mark = work.session.get_one(EventMark, ("plant-agent", "e"))
            before = mark.repeats
            time.sleep(0.01)  # not to pass: it makes the fault that is looked for certain
            mark.repeats = before + 1

    record(plant, Delivery("plant-agent", envelope(seen(1))))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(12)))

    with UnitOfWork(plant) as work:
        assert work.session.get_one(EventMark, ("plant-agent", "e")).repeats == 12

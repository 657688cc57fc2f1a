"""What must be deleted is deleted: rows and files."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, select

from central_server.db.models import (
    Attendance,
    AuditLog,
    BadMessage,
    Employee,
    EnrolmentPhoto,
    FaceTemplate,
    Presence,
    Snapshot,
    TemplateLog,
)
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.purge_expired import purge_expired
from central_server.services.record_event import record_events
from central_server.services.resign_employee import UnknownEmployee, resign_employee, withdraw_consent
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as NOW
from tests.builders import MONDAY, an_envelope, an_event

DAY = timedelta(days=1)


@pytest.fixture
def plant(engine: Engine, tmp_path) -> Engine:
    """Budi, seen today, with a portrait, a template and a snapshot on disk."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.an_employee(work.session)
        builders.an_employee(work.session, "EMP002")
        a_file(tmp_path, "photos/EMP001/p1.jpg")
        work.session.add(
            EnrolmentPhoto(
                photo_id="p1", employee_id="EMP001", filename="a.jpg", path="photos/EMP001/p1.jpg",
                sha256="0", uploaded_at=NOW, uploaded_by="hr",
            )
        )  # fmt: skip
        record_events("plant-agent", an_envelope(an_event(1)), work, builders.the_rules(), now=NOW)
    a_snapshot(engine, tmp_path, "s1", taken_at=NOW)
    return engine


def a_file(home, path: str) -> None:
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_bytes(b"a face")


def a_snapshot(engine: Engine, home, name: str, *, taken_at, path: str = "", employee_id: str = "EMP001"):
    path = path or f"snapshots/{name}.jpg"
    a_file(home, path)
    with UnitOfWork(engine) as work:
        work.session.add(
            Snapshot(
                snapshot_id=name, agent_id="plant-agent", employee_id=employee_id, path=path,
                taken_at=taken_at, expires_at=taken_at + 30 * DAY,
            )
        )  # fmt: skip


def rows(engine: Engine, table) -> list:
    with UnitOfWork(engine) as work:
        return list(work.session.scalars(select(table)))


def test_snapshots_go_after_thirty_days_with_their_files(plant, tmp_path):
    """And unreadable messages; what is younger stays."""
    a_snapshot(plant, tmp_path, "old", taken_at=NOW - 30 * DAY)
    with UnitOfWork(plant) as work:
        for age in (29, 31):
            work.session.add(BadMessage(received_at=NOW - age * DAY, topic="t", reason="r", payload=b""))
    with UnitOfWork(plant) as work:
        purged = purge_expired(work, builders.the_rules(), tmp_path, now=NOW)
    assert (purged.snapshots, purged.bad_messages) == (1, 1)
    assert [each.snapshot_id for each in rows(plant, Snapshot)] == ["s1"]
    assert not (tmp_path / "snapshots/old.jpg").exists()
    assert (tmp_path / "snapshots/s1.jpg").exists()


def test_a_shorter_time_is_kept_from_today_on(plant, tmp_path):
    """HR lowers the days to seven: what was to stay for thirty goes too."""
    a_snapshot(plant, tmp_path, "week", taken_at=NOW - 8 * DAY)
    with UnitOfWork(plant) as work:
        assert purge_expired(work, builders.the_rules(snapshot_days=7), tmp_path, now=NOW).snapshots == 1


def test_a_path_that_leads_out_of_the_data_folder_is_left_alone(plant, tmp_path):
    """A forged row cannot delete the server's other files."""
    home = tmp_path / "home"
    a_snapshot(plant, home, "evil", taken_at=NOW - 31 * DAY, path="../outside.txt")
    with UnitOfWork(plant) as work:
        purge_expired(work, builders.the_rules(), home, now=NOW)
    assert (tmp_path / "outside.txt").exists()


def test_a_resignation_erases_the_face_and_keeps_the_attendance(plant, tmp_path):
    """Template, portrait, snapshot and presence go at once, agents are told, wages stay provable."""
    with UnitOfWork(plant) as work:
        assert resign_employee(work, "EMP001", MONDAY, tmp_path, now=NOW, actor="user:hr") == 1
    assert [each.employee_id for each in rows(plant, FaceTemplate)] == ["EMP002"]
    assert [(each.op, each.employee_id) for each in rows(plant, TemplateLog)] == [("del", "EMP001")]
    assert rows(plant, EnrolmentPhoto) == rows(plant, Snapshot) == rows(plant, Presence) == []
    assert not (tmp_path / "photos/EMP001/p1.jpg").exists()
    assert not (tmp_path / "snapshots/s1.jpg").exists()
    assert len(rows(plant, Attendance)) == 1
    assert rows(plant, Employee)[0].status == "resigned"
    assert [each.action for each in rows(plant, AuditLog)] == ["employee.resigned"]


def test_whoever_leaves_next_week_is_recognised_until_then(plant, tmp_path):
    """The last day is written down; the purge of the day after erases."""
    with UnitOfWork(plant) as work:
        assert resign_employee(work, "EMP001", date(2026, 11, 27), tmp_path, now=NOW, actor="hr") is None
    assert len(rows(plant, FaceTemplate)) == 2
    for days, left in ((4, 2), (5, 1), (6, 1)):
        with UnitOfWork(plant) as work:
            purge_expired(work, builders.the_rules(), tmp_path, now=NOW + days * DAY)
        assert len(rows(plant, FaceTemplate)) == left


def test_withdrawn_consent_erases_like_a_resignation(plant, tmp_path):
    """They still work here; their face is no longer looked for, and nothing new is recorded about them."""
    with UnitOfWork(plant) as work:
        assert withdraw_consent(work, "EMP001", tmp_path, now=NOW, actor="user:hr") == 1
    assert not (tmp_path / "photos/EMP001/p1.jpg").exists()
    with UnitOfWork(plant) as work:
        record_events("plant-agent", an_envelope(an_event(2)), work, builders.the_rules(), now=NOW + DAY)
    assert rows(plant, Presence) == []


def test_nobody_resigns_who_is_not_there(plant, tmp_path):
    """An unknown code is said to be unknown."""
    with UnitOfWork(plant) as work, pytest.raises(UnknownEmployee, match="EMP999"):
        resign_employee(work, "EMP999", MONDAY, tmp_path, now=NOW, actor="hr")

"""Nobody of HR decides about their own day."""

from datetime import UTC, datetime, timedelta

import pytest

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from tests.web_world import WebWorld, a_web_world, inhabit, post

DAY = (datetime.now(UTC) - timedelta(days=2)).date()
OWN = f"/attendance/{DAY}/EMP003"
TRIES = {
    f"{OWN}/correct": {"first_in": "08:00", "last_out": "17:00", "status": "", "reason": "forgot"},
    f"{OWN}/overtime": {"minutes": "120", "reason": "much to do"},
    f"{OWN}/dispute/1": {"answer": "I am right"},
}


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    """HR and the administrator are both EMP003, who has objected to a day."""
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with UnitOfWork(engine) as work:
        for each in work.session.query(models.User).filter(models.User.username.in_(["hr", "admin"])):
            each.employee_id = "EMP003"
        for each in work.session.query(models.Employee):
            each.created_at -= timedelta(days=30)
        work.session.add(
            models.Dispute(
                employee_id="EMP003",
                business_date=DAY,
                words="I was there",
                noted_by="hr",
                noted_at=datetime.now(UTC),
                answer="",
            )
        )
    return found


@pytest.mark.parametrize("address", TRIES)
def test_hr_does_not_decide_about_their_own_day(world, address):
    """Neither corrects it, nor approves its overtime, nor settles their own objection; they are told why."""
    client = world.client("hr")
    assert post(client, address, TRIES[address]).status_code == 302
    assert "It is your own day" in client.get(OWN).text
    assert world.rows(models.AttendanceCorrection) == []
    assert world.rows(models.Dispute)[0].settled_at is None


def test_of_others_they_do_and_an_administrator_may_do_it_for_them(world):
    """In a small company there may be nobody else; the audit names who it was."""
    body = TRIES[f"{OWN}/overtime"]
    assert post(world.client("hr"), f"/attendance/{DAY}/EMP001/overtime", body).status_code == 302
    assert post(world.client("admin"), f"{OWN}/overtime", body).status_code == 302
    made = {(each.employee_id, each.made_by) for each in world.rows(models.AttendanceCorrection)}
    assert made == {("EMP001", "hr"), ("EMP003", "admin")}


def test_what_an_employee_says_stands_in_one_place(world):
    """The audit tells who noted and who answered it; the words may tell of illness, and stay with the day."""
    post(world.client("supervisor"), f"/attendance/{DAY}/EMP001/dispute", {"words": "I was at the clinic"})
    number = next(each.id for each in world.rows(models.Dispute) if each.employee_id == "EMP001")
    post(world.client("hr"), f"/attendance/{DAY}/EMP001/dispute/{number}", {"answer": "The clinic agrees"})
    kept = [each for each in world.rows(models.AuditLog) if each.action.startswith("dispute.")]
    assert [(each.actor, each.detail) for each in kept] == [
        ("user:supervisor", {"dispute": number}),
        ("user:hr", {"dispute": number}),
    ]
    [said] = [each for each in world.rows(models.Dispute) if each.id == number]
    assert (said.words, said.answer) == ("I was at the clinic", "The clinic agrees")


def test_nobody_is_absent_in_a_day_to_come(world):
    """A report or an approval asked for of a day to come works nothing out, and leaves no row behind."""
    coming = (datetime.now(UTC) + timedelta(days=3)).date()
    for day in (coming, "2099-12-31"):
        assert world.client("supervisor").get(f"/attendance/day.pdf?date={day}").status_code == 404
        body = TRIES[f"{OWN}/overtime"]
        assert post(world.client("admin"), f"/attendance/{day}/EMP001/overtime", body).status_code == 302
    assert world.rows(models.Attendance) == []
    assert world.rows(models.AttendanceCorrection) == []

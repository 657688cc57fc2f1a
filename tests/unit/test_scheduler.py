"""What is done again and again, and what is done at a time of day."""

import threading
from datetime import UTC, datetime, time, timedelta

import pytest

from central_server.adapters.scheduler import Daily, DailySchedule, Loop, daily_trigger

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "utc"), [("Asia/Jakarta", "10:30"), ("Asia/Makassar", "09:30"), ("Asia/Jayapura", "08:30")]
)
def test_a_daily_job_fires_at_the_local_time_on_every_day_of_the_week(zone, utc):
    """Seven days, Monday to Sunday, at the right instant; crontab's 1-5 means Tue-Sat."""
    trigger, fired, previous = daily_trigger(time(17, 30), zone), [], None
    for _ in range(7):
        previous = trigger.get_next_fire_time(previous, (previous or MONDAY) + timedelta(seconds=1))
        fired.append(previous.astimezone(UTC))
    assert {f"{each:%H:%M}" for each in fired} == {utc}
    assert [f"{each:%a}" for each in fired] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_a_plan_keeps_what_did_not_change_and_forgets_what_is_gone():
    """Planning again is free; a new time moves the job; a site that is gone takes its job along."""
    schedule = DailySchedule()
    schedule.start()
    try:
        job = Daily(time(17, 30), "Asia/Jakarta", print)
        schedule.plan({"a": job, "b": job})
        first = schedule.next_times()
        schedule.plan({"a": job})
        assert schedule.next_times() == {"a": first["a"]}
        schedule.plan({"a": Daily(time(18, 0), "Asia/Jakarta", print)})
        assert schedule.next_times()["a"].strftime("%H:%M") == "18:00"
    finally:
        schedule.stop()


def test_a_failure_is_not_the_end(caplog):
    """The first turn fails: it is said, and the second is done."""
    turns, done = [], threading.Event()

    def do() -> None:
        turns.append(1)
        if len(turns) < 2:
            raise ValueError("no luck")
        done.set()

    loop = Loop("luck", 0.01, do)
    loop.start()
    assert done.wait(10)
    assert loop.is_alive()
    loop.stop()
    assert not loop.is_alive()
    assert "luck failed" in caplog.text


def test_a_turn_that_never_ends_is_noticed():
    """Stuck is not the same as dead."""
    release = threading.Event()
    loop = Loop("stuck", 0.01, release.wait)
    loop.start()
    try:
        assert loop.is_stuck(-60)
        assert not loop.is_stuck(60)
    finally:
        release.set()
        loop.stop()

"""The rule of the product, as a table."""

from datetime import UTC, date, datetime, timedelta

import pytest

from central_server.domain.presence import (
    Circumstances,
    Presence,
    Reason,
    Sighting,
    State,
    nobody_yet,
    presence_after_sighting,
    presence_at,
)
from central_server.domain.shifts import Duty, Standing
from central_server.domain.whereabouts import FIRST

TEN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TODAY, MINUTE = date(2026, 11, 23), timedelta(minutes=1)
ON_DUTY = Duty(Standing.ON_DUTY, TEN - 120 * MINUTE)


def seen(minutes_ago: float | None = 0, **more) -> Presence:
    values = {
        "state": State.AVAILABLE,
        "reason": Reason.IN_AREA,
        "since": TEN - 60 * MINUTE,
        "last_seen": None if minutes_ago is None else TEN - minutes_ago * MINUTE,
        "business_date": None if minutes_ago is None else TODAY,
        "zone_id": "gate",
        "camera_id": "cam",
        "episode": 1,
    }
    return Presence(employee_id="EMP001", site_id="plant", **values | more)


def facts(**more) -> Circumstances:
    values = {
        "at": TEN,
        "today": TODAY,
        "duty": ON_DUTY,
        "is_followed": True,
        "home_site_id": "plant",
        "unseen_after": 5 * MINUTE,
        "covered_since": TEN - 300 * MINUTE,
        "is_camera_watching": True,
    }
    return Circumstances(**values | more)


BREAK = {"duty": Duty(Standing.ON_BREAK)}
AFTER_BREAK = {"duty": Duty(Standing.ON_DUTY, TEN - 4 * MINUTE, Standing.ON_BREAK)}
LONG_AFTER_BREAK = {"duty": Duty(Standing.ON_DUTY, TEN - 6 * MINUTE, Standing.ON_BREAK)}
BLIND = {"covered_since": None, "is_camera_watching": False}

TABLE = [
    ("seen just now", seen(0), {}, "available in_area"),
    ("exactly five minutes", seen(5), {}, "available in_area"),
    ("more than five minutes", seen(5.02), {}, "off out_of_area"),
    ("a shorter threshold", seen(1), {"unseen_after": timedelta(seconds=20)}, "off out_of_area"),
    ("the watermark is behind", seen(-1), {}, "available in_area"),
    ("at another site", seen(1), {"home_site_id": "other"}, "available elsewhere"),
    ("on a break", seen(20), BREAK, "off on_break"),
    ("the break is just over", seen(30), AFTER_BREAK, "off on_break"),
    ("the break is over long", seen(30), LONG_AFTER_BREAK, "off out_of_area"),
    ("the shift has just begun", seen(30), {"duty": Duty(Standing.ON_DUTY, TEN - MINUTE)}, "off off_shift"),
    ("after the shift", seen(20), {"duty": Duty(Standing.OFF_SHIFT)}, "off off_shift"),
    ("on leave", seen(None), {"duty": Duty(Standing.ON_LEAVE)}, "off on_leave"),
    ("never seen today", seen(None), {}, "off not_arrived"),
    ("last seen yesterday", seen(900, business_date=date(2026, 11, 22)), {}, "off not_arrived"),
    ("no camera watches the zone", seen(20), BLIND, "unknown no_coverage"),
    ("the camera fails a minute after", seen(1), BLIND, "unknown no_coverage"),
    ("the zone's other camera is down", seen(1), {"covered_since": None}, "available in_area"),
    ("and then nobody is seen", seen(9), {"covered_since": None}, "unknown no_coverage"),
    ("watched again, but not for long", seen(30), {"covered_since": TEN - 3 * MINUTE}, "unknown no_coverage"),
    ("watched again for long enough", seen(30), {"covered_since": TEN - 6 * MINUTE}, "off out_of_area"),
    ("no consent, or not enrolled", seen(1), {"is_followed": False}, "unknown not_enrolled"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "more", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_where_somebody_is(before, more, expected):
    """Each line of the table is one case of the five-minute rule."""
    after = presence_at(before, facts(**more))
    assert f"{after.state} {after.reason}" == expected


def test_off_is_since_the_instant_last_seen():
    """The board says since when, and that is not when the server noticed."""
    assert presence_at(seen(8), facts()).since == TEN - 8 * MINUTE


def test_looking_again_changes_nothing():
    """Evaluating twice at the same watermark gives the same row."""
    once = presence_at(seen(8), facts())
    assert presence_at(once, facts()) == once


def a_sighting(minutes_ago: float = 0, **more) -> Sighting:
    values = {"site_id": "plant", "zone_id": "hall", "camera_id": "cam-2", "business_date": TODAY}
    return Sighting(employee_id="EMP001", seen_at=TEN - minutes_ago * MINUTE, **values | more)


def test_a_return_is_a_new_episode():
    """Off, then seen: available from that instant, where it happened, and the next absence counts anew."""
    back = presence_after_sighting(seen(8, state=State.OFF, reason=Reason.OUT_OF_AREA), a_sighting(), "plant")
    assert (back.state, back.reason, back.since, back.episode) == ("available", "in_area", TEN, 2)
    assert (back.zone_id, back.camera_id) == ("hall", "cam-2")


def test_the_newest_of_several_cameras_wins():
    """An older sighting that arrives later tells only of one more place where the person may be."""
    after = presence_after_sighting(seen(1), a_sighting(2), "plant")
    assert after == seen(1, zones={FIRST: TODAY.isoformat(), "hall": TODAY.isoformat()})
    assert presence_after_sighting(after, a_sighting(2), "plant") is after


def test_late_news_are_no_news():
    """A late sighting moves last_seen forward and leaves the state alone."""
    before = seen(30, state=State.OFF, reason=Reason.OUT_OF_AREA)
    after = presence_after_sighting(before, a_sighting(15, is_late=True), "plant")
    assert (after.state, after.reason, after.episode) == (State.OFF, Reason.OUT_OF_AREA, 1)
    assert after.last_seen == TEN - 15 * MINUTE


def test_the_first_sighting_of_all():
    """Nobody yet, then somebody."""
    after = presence_after_sighting(nobody_yet("EMP001", "plant", TEN), a_sighting(), "plant")
    assert (after.state, after.episode) == (State.AVAILABLE, 1)

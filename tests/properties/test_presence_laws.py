"""Laws of presence: what nobody could see is nobody's fault."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from central_server.domain.alerts import OpenAlert, alerts_for
from central_server.domain.messages import OutOfArea
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
from central_server.domain.shifts import WEEKDAYS, Assignment, Schedule, Shift

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
UNSEEN_AFTER = timedelta(minutes=5)
ALWAYS = Schedule(
    timezone=ZoneInfo("Asia/Jakarta"),
    assignments=(
        Assignment(
            shift=Shift(shift_id="s", name="S", starts=time(7), ends=time(20), weekdays=frozenset(WEEKDAYS))
        ),
    ),
)
offsets = st.integers(0, 4 * 3600)


def a_sighting(offset: int, is_late: bool = False) -> Sighting:
    moment = START + offset * SECOND
    return Sighting(
        employee_id="EMP001",
        site_id="plant",
        zone_id="gate",
        camera_id="cam",
        seen_at=moment,
        business_date=ALWAYS.business_date(moment),
        is_late=is_late,
    )


def facts(offset: int, covered_since: int | None = 0) -> Circumstances:
    at = START + offset * SECOND
    return Circumstances(
        at=at,
        today=ALWAYS.business_date(at),
        duty=ALWAYS.duty_at(at),
        is_followed=True,
        home_site_id="plant",
        unseen_after=UNSEEN_AFTER,
        covered_since=None if covered_since is None else START + covered_since * SECOND,
        is_camera_watching=covered_since is not None,
    )


def seen(offset: int) -> Presence:
    return presence_after_sighting(nobody_yet("EMP001", "plant", START), a_sighting(offset), "plant")


@settings(deadline=None)
@given(offsets, offsets)
def test_nobody_is_off_or_alerted_about_without_coverage(seen_at, at):
    """Whenever the cameras fail, whoever was there is unknown, and no supervisor hears of it."""
    after = presence_at(seen(seen_at), facts(at, covered_since=None))
    assert after.state is not State.OFF
    assert alerts_for(after, None, is_watched=True, at=START + at * SECOND) is None


@settings(deadline=None)
@given(offsets, offsets, offsets)
def test_only_covered_time_counts_as_unseen(seen_at, covered_since, at):
    """Nobody is out of the area before a whole threshold of unbroken coverage has passed."""
    after = presence_at(seen(seen_at), facts(at, covered_since))
    if after.reason is Reason.OUT_OF_AREA:
        assert (at - max(seen_at, covered_since)) * SECOND > UNSEEN_AFTER


@settings(deadline=None)
@given(st.lists(offsets, min_size=1, max_size=12), st.randoms())
def test_the_newest_sighting_wins_in_any_order(offsets_seen, random):
    """Shuffled and repeated sightings leave the person where they were seen last."""
    shuffled = offsets_seen + offsets_seen[:3]
    random.shuffle(shuffled)
    presence = nobody_yet("EMP001", "plant", START)
    for offset in shuffled:
        presence = presence_after_sighting(presence, a_sighting(offset), "plant")
    assert presence.last_seen == START + max(offsets_seen) * SECOND
    assert presence.episode == 1


@settings(deadline=None)
@given(st.lists(offsets, min_size=2, max_size=20, unique=True), st.integers(20, 600))
def test_one_alert_an_absence(offsets_seen, tick):
    """However often it is looked at: as many alerts as there were absences of more than the threshold."""
    times = sorted(offsets_seen)
    end = times[-1] + 2 * tick + 600
    presence, keys = nobody_yet("EMP001", "plant", START), []
    for at in sorted({*times, *range(times[0], end, tick)}):
        if at in times:
            presence = presence_after_sighting(presence, a_sighting(at), "plant")
        presence = presence_at(presence, facts(at, covered_since=-600))
        alert = alerts_for(presence, None, is_watched=True, at=START + at * SECOND)
        keys += [alert.dedupe_key] if isinstance(alert, OpenAlert) else []
    longest = [later - earlier for earlier, later in zip(times, [*times[1:], end], strict=True)]
    assert len(set(keys)) <= sum(gap > 300 for gap in longest)
    assert len(set(keys)) >= sum(gap > 300 + tick for gap in longest)


@settings(deadline=None)
@given(offsets, st.integers(301, 7200))
def test_the_minutes_in_the_message_are_whole_and_rounded_down(seen_at, away):
    """'6 min ago' means at least six and less than seven."""
    told = OutOfArea(
        employee_id="EMP001",
        employee_name="Budi",
        last_seen=START + seen_at * SECOND,
        opened_at=START + (seen_at + away) * SECOND,
        zone_name="Gate",
        supervisor_name="Sari",
    )
    assert told.minutes * 60 <= away < (told.minutes + 1) * 60

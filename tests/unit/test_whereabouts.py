"""Absence is proven over every place where somebody may be, or not at all."""

from datetime import UTC, date, datetime, timedelta

import pytest

from central_server.domain.coverage import SiteCoverage
from central_server.domain.whereabouts import FIRST, Whereabouts, places_after

TEN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TODAY = date(2026, 11, 23)
NONE: frozenset[str] = frozenset()


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def coverage(*down: str) -> SiteCoverage:
    """The gate and the hall with a camera each, a camera without a zone; a store whose camera is disabled."""
    zones = {"gate": {"c-gate"}, "hall": {"c-hall"}, "camera:c-yard": {"c-yard"}, "store": set()}
    zones |= {"camera:c-gate": {"c-gate"}, "camera:c-hall": {"c-hall"}, "camera:c-store": set()}
    since = {"c-gate": TEN - 60 * MINUTE, "c-hall": TEN - 30 * MINUTE, "c-yard": TEN - 10 * MINUTE}
    return SiteCoverage(
        watermark=TEN,
        watching={name: each for name, each in since.items() if name not in down},
        zones={name: frozenset(each) for name, each in zones.items()},
        reported={"c-hall": TEN - MINUTE},
        cameras=frozenset(since),
    )


def proof(seen, *down, given=NONE, last=None):
    return Whereabouts(coverage(*down)).proof(seen, frozenset(given), last, TODAY)


@pytest.mark.parametrize(
    ("seen", "down", "given", "minutes"),
    [
        ({"gate": ago(1)}, (), NONE, 60),
        ({"gate": ago(1)}, ("c-hall",), NONE, 60),
        ({"gate": ago(0), "hall": ago(3)}, (), NONE, 30),
        ({"gate": ago(0), "hall": ago(3)}, ("c-hall",), NONE, None),
        ({"gate": ago(0), "hall": ago(13)}, ("c-hall",), NONE, None),
        ({"gate": ago(1), "hall": ago(14)}, ("c-hall",), NONE, 60),
        ({"gate": ago(0), FIRST: ago(3)}, (), NONE, 60),
        ({"gate": ago(0)}, (), NONE, 10),
        ({"gate": ago(0)}, ("c-yard",), NONE, None),
        ({}, (), NONE, 10),
        ({"gate": ago(0)}, ("c-yard",), {"gate"}, 60),
        ({"gate": ago(0)}, ("c-hall",), {"gate", "hall"}, None),
        ({"gate": ago(1)}, (), {"office"}, None),
        ({"gate": ago(1), "store": ago(2)}, (), NONE, None),
        ({"gate": ago(1), "store": ago(4)}, (), NONE, 60),
        ({"gate": ago(1), "deleted": ago(2)}, (), NONE, 60),
        ({"deleted": ago(2)}, (), NONE, 10),
        ({"gate": ago(1), "camera:c-yard": ago(2)}, (), NONE, 10),
    ],
    ids=[
        "only ever at the gate",
        "and the hall is nobody's business",
        "the hall was watched for a shorter time",
        "the hall's camera is down",
        "in the hall thirteen days ago",
        "in the hall long ago",
        "every day at the gate, and nowhere else",
        "the first day: anywhere at the site",
        "the first day, and the yard's camera is down",
        "never seen",
        "the first day, but HR gave the gate",
        "HR gave the hall, too, which is down",
        "HR gave a zone without any camera",
        "a zone that has lost its last camera",
        "and nobody hung another one within days",
        "a zone that is there no more",
        "nothing is known any more: anywhere",
        "a camera without a zone is a place of its own",
    ],
)
def test_over_which_time_absence_is_proven(seen, down, given, minutes):
    """Since when every camera of all those places has watched; None: not at all."""
    found = proof(seen, *down, given=given).since
    assert found == (None if minutes is None else TEN - minutes * MINUTE)


def test_the_camera_that_saw_the_person_last_counts_wherever_it_hangs_now():
    """It was moved to another zone: what it watches is still where they were."""
    assert proof({"gate": ago(1)}, "c-hall", last="c-hall").missing == "c-hall"
    assert proof({"gate": ago(1)}, last="kiosk-1").since == TEN - 60 * MINUTE


def test_proof_reaches_only_as_far_as_the_slowest_agent_has_reported():
    """Another site's agent may be a minute behind ours."""
    assert proof({"gate": ago(1), "hall": ago(1)}).to == TEN - MINUTE
    assert proof({"gate": ago(1)}).to is None


def test_what_is_missing_is_told():
    """For whoever wonders why nothing is known of a person."""
    assert proof({"gate": ago(1)}, given={"office"}).missing == "office"
    assert proof({"gate": ago(0), "hall": ago(1)}, "c-hall").missing == "c-hall"


def test_places_are_kept_for_a_fortnight_whatever_the_order():
    """Late news of an old place are noted, and forgotten when they are too old."""
    places = places_after({}, "gate", TODAY)
    assert places_after(places, "gate", TODAY) is places
    assert places_after(places, "gate", TODAY - timedelta(days=1)) is places
    early = places_after(places, "hall", TODAY - timedelta(days=13))
    assert early == {FIRST: ago(13), "gate": ago(0), "hall": ago(13)}
    too_early = places_after(places, "hall", TODAY - timedelta(days=14))
    assert too_early == {FIRST: ago(0), "gate": ago(0)}
    later = places_after({"gate": ago(14), "hall": ago(2)}, "hall", TODAY)
    assert later == {FIRST: ago(2), "hall": ago(0)}


def test_since_when_somebody_is_known_is_kept_from_day_to_day():
    """A guard who is only ever at the gate is not new each morning; after a fortnight away, everybody is."""
    places = places_after({}, "gate", TODAY - timedelta(days=40))
    for days in range(39, 19, -1):
        places = places_after(places, "gate", TODAY - timedelta(days=days))
    assert places == {FIRST: ago(40), "gate": ago(20)}
    assert places_after(places, "gate", TODAY) == {FIRST: ago(0), "gate": ago(0)}

"""Whom a camera that fails, or is back, concerns."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from central_server.domain.coverage import SiteCoverage
from central_server.domain.watch import Watch

EIGHT = datetime(2026, 3, 3, 1, tzinfo=UTC)
TODAY, YESTERDAY = date(2026, 3, 3), "2026-03-02"
NOBODYS: frozenset[str] = frozenset()


def covered(**since: datetime | None) -> SiteCoverage:
    """A site with a zone of the same name for each camera; None: it does not watch."""
    zones = {place: frozenset({name}) for name in since for place in (f"{name}-zone", f"camera:{name}")}
    return SiteCoverage(
        watermark=EIGHT,
        watching={name: at for name, at in since.items() if at},
        zones=zones,
        cameras=frozenset(since),
        site_since=EIGHT - timedelta(days=1),
    )


BEFORE = covered(gate=EIGHT, hall=EIGHT)
AFTER = covered(gate=EIGHT, hall=None)


def touched(before: SiteCoverage, after: SiteCoverage):
    return Watch.of(after).touched(Watch.of(before))


def test_a_camera_touches_its_zone_and_itself():
    """One that fails, one that is back, one that began anew; a clock that was corrected a little does not."""
    for after in (AFTER, covered(gate=EIGHT, hall=EIGHT + timedelta(seconds=9))):
        for one, other in ((BEFORE, after), (after, BEFORE)):
            found = touched(one, other)
            assert (found.places, found.cameras) == ({"hall-zone", "camera:hall"}, ["hall"])
    assert not touched(BEFORE, covered(gate=EIGHT, hall=EIGHT + timedelta(milliseconds=9))).places


def test_it_concerns_who_may_be_there():
    """Who was seen there, works there, or is new; not who was seen elsewhere before today."""
    found = touched(BEFORE, AFTER)
    assert found.concerns({"hall-zone": YESTERDAY, "gate-zone": YESTERDAY}, NOBODYS, TODAY)
    assert found.concerns({"gate-zone": YESTERDAY}, frozenset({"hall-zone"}), TODAY)
    assert found.concerns({"gate-zone": TODAY.isoformat()}, NOBODYS, TODAY)
    assert found.concerns({}, NOBODYS, TODAY)
    assert found.concerns({"a-zone-that-is-gone": YESTERDAY}, NOBODYS, TODAY)
    assert not found.concerns({"gate-zone": YESTERDAY}, NOBODYS, TODAY)
    assert not found.concerns({}, frozenset({"gate-zone"}), TODAY)


def test_some_changes_concern_everybody():
    """The first look, news that are waited for, no watermark, and a site that is seen otherwise."""
    assert Watch.of(AFTER).touched(None) is None
    assert touched(BEFORE, replace(BEFORE, is_held=True)) is None
    assert touched(BEFORE, replace(BEFORE, watermark=None)) is None
    assert touched(BEFORE, replace(BEFORE, site_since=EIGHT)) is None
    assert touched(BEFORE, replace(BEFORE, watermark=EIGHT + timedelta(seconds=5))) is not None

"""Whatever keeps a site from seeing: while it lasts nobody is off, and nobody is alerted about."""

from datetime import timedelta

import pytest

from central_server.db.models import Agent, Camera
from tests.day_world import MINUTE, a_plant, alerts, at, builders, change, look, see, where_is

BLIND_FROM, SEES_FROM = at("08:02"), at("08:40")
AGENT_FAULTS = {
    "offline": {"state": "offline", "state_at": BLIND_FROM},
    "stopped": {"state": "stopped", "state_at": BLIND_FROM},
    "silent": {"heartbeat_at": BLIND_FROM},
    "a wrong clock": {"skew_ms": 121_000},
    "a wrong clock the other way": {"skew_ms": -121_000},
    "draining": {"reported_to": BLIND_FROM},
}
CAMERA_FAULTS = ("offline", "degraded")


@pytest.mark.parametrize("fault", [*AGENT_FAULTS, *CAMERA_FAULTS])
def test_nobody_is_off_or_alerted_about_while_coverage_is_lost(engine, fault):
    """Neither during the outage, nor until a whole threshold was watched after it; then they are."""
    a_plant(engine)
    see(engine, "08:00")
    for minute in range(3, 40, 6):
        now = at(f"08:{minute:02}")
        builders.all_healthy(engine, now)
        change(engine, Agent, "plant-agent", **AGENT_FAULTS.get(fault, {}))
        if fault in CAMERA_FAULTS:
            change(engine, Camera, "plant-cam", state=fault, covered_since=None, state_at=BLIND_FROM)
        look(engine, now)
        assert where_is(engine)[0] != "off"
    for seconds in (0, 300):
        now = SEES_FROM + timedelta(seconds=seconds)
        builders.all_healthy(engine, now, since=SEES_FROM)
        look(engine, now)
        assert where_is(engine)[0] != "off"
    assert alerts(engine) == []
    builders.all_healthy(engine, SEES_FROM + 6 * MINUTE, since=SEES_FROM)
    look(engine, SEES_FROM + 6 * MINUTE)
    assert where_is(engine) == ("off", "out_of_area")
    assert len(alerts(engine)) == 1

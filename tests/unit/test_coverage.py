"""What agents and cameras prove, and what their outages ask for."""

from datetime import UTC, datetime, timedelta

import pytest

from central_server.domain.alerts import CloseAlert, OpenAlert, OpenOne, outage_alerts
from central_server.domain.coverage import AgentFacts, CameraFacts, fault_of, site_coverage

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def an_agent(agent_id: str = "a1", **more) -> AgentFacts:
    values = {
        "name": "Gate",
        "state": "online",
        "state_at": NOW - 3600 * SECOND,
        "heartbeat_at": NOW - 5 * SECOND,
        "interval": 15 * SECOND,
        "reported_to": NOW - 5 * SECOND,
    }
    return AgentFacts(agent_id=agent_id, **values | more)


def a_camera(
    camera_id: str = "c1", agent_id: str = "a1", zone_id: str | None = "gate", **more
) -> CameraFacts:
    values = {
        "name": camera_id,
        "zone_name": "Gate",
        "state": "online",
        "reason": "",
        "state_at": NOW - 3600 * SECOND,
        "covered_since": NOW - 3600 * SECOND,
    }
    return CameraFacts(camera_id=camera_id, agent_id=agent_id, zone_id=zone_id, **values | more)


def down(camera_id: str = "c1", since_s: float = 100, **more) -> CameraFacts:
    values = {
        "state": "offline",
        "reason": "timeout",
        "covered_since": None,
        "state_at": NOW - since_s * SECOND,
    }
    return a_camera(camera_id, **values | more)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({}, None),
        ({"heartbeat_at": NOW - 45 * SECOND, "reported_to": NOW - 45 * SECOND}, None),
        ({"heartbeat_at": NOW - 46 * SECOND}, "silent"),
        ({"state": "offline"}, "offline"),
        ({"state": "stopped"}, "stopped"),
        ({"heartbeat_at": None}, "offline"),
        ({"skew": 121 * SECOND, "reported_to": NOW + 116 * SECOND}, "clock"),
        ({"skew": -60 * SECOND, "reported_to": NOW - 65 * SECOND}, None),
        ({"reported_to": NOW - 600 * SECOND}, "draining"),
    ],
)
def test_what_is_wrong_with_an_agent(more, fault):
    """By the server's clock; a backlog is told by the agent's own."""
    assert fault_of(an_agent(**more), NOW) == fault


def test_the_watermark_is_the_oldest_of_the_healthy_agents():
    """A dead agent does not hold the site back; it takes its cameras away."""
    agents = [an_agent(), an_agent("a2", reported_to=NOW - 20 * SECOND), an_agent("a3", state="offline")]
    covered = site_coverage(agents, [a_camera(), a_camera("c3", "a3", "hall")], NOW)
    assert covered.watermark == NOW - 20 * SECOND
    assert covered.since("gate", "c1") and not covered.since("hall", "c3")


def test_without_a_healthy_agent_nothing_is_proven():
    """No watermark, no coverage."""
    covered = site_coverage([an_agent(state="offline")], [a_camera()], NOW)
    assert covered.watermark is None
    assert covered.site_since is None


def test_a_zone_is_covered_since_the_last_of_its_cameras():
    """Every camera of the zone must watch; a disabled one is not asked."""
    late = a_camera("c2", covered_since=NOW - 60 * SECOND)
    assert site_coverage([an_agent()], [a_camera(), late], NOW).since("gate", "c1") == NOW - 60 * SECOND
    assert site_coverage([an_agent()], [a_camera(), down("c2")], NOW).since("gate", "c1") is None
    off = a_camera("c2", state="disabled", covered_since=None)
    assert site_coverage([an_agent()], [a_camera(), off], NOW).since("gate", "c1")


def test_a_camera_without_a_zone_stands_for_itself():
    """Its own coverage counts, and nobody else's."""
    covered = site_coverage([an_agent()], [a_camera(zone_id=None), down("c2")], NOW)
    assert covered.since(None, "c1")
    assert covered.since(None, "c2") is None


BLIND = ("dark", "frozen", "covered", "moved", "decode")


@pytest.mark.parametrize("reason", BLIND)
def test_a_camera_that_sends_pictures_but_sees_nobody_proves_nothing(reason):
    """A degraded camera takes its zone's coverage away as a dead one does."""
    blind = a_camera("c2", state="degraded", reason=reason)
    covered = site_coverage([an_agent()], [a_camera(), blind], NOW)
    assert covered.since("gate", "c1") is None
    assert not covered.is_watching("c2") and covered.is_watching("c1")


def decided(agents, cameras, *open_ones, listening_since=NOW - 3600 * SECOND):
    return outage_alerts(
        agents, cameras, open_ones, site_id="plant", now=NOW, listening_since=listening_since
    )


def test_a_dead_camera_is_one_alert():
    """After three heartbeats, and only while none is open."""
    (alert,) = decided([an_agent()], [down()])
    assert isinstance(alert, OpenAlert)
    assert (alert.kind, alert.camera_id, alert.reason) == ("camera_down", "c1", "timeout")
    assert decided([an_agent()], [down(since_s=30)]) == []
    assert decided([an_agent()], [down()], OpenOne(alert_id=1, kind="camera_down", camera_id="c1")) == []


@pytest.mark.parametrize("reason", BLIND)
def test_a_camera_that_sees_nobody_is_told_of_as_a_dead_one(reason):
    """With its reason, after three heartbeats; that it sees again closes the alert."""
    (alert,) = decided([an_agent()], [down(state="degraded", reason=reason)])
    assert isinstance(alert, OpenAlert)
    assert (alert.kind, alert.camera_id, alert.reason) == ("camera_down", "c1", reason)
    assert decided([an_agent()], [down(state="degraded", reason=reason, since_s=30)]) == []


def test_a_dead_agent_covers_its_cameras():
    """One alert about the agent, none about what hangs on it."""
    silent = an_agent(heartbeat_at=NOW - 100 * SECOND)
    (alert,) = decided([silent], [down(), down("c2")])
    assert (alert.kind, alert.agent_id, alert.reason) == ("agent_down", "a1", "silent")


def test_a_server_that_was_away_blames_nobody():
    """Silence from before we listened proves nothing; nor does an agent that never worked."""
    silent = an_agent(heartbeat_at=NOW - 7200 * SECOND)
    assert decided([silent], [], listening_since=NOW - 10 * SECOND) == []
    assert decided([an_agent(state="offline", heartbeat_at=None)], []) == []


def test_what_is_back_closes_its_alert():
    """Cameras and agents alike."""
    open_ones = (
        OpenOne(alert_id=1, kind="agent_down", agent_id="a1"),
        OpenOne(alert_id=2, kind="camera_down", camera_id="c1"),
    )
    assert decided([an_agent()], [a_camera()], *open_ones) == [
        CloseAlert(alert_id=1, reason="back"),
        CloseAlert(alert_id=2, reason="back"),
    ]

"""Attacks on the worst mistake there is: somebody called out of area who could not have been seen."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select

from central_server.db.models import (
    Agent,
    Alert,
    AttendanceCorrection,
    Camera,
    Employee,
    EmployeeZone,
    Leave,
    Presence,
    RoleThreshold,
    Zone,
)
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.record_event import record_events
from central_server.services.site_scene import SiteMemory
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import an_envelope, an_event

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """A gate and a warehouse with an agent each, another site, and Budi, who has been here for long."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_site(work.session, "depot")
        builders.a_shift(work.session)
        builders.a_zone(work.session, "store", name="Warehouse")
        builders.an_agent(work.session, "store-agent")
        builders.a_camera(work.session, "store-cam", "store-agent", "plant", "store")
        builders.an_employee(work.session, role="Guard")
        work.session.add(EmployeeZone(employee_id="EMP001", zone_id="plant-gate"))
    return engine


def see(engine: Engine, seq: int, minute: float, place: str = "plant", *, now: float | None = None) -> None:
    at, agent = EIGHT + minute * MINUTE, f"{place}-agent"
    event = an_event(seq, at=at, agent_id=agent, camera_id=f"{place}-cam")
    with UnitOfWork(engine) as work:
        record_events(
            agent, an_envelope(event), work, builders.the_rules(),
            now=at if now is None else EIGHT + now * MINUTE,
        )  # fmt: skip


def change(engine: Engine, table, key: str, **values) -> None:
    with UnitOfWork(engine) as work:
        row = work.session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)


def evaluate(engine: Engine, minute: float, *, site: str = "plant", well: bool = True, **more) -> None:
    at = EIGHT + minute * MINUTE
    if well:
        builders.all_healthy(engine, at)
    with UnitOfWork(engine) as work:
        evaluate_site(work, site, builders.the_rules(), now=at, **more)


def budi(engine: Engine) -> str:
    with UnitOfWork(engine) as work:
        here = work.session.get_one(Presence, "EMP001")
        return f"{here.state} {here.reason}"


def alerts(engine: Engine) -> list[tuple[str, str]]:
    with UnitOfWork(engine) as work:
        wanted = select(Alert.state, Alert.close_reason).where(Alert.kind == "out_of_area")
        return [tuple(row) for row in work.session.execute(wanted)]


def test_who_may_be_in_the_warehouse_is_not_out_of_area_while_it_is_dark(plant):
    """They walked from the gate into a place whose agent is down; once it watches again, time counts anew."""
    see(plant, 1, -1440, "store")
    see(plant, 1, 0)
    builders.all_healthy(plant, EIGHT + 10 * MINUTE)
    change(plant, Agent, "store-agent", state="offline")
    evaluate(plant, 10, well=False)
    assert (budi(plant), alerts(plant)) == ("unknown no_coverage", [])
    builders.all_healthy(plant, EIGHT + 14 * MINUTE)
    change(plant, Camera, "store-cam", covered_since=EIGHT + 10 * MINUTE)
    evaluate(plant, 14, well=False)
    assert budi(plant) == "unknown no_coverage"
    builders.all_healthy(plant, EIGHT + 16 * MINUTE)
    change(plant, Camera, "store-cam", covered_since=EIGHT + 10 * MINUTE)
    evaluate(plant, 16, well=False)
    assert budi(plant) == "off out_of_area"


def test_the_warehouse_is_nobodys_business_who_was_never_there(plant):
    """HR gave the gate, and nothing else was seen of them: the rest of the site may be dark."""
    see(plant, 1, 0)
    builders.all_healthy(plant, EIGHT + 10 * MINUTE)
    change(plant, Agent, "store-agent", state="offline")
    evaluate(plant, 10, well=False)
    assert budi(plant) == "off out_of_area"


def test_who_was_at_another_site_lately_may_be_there(plant):
    """Its agent is down, or has not reported as far: nothing is proven."""
    see(plant, 1, -1440, "depot")
    see(plant, 1, 0)
    for more in ({"state": "offline"}, {"reported_to": EIGHT + 4.9 * MINUTE}):
        builders.all_healthy(plant, EIGHT + 5.1 * MINUTE)
        change(plant, Agent, "depot-agent", **more)
        evaluate(plant, 5.1, well=False)
        assert budi(plant) in ("unknown no_coverage", "available in_area")
    evaluate(plant, 5.1)
    assert budi(plant) == "off out_of_area"


def test_while_a_backlog_drains_nobody_newly_goes(plant):
    """Another agent of the site still sends what it saw: whoever is off stays off, on a break too."""
    see(plant, 1, 0)
    builders.all_healthy(plant, EIGHT + 10 * MINUTE)
    change(plant, Agent, "store-agent", reported_to=EIGHT + 5 * MINUTE)
    evaluate(plant, 10, well=False)
    assert (budi(plant), alerts(plant)) == ("unknown no_coverage", [])
    evaluate(plant, 11)
    assert (budi(plant), alerts(plant)) == ("off out_of_area", [("open", "")])
    builders.all_healthy(plant, EIGHT + 12 * MINUTE)
    change(plant, Agent, "store-agent", reported_to=EIGHT + 5 * MINUTE)
    evaluate(plant, 12, well=False)
    assert budi(plant) == "off out_of_area"


def test_a_server_that_has_just_started_waits_for_every_agent(plant):
    """What the database says of an agent is from before; nobody goes until it is heard, or known silent."""
    see(plant, 1, 0)
    builders.all_healthy(plant, EIGHT + 10 * MINUTE)
    since = EIGHT + 10 * MINUTE + SECOND
    evaluate(plant, 10.1, well=False, listening_since=since)
    assert (budi(plant), alerts(plant)) == ("unknown no_coverage", [])
    evaluate(plant, 10.9, well=False, listening_since=since)
    assert budi(plant) == "unknown no_coverage", "silent by now"
    evaluate(plant, 11, listening_since=since)
    assert budi(plant) == "off out_of_area"


@pytest.mark.parametrize(
    "wrong", [{"skew_ms": 121_000}, {"cloned_at": EIGHT + 9 * MINUTE}], ids=["clock", "clone"]
)
def test_an_agent_that_cannot_be_believed_proves_nothing(plant, wrong):
    """A clock more than two minutes off; two boxes with one identity."""
    see(plant, 1, 0)
    builders.all_healthy(plant, EIGHT + 10 * MINUTE)
    change(plant, Agent, "plant-agent", **wrong)
    evaluate(plant, 10, well=False)
    assert (budi(plant), alerts(plant)) == ("unknown no_coverage", [])


@pytest.mark.parametrize(
    ("zone_s", "role_s", "off_after_s"),
    [(None, None, 300), (20, None, 20), (None, 60, 60), (20, 600, 600), (900, 60, 900)],
)
def test_of_a_zone_and_a_role_the_longer_threshold_counts(plant, zone_s, role_s, off_after_s):
    """Five minutes where neither says anything; the role's capitals do not matter."""
    change(plant, Zone, "plant-gate", threshold_s=zone_s)
    if role_s:
        with UnitOfWork(plant) as work:
            work.session.add(RoleThreshold(role="gUARD", threshold_s=role_s))
    see(plant, 1, 0)
    evaluate(plant, off_after_s / 60)
    assert budi(plant) == "available in_area"
    evaluate(plant, (off_after_s + 1) / 60)
    assert budi(plant) == "off out_of_area"


@pytest.mark.parametrize("kind", ["annual", "trip"])
@pytest.mark.parametrize(("place", "reason"), [("plant", "in_area"), ("depot", "elsewhere")])
def test_who_is_on_leave_and_is_seen_is_there(plant, kind, place, reason):
    """Wherever it is; when they go, they are on leave again, and nobody is told."""
    with UnitOfWork(plant) as work:
        work.session.add(
            Leave(employee_id="EMP001", kind=kind, first_on=builders.MONDAY, last_on=builders.MONDAY)
        )
    see(plant, 1, 0, place)
    evaluate(plant, 1, site=place)
    assert budi(plant) == f"available {reason}"
    evaluate(plant, 10, site=place)
    assert (budi(plant), alerts(plant)) == ("off on_leave", [])


def test_leave_that_is_entered_while_somebody_is_missed_closes_the_alert(plant):
    """Even while no camera watches; and at once, though little is read anew in most ticks."""
    see(plant, 1, 0)
    memory = SiteMemory()
    evaluate(plant, 1, memory=memory)
    with UnitOfWork(plant) as work:
        work.session.add(Leave(employee_id="EMP001", first_on=builders.MONDAY, last_on=builders.MONDAY))
    memory.read_at = EIGHT + 6 * MINUTE  # HR did that a moment ago
    evaluate(plant, 6, memory=memory)
    assert (budi(plant), alerts(plant)) == ("off on_leave", [])


def test_an_alert_ends_with_the_shift_whether_or_not_a_camera_watches(plant):
    """Whoever is missed at five has gone home."""
    see(plant, 1, 500)
    evaluate(plant, 506)
    change(plant, Camera, "plant-cam", state="offline", covered_since=None)
    evaluate(plant, 530, well=False)
    assert alerts(plant) == [("open", "")]
    evaluate(plant, 541, well=False)
    assert alerts(plant) == [("closed", "off_shift")]


def test_a_watermark_that_goes_back_brings_nobody_back(plant):
    """An agent that is well again lags behind for a moment: the alert stays, and is not said to be over."""
    see(plant, 1, 0)
    evaluate(plant, 5.1)
    assert budi(plant) == "off out_of_area"
    builders.all_healthy(plant, EIGHT + 5.2 * MINUTE)
    change(plant, Agent, "store-agent", reported_to=EIGHT + 4.9 * MINUTE)
    evaluate(plant, 5.2, well=False)
    assert (budi(plant), alerts(plant)) == ("off out_of_area", [("open", "")])


def test_who_was_behind_a_pillar_when_the_camera_began_anew(plant):
    """Unseen for 4:59, then the camera restarts: five minutes of watching must pass first."""
    see(plant, 1, 0)
    for minute, expected in ((5.1, "unknown"), (9.9, "unknown"), (10.1, "off")):
        builders.all_healthy(plant, EIGHT + minute * MINUTE)
        change(plant, Camera, "plant-cam", covered_since=EIGHT + 4.99 * MINUTE)
        evaluate(plant, minute + 0.02, well=False)
        assert budi(plant).split()[0] == expected, minute


def test_a_camera_that_was_given_to_another_zone_still_has_to_watch(plant):
    """Their zone has no camera any more; the one that saw them last is what there is."""
    see(plant, 1, 0)
    with UnitOfWork(plant) as work:
        work.session.query(EmployeeZone).delete()
    see(plant, 2, -1440, now=0.1)
    builders.all_healthy(plant, EIGHT + 10 * MINUTE)
    change(plant, Camera, "plant-cam", zone_id="store", state="degraded", covered_since=None)
    evaluate(plant, 10, well=False)
    assert (budi(plant), alerts(plant)) == ("unknown no_coverage", [])


def test_who_is_seen_by_an_agent_that_is_ahead_of_the_watermark_is_there(plant):
    """The other agent holds the watermark back; the sighting is newer than that."""
    see(plant, 1, 0)
    see(plant, 1, 8, "store")
    builders.all_healthy(plant, EIGHT + 8.1 * MINUTE)
    change(plant, Agent, "plant-agent", reported_to=EIGHT + 7.5 * MINUTE)
    evaluate(plant, 8.1, well=False)
    assert budi(plant) == "available in_area"


def test_nobody_can_be_told_and_the_alert_says_so(plant):
    """No superior and no HR recipient: it stands in the alert's own words."""
    see(plant, 1, 0)
    evaluate(plant, 6)
    with UnitOfWork(plant) as work:
        alert = work.session.scalars(select(Alert)).one()
        assert alert.log.splitlines()[-1].startswith("Nobody was told")
        assert alert.supervisor_name == ""


@pytest.mark.parametrize("why", ["leave", "trip", "not arrived", "HR said absent", "HR said leave"])
def test_a_superior_who_is_not_at_work_is_passed_over(plant, why):
    """The next level is told instead."""
    with UnitOfWork(plant) as work:
        builders.a_supervisor(work.session, "EMP900", of="EMP001", name="Sari")
        builders.a_supervisor(work.session, "EMP901", of="EMP900", name="Rina", phone="6281200000002")
        if why == "not arrived":
            builders.a_template(work.session, "EMP900")
        elif why.startswith("HR"):
            for after in ("present", why.split()[-1]):  # the last word counts
                said = {"field": "status", "after": after, "reason": "", "made_by": "hr", "made_at": EIGHT}
                work.session.add(
                    AttendanceCorrection(employee_id="EMP900", business_date=builders.MONDAY, **said)
                )
                work.session.flush()
        else:
            kind = "trip" if why == "trip" else "annual"
            leave = Leave(employee_id="EMP900", kind=kind, first_on=builders.MONDAY, last_on=builders.MONDAY)
            work.session.add(leave)
    see(plant, 1, 0)
    evaluate(plant, 6)
    evaluate(plant, 7)
    with UnitOfWork(plant) as work:
        assert work.session.scalars(select(Alert.supervisor_name)).one() == "Rina"
        assert work.session.get_one(Employee, "EMP900").status == "active"


def test_agents_that_are_heard_by_https_are_enough_while_the_broker_is_not(plant):
    """The worker cannot reach the broker: whom it waits for is told by when it started, not by that."""
    see(plant, 1, 0)
    evaluate(plant, 10, listening_since=EIGHT + 10 * MINUTE, waiting_since=EIGHT - MINUTE)
    assert budi(plant) == "off out_of_area"
    assert alerts(plant) == [("open", "")]

"""The organisation in HR's hands: sites, zones, roles, superiors and leave, one by one."""

from datetime import date, timedelta

import pytest

from central_server.db import models
from tests.web_world import WebWorld, a_web_world, inhabit, post


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    return found


def actions(world: WebWorld) -> list[tuple[str, str]]:
    return [(each.actor, each.action) for each in world.rows(models.AuditLog)]


SITE = {"site_id": "depot", "name": "Depot", "timezone": "Asia/Makassar", "report_at": "18:00"}


def test_a_site_is_added_changed_and_removed(world):
    """Each change stands in the log with who made it; a site that people belong to stays."""
    client = world.client("hr")
    assert post(client, "/organisation/sites/add", SITE).status_code == 302
    assert "There is one called depot already." in post(client, "/organisation/sites/add", SITE).text
    changed = {"name": "Gudang", "timezone": "Asia/Jayapura", "report_at": "17:00"}
    assert post(client, "/organisation/sites/depot", changed).status_code == 302
    depot = next(each for each in world.rows(models.Site) if each.site_id == "depot")
    assert (depot.name, depot.timezone, f"{depot.report_at:%H:%M}") == ("Gudang", "Asia/Jayapura", "17:00")
    page = client.get("/organisation/").text
    assert "Gudang" in page and "WIT" in page
    post(client, "/organisation/sites/plant/remove")
    assert "cannot be removed" in client.get("/organisation/sites/plant").text
    assert post(client, "/organisation/sites/depot/remove").location == "/organisation/"
    assert [each.site_id for each in world.rows(models.Site)] == ["plant"]
    told = ["sites.import", "sites.import", "sites.remove"]
    assert actions(world) == [("user:hr", each) for each in told]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"site_id": "Big Depot"}, "may hold only a-z"),
        ({"name": ""}, "This is needed."),
        ({"name": "\x00 "}, "is empty"),
        ({"timezone": "Mars/Olympus"}, "is not a time zone"),
        ({"report_at": "at five"}, "That is not a time."),
    ],
)
def test_what_cannot_be_is_said_beside_the_field(world, change, words):
    """Nothing is kept, and what was typed is still there."""
    reply = post(world.client("hr"), "/organisation/sites/add", SITE | change)
    assert words in reply.text
    assert 'aria-invalid="true"' in reply.text
    assert [each.site_id for each in world.rows(models.Site)] == ["plant"]


def test_a_zone_has_its_minutes_and_its_marks(world):
    """Typed in minutes, with a comma too; kept in seconds; empty is as usual again."""
    client = world.client("hr")
    zone = {"zone_id": "hall", "name": "Hall", "threshold_s": "7,5", "is_entrance": "y"}
    assert post(client, "/organisation/sites/plant/zones/add", zone).status_code == 302
    hall = next(each for each in world.rows(models.Zone) if each.zone_id == "hall")
    assert (hall.site_id, hall.threshold_s, hall.is_entrance, hall.is_public) == ("plant", 450, True, False)
    page = client.get("/organisation/zones/hall").text
    assert 'value="7.5"' in page and "article 17" in page
    both = {"name": "Hall", "threshold_s": "", "is_entrance": "y", "is_public": "y"}
    assert "cannot be the entrance" in post(client, "/organisation/zones/hall", both).text
    assert post(client, "/organisation/zones/hall", both | {"is_entrance": ""}).status_code == 302
    hall = next(each for each in world.rows(models.Zone) if each.zone_id == "hall")
    assert (hall.threshold_s, hall.is_public) == (None, True)
    for wrong in ("soon", "0", "-5", "nan", "1e99", "99999"):
        assert 'aria-invalid="true"' in post(
            client, "/organisation/zones/hall", {"name": "Hall", "threshold_s": wrong}
        ).text  # fmt: skip


def test_a_zone_with_cameras_stays(world):
    """The overview shows which cameras are expected to watch it; one without any can go."""
    client = world.client("hr")
    assert "plant-cam" in client.get("/organisation/").text
    post(client, "/organisation/zones/plant-gate/remove")
    assert "cannot be removed" in client.get("/organisation/zones/plant-gate").text
    post(client, "/organisation/sites/plant/zones/add", {"zone_id": "hall", "name": "Hall"})
    post(client, "/organisation/zones/hall/remove")
    assert [each.zone_id for each in world.rows(models.Zone)] == ["plant-gate"]
    assert client.get("/organisation/zones/hall").status_code == 404


def test_a_role_has_a_time_of_its_own(world):
    """Set, set anew and taken away; another spelling of the same role is no second role."""
    client = world.client("hr")
    for minutes in ("15", "20"):
        assert post(
            client, "/organisation/roles", {"role": "Satpam", "threshold_s": minutes}
        ).status_code == 302  # fmt: skip
    assert [(each.role, each.threshold_s) for each in world.rows(models.RoleThreshold)] == [("Satpam", 1200)]
    other = post(client, "/organisation/roles", {"role": "SATPAM", "threshold_s": "5"})
    assert "There is one called Satpam already." in other.text
    post(client, "/organisation/roles/remove", {"role": "Satpam"})
    assert world.rows(models.RoleThreshold) == []


def test_a_person_has_a_role_a_site_and_zones(world):
    """On the form and on the page; a box that is not ticked takes the zone away."""
    client = world.client("hr")
    post(client, "/organisation/sites/add", SITE)
    form = {"name": "Budi Santoso", "phone": "+6281234567890", "department": "Gudang", "is_watched": "y"}
    form |= {"supervisor_id": "EMP002", "role": "Satpam", "site_id": "depot", "zones": "plant-gate"}
    assert post(client, "/people/EMP001/edit", form).status_code == 302
    budi = next(each for each in world.rows(models.Employee) if each.employee_id == "EMP001")
    assert (budi.role, budi.site_id) == ("Satpam", "depot")
    assert [each.zone_id for each in world.rows(models.EmployeeZone)] == ["plant-gate"]
    assert "Satpam" in client.get("/people/EMP001").text
    assert "checked" in client.get("/people/EMP001/edit").text.split("Works in")[1].split("</fieldset>")[0]
    post(client, "/people/EMP001/edit", {name: form[name] for name in form if name != "zones"})
    assert world.rows(models.EmployeeZone) == []
    assert "That zone does not exist." in post(client, "/people/EMP001/edit", form | {"zones": "moon"}).text
    change = next(each for each in world.rows(models.AuditLog) if each.action == "employee.change")
    assert change.detail["zones"] == ["", "plant-gate"]


def test_nobody_is_above_and_below_the_same_person(world):
    """The person's form refuses what would make a circle."""
    form = {"name": "Sari Dewi", "supervisor_id": "EMP001"}
    assert "below this person already" in post(world.client("hr"), "/people/EMP002/edit", form).text


def test_a_superior_ends_and_another_begins(world):
    """Dated, one a level at a time, ended or taken away; who it was can still be read."""
    client, url = world.client("hr"), "/people/EMP001/superiors"
    today = date(2026, 11, 25)
    new = {"supervisor_id": "EMP003", "level": "1", "valid_from": today.isoformat()}
    assert "has that level on some of these days" in post(client, url, new).text
    old = {"supervisor_id": "EMP002", "level": "1", "valid_from": ""}
    assert post(client, f"{url}/end", old | {"valid_to": ""}).status_code == 302
    assert "Say until which day." in client.get(url).text
    post(client, f"{url}/end", old | {"valid_to": (today - timedelta(days=1)).isoformat()})
    assert post(client, url, new).status_code == 302
    links = [(each.supervisor_id, each.valid_from, each.valid_to) for each in world.rows(models.OrgHierarchy)]
    assert links == [("EMP002", None, today - timedelta(days=1)), ("EMP003", today, None)]
    assert "Sari Dewi" in client.get(url).text
    post(client, f"{url}/end", new | {"how": "remove"})
    assert [each.supervisor_id for each in world.rows(models.OrgHierarchy)] == ["EMP002"]
    assert "Nobody can be their own supervisor." in post(client, url, new | {"supervisor_id": "EMP001"}).text


def test_a_link_that_is_not_there_cannot_be_ended_into_being(world):
    """A forged form does not make a superior, nor does one of another person's page."""
    client = world.client("hr")
    forged = {"supervisor_id": "EMP003", "level": "1", "valid_from": "", "valid_to": "2026-12-31"}
    post(client, "/people/EMP001/superiors/end", forged)
    assert [each.supervisor_id for each in world.rows(models.OrgHierarchy)] == ["EMP002"]
    assert client.get("/people/NOBODY/superiors").status_code == 404
    assert post(client, "/people/NOBODY/superiors/end", forged).status_code == 404


def test_leave_is_added_and_taken_away(world):
    """It shows on the person's page; two do not overlap; each change stands in the log."""
    client, url = world.client("hr"), "/people/EMP001/leaves"
    leave = {"kind": "annual", "first_on": "2099-12-21", "last_on": "2099-12-24", "note": "Pulang kampung"}
    assert post(client, url, leave).status_code == 302
    assert "Annual leave" in client.get("/people/EMP001").text
    assert "Pulang kampung" in client.get(url).text
    assert "overlaps the leave" in post(client, url, leave | {"first_on": "2099-12-24"}).text
    assert "is there already" in post(client, url, leave).text
    assert "before the beginning" in post(client, url, leave | {"first_on": "2099-12-31"}).text
    post(client, f"{url}/remove", {"first_on": "2099-12-21"})
    assert world.rows(models.Leave) == []
    assert actions(world) == [("user:hr", "leaves.import"), ("user:hr", "leaves.remove")]
    assert world.rows(models.AuditLog)[1].detail["first_on"] == "2099-12-21"

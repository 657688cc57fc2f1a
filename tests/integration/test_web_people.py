"""Employees in HR's hands: typed in, consented, photographed, and gone again."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from tests import builders
from tests.web_world import WebWorld, a_web_world, inhabit, post

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
HR = {"X-Requested-With": "hadir"}


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    return found


def details(**changes: str) -> dict[str, str]:
    somebody = {"employee_id": "EMP900", "name": "Wulan  Utami", "phone": "0812-3456-7890", "is_watched": "y"}
    return somebody | {"department": "Gudang", "supervisor_id": "EMP002"} | changes


def person(world: WebWorld, employee_id: str) -> models.Employee:
    return next(each for each in world.rows(models.Employee) if each.employee_id == employee_id)


def actions(world: WebWorld) -> list[str]:
    return [each.action for each in world.rows(models.AuditLog)]


def upload(client, employee_id: str, *photos: bytes):
    files = [(BytesIO(content), f"photo{number}.jpg") for number, content in enumerate(photos)]
    url = f"/people/{employee_id}/photos"
    return post(client, url, {"photos": files}, headers=HR, content_type="multipart/form-data")


def test_adding_somebody(world):
    """The phone gets its country code, the supervisor is told from now on, and the log has it."""
    client = world.client("hr")
    reply = post(client, "/people/add", details())
    assert reply.location == "/people/EMP900"
    assert "Wulan Utami" in client.get("/people/EMP900").text
    assert person(world, "EMP900").phone == "6281234567890"
    links = {(each.employee_id, each.supervisor_id) for each in world.rows(models.OrgHierarchy)}
    assert ("EMP900", "EMP002") in links
    assert actions(world) == ["employee.add"]


def test_the_first_employee_of_all_makes_the_site(engine, tmp_path):
    """Nobody has to set up a site before the first name can be typed in."""
    world = a_web_world(engine, tmp_path)
    assert post(world.client("hr"), "/people/add", details(supervisor_id="")).status_code == 302
    assert [each.timezone for each in world.rows(models.Site)] == ["Asia/Jakarta"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"employee_id": "EMP001"}, "That code is taken."),
        ({"employee_id": "a/b"}, "A code has 1 to 64 characters"),
        ({"name": "   "}, "Give a name."),
        ({"name": ""}, "This is needed."),
        ({"phone": "call me"}, "That is not a phone number."),
        ({"supervisor_id": "EMP777"}, "That supervisor does not exist."),
        ({"supervisor_id": "EMP900"}, "Nobody can be their own supervisor."),
        ({"started_on": "soon"}, "That is not a date."),
    ],
)
def test_what_cannot_be_is_said_beside_the_field(world, change, words):
    """Nothing is stored, and everything typed is still there."""
    reply = post(world.client("hr"), "/people/add", details(**change))
    assert reply.status_code == 200
    assert words in reply.text
    assert 'aria-invalid="true"' in reply.text
    assert "Gudang" in reply.text
    assert len(world.rows(models.Employee)) == 3


def test_changing_somebody(world):
    """The log keeps what it was before; saving without a change says nothing to it."""
    client = world.client("hr")
    form = {"name": "Budi S.", "phone": "+6281234567890", "department": "Gudang", "is_watched": "y"}
    form |= {"supervisor_id": "EMP002"}
    post(client, "/people/EMP001/edit", form)
    post(client, "/people/EMP001/edit", form)
    assert [each.detail for each in world.rows(models.AuditLog)] == [{"name": ["Budi Santoso", "Budi S."]}]
    assert "+6281234567890" in client.get("/people/EMP001/edit").text


def test_no_photo_without_consent(world):
    """The box must be ticked; the words agreed to are kept with who recorded them."""
    with UnitOfWork(world.engine) as work:
        builders.an_employee(work.session, "EMP004", is_enrolled=False, consent_at=None)
    client = world.client("hr")
    assert "Record the person" in upload(client, "EMP004", JPEG).json["results"][0]["words"]
    post(client, "/people/EMP004/consent")
    assert person(world, "EMP004").consent_at is None
    post(client, "/people/EMP004/consent", {"agreed": "yes"})
    assert person(world, "EMP004").consent_by == "hr"
    kept = next(each for each in world.rows(models.AuditLog) if each.action == "consent.record")
    assert "recognises my face" in kept.detail["text"]
    assert upload(client, "EMP004", JPEG).json["results"][0]["ok"]


def test_each_photo_gets_its_own_answer(world):
    """One that is no picture does not lose the others; each is waiting, then judged, in words."""
    client = world.client("hr")
    results = upload(client, "EMP001", JPEG, b"no picture at all", JPEG + b"2").json["results"]
    assert [each["ok"] for each in results] == [True, False, True]
    assert "not a JPEG or PNG" in results[1]["words"]
    first = client.get("/people/EMP001/photos")
    assert "Waiting for an agent" in first.text
    with UnitOfWork(world.engine) as work:
        photo = work.session.query(models.EnrolmentPhoto).first()
        photo.state, photo.reason = "rejected", "blurred"
    tag = {"If-None-Match": first.headers["ETag"]}
    judged = client.get("/people/EMP001/photos", headers=tag)
    assert "Hold still and try again" in judged.text
    same = client.get("/people/EMP001/photos", headers={"If-None-Match": judged.headers["ETag"]})
    assert same.status_code == 304


def test_every_look_at_a_photo_is_written_down(world):
    """HR sees it, nobody keeps a copy, the log knows who looked; others do not see it at all."""
    client = world.client("hr")
    upload(client, "EMP001", JPEG)
    photo = world.rows(models.EnrolmentPhoto)[0]
    url = f"/people/photo/{photo.photo_id}"
    reply = client.get(url)
    assert (reply.mimetype, reply.data) == ("image/jpeg", JPEG)
    assert reply.headers["Cache-Control"] == "no-store"
    looks = [each for each in world.rows(models.AuditLog) if each.action == "photo.view"]
    assert [(each.actor, each.subject) for each in looks] == [("user:hr", "EMP001")]
    for role in ("supervisor", "viewer"):
        assert world.client(role).get(url).status_code == 403
    assert world.client("hr").get("/people/photo/pho-other").status_code == 404
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.EnrolmentPhoto, photo.photo_id).path = "../../etc/hostname"
    assert client.get(url).status_code == 404


def test_leaving_erases_the_face_and_keeps_the_attendance(world):
    """The page says before what goes; afterwards no template, photo or file is left."""
    client = world.client("hr")
    upload(client, "EMP001", JPEG)
    file = world.home / world.rows(models.EnrolmentPhoto)[0].path
    assert file.is_file()
    page = client.get("/people/EMP001/resign").text
    assert "1 face template" in page
    assert "1 photo" in page
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    assert "This is needed." in post(client, "/people/EMP001/resign", {"last_day": day}).text
    assert post(client, "/people/EMP001/resign", {"last_day": day, "sure": "y"}).status_code == 302
    assert person(world, "EMP001").status == "resigned"
    assert "EMP001" not in {each.employee_id for each in world.rows(models.FaceTemplate)}
    assert not world.rows(models.EnrolmentPhoto)
    assert not file.exists()
    assert "Budi Santoso" not in client.get("/").text


def test_consent_withdrawn_erases_the_face(world):
    """The person stays an employee, and is not recognised any more."""
    client = world.client("hr")
    assert post(client, "/people/EMP001/withdraw").status_code == 302
    assert "EMP001" not in {each.employee_id for each in world.rows(models.FaceTemplate)}
    assert "Not enrolled" in client.get("/board?q=budi").text
    assert "Withdrawn on" in client.get("/people/EMP001").text


def test_accounts_are_made_by_administrators(world):
    """With a role and a password worth the name; what is wrong is said beside the field."""
    client = world.client("admin")
    account = {"username": "rina", "role": "hr", "password": "terlalu", "language": "id"}
    assert "Use at least 10 characters." in post(client, "/settings/users", account).text
    assert "That name is taken." in post(
        client, "/settings/users", account | {"username": "HR", "password": "cukup panjang"}
    ).text  # fmt: skip
    assert post(client, "/settings/users", account | {"password": "cukup panjang"}).status_code == 302
    assert "rina" in {each.username for each in world.rows(models.User)}

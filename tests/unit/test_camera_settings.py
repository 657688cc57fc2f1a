"""What may be configured from afar, and how addresses with secrets are shown and given back."""

import pytest

from central_server.domain.camera_address import AddressRefused, given, shown, smaller
from central_server.domain.configuration import ConfigFacts, ConfigState, config_state
from common.agent_settings import AgentSettings, Unreadable, from_json, problems_of, with_camera
from common.camera_settings import KEPT, CameraConfig
from common.ids import CameraId

STORED = "rtsp://admin:s3cret%40word@10.0.0.5:554/ch/1"


@pytest.mark.parametrize(
    "url",
    ["/etc/passwd", "file:///etc/passwd", "concat:/etc/passwd", "subfile,,start,0,:/x", "-i", "webcam:x"],
)
def test_a_path_of_the_disk_never_comes_from_the_server(url):
    """Whoever takes the server over cannot choose what an agent opens."""
    camera = CameraConfig(camera_id=CameraId("gate"), name="Gate", url=url, zone="")
    assert [each.key for each in problems_of(AgentSettings(cameras=(camera,)))] == ["cameras.gate.url"]


NO_CONFIGURATION = (
    *(b"", b"[]", b"{}", b'{"v":2,"gen":1}', b'{"v":1}', b'{"v":1,"gen":true}', b'{"v":1,"gen":NaN}'),
    *(b'{"v":1,"gen":1,"cameras":[3]}', b"[" * 100_000),
)


@pytest.mark.parametrize("text", NO_CONFIGURATION, ids=lambda text: text[:20].decode())
def test_what_is_no_configuration_is_said_to_be_none(text):
    """Damage does not become a box without cameras."""
    with pytest.raises(Unreadable):
        from_json(text)


def test_every_mistake_is_told_at_once_with_its_key():
    """Wrong kinds and wrong values alike; what a newer server knows is passed over, and named."""
    body = (
        b'{"v":1,"gen":1,"new":1,"cameras":[{"camera_id":"a","url":"rtsp://h/1","sample_fps":99,"mask":["1,1"],'
        b'"search_px":333,"decode":"magic","rests":1,"min_face_px":1e999,"tilt":2},{"camera_id":"a","url":""}]}'
    )
    reading = from_json(body)
    assert {each.key.removeprefix("cameras.a.") for each in reading.problems} == {
        *("sample_fps", "mask", "search_px", "decode", "rests", "min_face_px", "url", "camera_id")
    }
    assert set(reading.ignored) == {"new", "cameras.a.tilt"}


def test_a_changed_camera_keeps_its_place():
    """And a new one comes last."""
    a, b = (CameraConfig(camera_id=CameraId(each), name=each, url="webcam:0", zone="") for each in "ab")
    settings = with_camera(with_camera(AgentSettings(), a), b)
    changed = CameraConfig(camera_id=CameraId("a"), name="other", url="webcam:0", zone="")
    assert with_camera(settings, changed, "a").cameras == (changed, b)


def test_a_form_never_shows_a_password():
    """Neither one before the host, nor one in the query or in the path; the rest is shown."""
    told = shown(STORED)
    assert (told.address, told.user, told.has_password) == ("rtsp://10.0.0.5:554/ch/1", "admin", True)
    for url in ("rtsp://10.0.0.5/live?user=a&password=s3cret", "rtsp://10.0.0.5/user=a_passwd=s3cret_1.sdp"):
        assert shown(url).address == ""
        assert "s3cret" not in repr(shown(url))
    assert shown(KEPT).is_kept


@pytest.mark.parametrize(
    ("typed", "result"),
    [
        (("rtsp://10.0.0.5:554/ch/1", "admin", ""), STORED),  # nothing changed
        (("rtsp://10.0.0.5:554/ch/2", "admin", ""), STORED[:-1] + "2"),
        (("", "", ""), STORED),
        (("", "guard", "new"), "rtsp://guard:new@10.0.0.5:554/ch/1"),
        (("rtsp://10.0.0.5:554/ch/1", "", ""), "rtsp://10.0.0.5:554/ch/1"),
        (("rtsp://10.0.0.9/1", "admin", "p@:/?#"), "rtsp://admin:p%40%3A%2F%3F%23@10.0.0.9/1"),
        (("rtsp://u:p@10.0.0.9/1", "", ""), "rtsp://u:p@10.0.0.9/1"),
        (("webcam:0", "", ""), "webcam:0"),
    ],
)
def test_what_a_form_gives_back_is_completed_with_what_is_kept(typed, result):
    """An empty password is the one that is kept; an empty address too."""
    assert given(*typed, before=STORED) == result


@pytest.mark.parametrize("address", ["rtsp://10.0.0.6:554/ch/1", "rtsp://10.0.0.5:8554/ch/1", "rtsp://evil/"])
def test_a_kept_password_is_never_sent_to_another_machine(address):
    """Whoever may configure could else have it delivered."""
    with pytest.raises(AddressRefused) as refusal:
        given(address, "admin", "", before=STORED)
    assert (refusal.value.field, refusal.value.code) == ("password", "password_again")
    with pytest.raises(AddressRefused, match="other_host"):
        smaller(address.replace("10.0.0.5", "10.0.0.7"), STORED)


@pytest.mark.parametrize(("user", "password", "before"), [("", "", ""), ("u", "", KEPT), ("", "p", "")])
def test_an_address_is_needed_where_none_is_kept_in_full(user, password, before):
    """A user and a password alone change nothing of an address that only the box knows."""
    with pytest.raises(AddressRefused, match="address: needed"):
        given("", user, password, before=before)


def test_the_smaller_stream_goes_with_the_same_user_and_password():
    """They are typed once."""
    assert smaller("rtsp://10.0.0.5:554/ch/2", STORED) == STORED[:-1] + "2"
    assert smaller("", STORED, before=STORED) == ""
    assert smaller("", KEPT, before=KEPT) == KEPT
    assert smaller("", STORED, before=KEPT) == "", "the box's own stream may be of another camera"
    hidden = "rtsp://admin:old@10.0.0.5:554/2?token=abc"
    assert smaller("", STORED, before=hidden) == "rtsp://admin:s3cret%40word@10.0.0.5:554/2?token=abc"
    with pytest.raises(AddressRefused, match="other_host"):
        smaller("", "rtsp://10.0.0.9/1", before=hidden)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ((0, 0, 0, "local"), ConfigState.LOCAL),
        ((0, 0, 0, "refused"), ConfigState.NO_SAY),
        ((1, 0, 0, "local"), ConfigState.WAITING),
        ((1, 1, 1, "remote", "trying"), ConfigState.TRYING),
        ((1, 1, 1, "remote", "good"), ConfigState.APPLIED),
        ((2, 2, 2, "local", "good"), ConfigState.LOCAL),
        ((2, 1, 2, "rolled_back"), ConfigState.ROLLED_BACK),
        ((2, 1, 2, "remote", "good"), ConfigState.REFUSED),
        ((3, 1, 2, "rolled_back"), ConfigState.WAITING),
        ((1, 1, 4, "remote", "good"), ConfigState.AHEAD),
    ],
)
def test_one_thing_is_said_of_an_agents_configuration(facts, state):
    """What is wanted against what is in force, and why they differ."""
    names = ("wanted", "applied", "tried", "origin", "stage")
    assert config_state(ConfigFacts(**dict(zip(names, facts, strict=False)))) is state

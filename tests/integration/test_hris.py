"""The HRIS push, against a real HTTP server that checks signatures."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import Engine, select
from werkzeug import Request, Response

from central_server.adapters.hris.webhook import WebhookSink, sign
from central_server.db.models import Attendance, HrisPush
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import PushError
from central_server.services.push_attendance import push_due, queue_day, queue_revisions
from tests import builders
from tests.builders import MONDAY

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


class HRIS:
    """A receiver that follows Standard Webhooks: it verifies, and knows what it has by webhook-id."""

    def __init__(self, server: HTTPServer) -> None:
        self.answers: list[Response] = []
        self.records: dict[str, dict] = {}
        server.expect_request("/hook", method="POST").respond_with_handler(self.take)
        self.url = server.url_for("/hook")

    def take(self, request: Request) -> Response:
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
        digest = hmac.new(KEY, signed + request.get_data(), hashlib.sha256).digest()
        if request.headers["webhook-signature"] != f"v1,{base64.b64encode(digest).decode()}":
            return Response(status=401)
        if self.answers:
            return self.answers.pop(0)
        self.records[request.headers["webhook-id"]] = request.get_json()
        return Response(status=202)


@pytest.fixture
def hris(httpserver: HTTPServer) -> HRIS:
    return HRIS(httpserver)


@pytest.fixture
def queued(engine: Engine) -> Engine:
    """One person-day in the outbox."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.an_employee(work.session, name="Żółć")
        work.session.add(
            Attendance(
                employee_id="EMP001",
                business_date=MONDAY,
                site_id="plant",
                first_in_ts=NOW - timedelta(hours=9),
                status="present",
                updated_at=NOW,
            )
        )
        work.session.flush()
        assert queue_day(work, "webhook", "plant", MONDAY, now=NOW) == 1
        assert queue_day(work, "webhook", "plant", MONDAY, now=NOW) == 0
    return engine


def push(engine: Engine, hris: HRIS, now: datetime = NOW) -> HrisPush:
    push_due(engine, WebhookSink(hris.url, SECRET), now=lambda: now, chance=lambda: 0.0)
    with UnitOfWork(engine) as work:
        return work.session.scalars(select(HrisPush).order_by(HrisPush.id.desc()).limit(1)).one()


def test_a_signed_record_arrives_once(queued, hris):
    """The receiver verifies the signature; another turn pushes nothing."""
    assert push(queued, hris).state == "done"
    push(queued, hris)
    (record,) = hris.records.values()
    assert record["type"] == "attendance.day.provisional"
    assert record["data"]["employee_id"] == "EMP001"
    assert record["data"]["first_in_ts"] == "2026-11-23T01:30:00+00:00"


@pytest.mark.parametrize("status", [500, 503, 429, 302])
def test_what_may_pass_is_tried_again_with_the_same_id(queued, hris, status):
    """Five seconds later, or when the receiver says; a redirect is not followed."""
    hris.answers = [Response(status=status, headers={"Location": hris.url, "Retry-After": "60"})]
    row = push(queued, hris)
    assert (row.state, row.error) == ("pending", f"the HRIS answered {status}")
    assert row.next_attempt_at == NOW + timedelta(seconds=60)
    assert push(queued, hris, NOW + timedelta(seconds=59)).state == "pending"
    assert push(queued, hris, NOW + timedelta(seconds=61)).state == "done"
    assert list(hris.records) == [row.message_id]


def test_what_will_never_pass_is_left_to_a_person(queued, hris):
    """400 is final; the reason is kept."""
    hris.answers = [Response(status=400)]
    assert (push(queued, hris).state, hris.records) == ("failed", {})


def test_an_hris_that_is_away_is_waited_for(queued, hris):
    """Nobody listens: pending, and ever longer waits."""
    sink = WebhookSink("http://127.0.0.1:1/hook", SECRET)
    waits, now = [], NOW
    for _ in range(3):
        push_due(queued, sink, now=lambda at=now: at, chance=lambda: 0.0)
        with UnitOfWork(queued) as work:
            row = work.session.scalars(select(HrisPush)).one()
        waits.append((row.next_attempt_at - now).total_seconds())
        now = row.next_attempt_at
    assert (row.state, waits) == ("pending", [5, 300, 1800])


def test_a_revision_is_pushed_by_itself(queued, hris):
    """What changes after it was pushed is a new record that says what changed."""
    push(queued, hris)
    with UnitOfWork(queued) as work:
        row = work.session.scalars(select(Attendance)).one()
        row.revision, row.is_provisional, row.changes = 2, False, {"late_min": [0, 5]}
        work.session.flush()
        assert queue_revisions(work, "webhook", now=NOW) == 1
        assert queue_revisions(work, "webhook", now=NOW) == 0
    assert push(queued, hris).state == "done"
    assert [each["type"] for each in hris.records.values()] == [
        "attendance.day.provisional",
        "attendance.day.revised",
    ]
    assert list(hris.records.values())[1]["data"]["changes"] == {"late_min": [0, 5]}


def test_the_signature_of_the_standard():
    """The example of the Standard Webhooks specification."""
    body = b'{"test": 2432232314}'
    secret, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert sign(secret, message_id, 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_wrong_secret_is_refused_by_the_receiver(hris):
    """401, and it is final: retrying would not help."""
    sink = WebhookSink(hris.url, "whsec_" + base64.b64encode(b"another key").decode())
    with pytest.raises(PushError, match="401") as caught:
        sink.push("msg_1", {"a": json.loads("1")}, now=NOW)
    assert caught.value.permanent

"""The stand-in for WhatsApp: as strict as the real one, and it forgets nothing."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, Response, request

from tests.delivery_world import PHONE, SandboxServer, a_sandbox, serving, until

NUMBER = "100000000000001"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with a_sandbox(tmp_path / "sandbox") as server:
        server.post("open-window", phones=[PHONE])
        yield server


def graph(sandbox: SandboxServer, path: str = f"{NUMBER}/messages", **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {sandbox.config.token}"} | options.pop("headers", {})
    return requests.request(
        options.pop("method", "POST"), f"{sandbox.url}/v25.0/{path}", headers=headers, timeout=10, **options
    )


def send(sandbox: SandboxServer, **body: Any) -> requests.Response:
    known = {"messaging_product": "whatsapp", "to": PHONE, "type": "text", "text": {"body": "hello"}}
    return graph(sandbox, json=known | body)


def a_template(name: str = "out_of_area_v1", **changes: str) -> dict[str, Any]:
    values = {"emp_code": "EMP001", "emp_name": "Budi", "minutes": "6", "zone": "Gate", "supervisor": "Sari"}
    parameters = [
        {"type": "text", "parameter_name": key, "text": value} for key, value in (values | changes).items()
    ]
    template = {"name": name, "language": {"code": "en"}}
    return template | {"components": [{"type": "body", "parameters": parameters}]}


def code_of(answer: requests.Response) -> int:
    error = answer.json()["error"]
    assert error["message"].startswith(f"(#{error['code']})")
    assert error["type"] == "OAuthException"
    assert error["fbtrace_id"]
    return error["code"]


def test_an_accepted_message_is_answered_as_by_graph(sandbox: SandboxServer):
    """With the recipient as WhatsApp knows it, and an id."""
    answer = send(sandbox, to="+62 812-3456-7890")

    assert answer.status_code == 200
    document = answer.json()
    assert document["contacts"] == [{"input": "+62 812-3456-7890", "wa_id": PHONE}]
    assert document["messages"][0]["id"].startswith("wamid.")
    assert document["messages"][0]["message_status"] == "accepted"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"messaging_product": "sms"}, 100),
        ({"to": ""}, 100),
        ({"to": "nobody"}, 131009),
        ({"to": "15550100000"}, 131021),
        ({"type": "telegram"}, 131051),
        ({"text": None}, 131008),
        ({"text": {"body": ""}}, 100),
        ({"text": {"body": "x" * 4097}}, 100),
        ({"biz_opaque_callback_data": "x" * 513}, 100),
        ({"type": "document", "document": {"id": "1"}}, 131053),
        ({"type": "document", "document": {}}, 131008),
        ({"type": "template", "template": a_template("unknown_v1")}, 132001),
        ({"type": "template", "template": {"name": "out_of_area_v1", "language": {"code": "en"}}}, 132000),
        ({"type": "template", "template": a_template(more="one too many")}, 132000),
        ({"type": "template", "template": a_template(zone="two\nlines")}, 132018),
        ({"type": "template", "template": a_template(zone="a\tb")}, 132018),
        ({"type": "template", "template": a_template(zone="a     b")}, 132018),
        ({"type": "template", "template": a_template(zone="")}, 131008),
        ({"type": "template", "template": a_template(zone="x" * 1000)}, 132005),
        ({"type": "template", "template": a_template("daily_report_v1")}, 132012),
    ],
)
def test_a_message_that_meta_refuses_is_refused(sandbox: SandboxServer, body: dict, code: int):
    """With the same code, in the same shape, and nothing reaches the phone."""
    assert code_of(send(sandbox, **body)) == code

    assert sandbox.messages() == []


def test_a_wrong_token_and_a_wrong_number_are_told_apart(sandbox: SandboxServer):
    """401 with 190, and 404 for a number that is not ours."""
    wrong = graph(sandbox, json={}, headers={"Authorization": "Bearer guess"})
    other = graph(sandbox, "42/messages", json={})

    assert (wrong.status_code, code_of(wrong)) == (401, 190)
    assert (other.status_code, code_of(other)) == (404, 33)


def test_media_come_back_as_they_were(sandbox: SandboxServer):
    """Upload, describe, download, delete."""
    content = b"%PDF-1.7 \x00\xff"
    fields = {"messaging_product": "whatsapp", "type": "application/pdf"}
    uploaded = graph(
        sandbox, f"{NUMBER}/media", data=fields, files={"file": ("a.pdf", content, "application/pdf")}
    )
    media_id = uploaded.json()["id"]

    described = graph(sandbox, media_id, method="GET").json()
    headers = {"Authorization": f"Bearer {sandbox.config.token}"}
    assert requests.get(described["url"], headers=headers, timeout=10).content == content
    assert described["sha256"] == hashlib.sha256(content).hexdigest()
    assert requests.get(described["url"], timeout=10).status_code == 401

    assert graph(sandbox, media_id, method="DELETE").json() == {"success": True}
    assert graph(sandbox, media_id, method="GET").status_code == 404


def test_a_file_that_whatsapp_does_not_take_is_refused(sandbox: SandboxServer):
    """CSV is not among the documents that the Cloud API accepts."""
    fields = {"messaging_product": "whatsapp", "type": "text/csv"}

    answer = graph(sandbox, f"{NUMBER}/media", data=fields, files={"file": ("a.csv", b"a,b", "text/csv")})

    assert code_of(answer) == 100


@pytest.mark.parametrize(
    ("text", "subcode"),
    [
        ("Hello my dear {{name}}", 2388299),
        ("Hello my dear {{name}}.", 2388299),
        ("Hi {{a}} and {{b}} ok", 2388293),
    ],
)
def test_a_template_that_a_reviewer_would_refuse_is_refused(sandbox: SandboxServer, text: str, subcode: int):
    """No variable at the end, and enough words for the variables."""
    body = {"name": "new_one", "language": "en", "category": "UTILITY"}
    body["components"] = [{"type": "BODY", "text": text}]

    answer = graph(sandbox, "100000000000002/message_templates", json=body)

    assert answer.json()["error"]["error_subcode"] == subcode


def test_a_new_template_can_be_sent_at_once(sandbox: SandboxServer):
    """And it is listed with the others."""
    body = {"name": "new_one", "language": "en", "category": "UTILITY"}
    body["components"] = [{"type": "BODY", "text": "Hello {{zone}}, this is a test"}]
    assert graph(sandbox, "100000000000002/message_templates", json=body).ok

    template = a_template("new_one")
    template["components"] = [
        {"type": "body", "parameters": [{"type": "text", "parameter_name": "zone", "text": "Gate"}]}
    ]
    assert send(sandbox, type="template", template=template).ok

    assert sandbox.messages()[0]["text"] == "Hello Gate, this is a test"
    listed = graph(sandbox, "100000000000002/message_templates", method="GET").json()["data"]
    assert {each["name"] for each in listed} == {"new_one", "out_of_area_v1", "daily_report_v1"}


def test_outside_the_window_a_text_is_taken_and_fails_later(sandbox: SandboxServer):
    """As with Meta: 200 first, 131047 by callback."""
    assert send(sandbox, to="6289999999999").ok

    until(lambda: sandbox.messages()[-1]["status"] == "failed")
    assert sandbox.messages()[-1]["error"] == "Re-engagement message"


def test_a_restart_keeps_the_chats(tmp_path: Path):
    """The folder is the memory."""
    with a_sandbox(tmp_path) as before:
        before.post("open-window", phones=[PHONE])
        send(before)
        shown = before.messages()
    with a_sandbox(tmp_path) as after:
        assert [each["id"] for each in after.messages()] == [each["id"] for each in shown]


@dataclass
class Listener:
    """A webhook that notes what it gets, and is deaf for a while if told so."""

    secret: str = "test-app-secret"
    deaf: bool = False
    handshakes: list[str] = field(default_factory=list)
    bodies: list[dict] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask("listener")

        @app.get("/hook")
        def verify() -> Response:
            self.handshakes.append(request.args["hub.verify_token"])
            return Response(request.args["hub.challenge"])

        @app.post("/hook")
        def receive() -> Response:
            expected = hmac.new(self.secret.encode(), request.get_data(), hashlib.sha256).hexdigest()
            assert request.headers["X-Hub-Signature-256"] == f"sha256={expected}"
            if self.deaf:
                return Response(status=503)
            self.bodies.append(request.get_json())
            return Response(status=200)

        return app

    def values(self) -> list[dict]:
        entries = [entry for body in self.bodies for entry in body["entry"]]
        return [change["value"] for entry in entries for change in entry["changes"]]

    def statuses(self) -> list[dict]:
        return [status for value in self.values() for status in value.get("statuses", [])]


def test_callbacks_are_signed_and_carry_the_tracker(tmp_path: Path):
    """After a handshake; with the contact, as Meta sends it."""
    listener = Listener()
    with serving(listener.app()) as url, a_sandbox(tmp_path, callback=f"{url}/hook") as sandbox:
        sandbox.post("open-window", phones=[PHONE])
        send(sandbox, biz_opaque_callback_data="ntf_1")

        until(lambda: [each["status"] for each in listener.statuses()] == ["sent", "delivered"])

    assert listener.handshakes == ["test-verify-token"]
    assert {each["biz_opaque_callback_data"] for each in listener.statuses()} == {"ntf_1"}
    first = listener.values()[0]
    assert first["messages"][0]["text"] == {"body": "Hi"}
    assert first["contacts"][0]["wa_id"] == PHONE


def test_a_deaf_webhook_gets_everything_later_in_one_batch(tmp_path: Path):
    """Nothing is lost while our server is down, and what piled up comes together."""
    listener = Listener(deaf=True)
    with serving(listener.app()) as url, a_sandbox(tmp_path, callback=f"{url}/hook") as sandbox:
        for number in range(8):
            body = a_template()
            send(sandbox, to=f"62811000000{number}", type="template", template=body)
        until(lambda: len(sandbox.visible()) == 8)
        listener.deaf = False

        until(lambda: len(listener.statuses()) == 16, within_s=20)

    assert max(len(body["entry"][0]["changes"]) for body in listener.bodies) > 1


def test_another_sites_page_cannot_press_our_buttons(sandbox: SandboxServer):
    """A browser says where a request comes from."""
    body = {"phone": PHONE, "text": "x"}
    headers = {"Origin": "https://evil.example"}

    answer = requests.post(f"{sandbox.url}/sandbox/reply", json=body, headers=headers, timeout=10)

    assert answer.status_code == 403


def test_the_page_allows_nothing_from_elsewhere(sandbox: SandboxServer):
    """A strict policy, and no address of another machine in the page."""
    page = requests.get(sandbox.url, timeout=10)

    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "//" not in page.text.replace("<!doctype html>", "").replace("http://www.w3.org", "")

"""One promise, kept by the fake and by the real senders, which speak over real sockets."""

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from flask import Flask, Response

from central_server.adapters.email import SMTPSender
from central_server.config import EmailConfig
from central_server.domain.delivery import Ambiguous, Failed, Form, Message, Retry, Sender, Sent
from central_server.domain.delivery_errors import ErrorClass
from central_server.domain.messages import out_of_area_text
from tests.delivery_world import (
    PHONE,
    FakeSender,
    SandboxServer,
    a_sandbox,
    an_alert_payload,
    an_alert_text,
    serving,
    until,
    whatsapp_config,
)

FOUR_LINES = (
    b"[ALERT] EMP001 - Budi Santoso\n"
    b"Status: OUT OF AREA (last seen 6 min ago)\n"
    b"Location: Entrance Zone\n"
    b"Notified to: Supervisor - Sari Dewi"
)


@dataclass
class Mailbox:
    """An SMTP server that keeps what it gets, and answers as told."""

    letters: list[EmailMessage]
    port: int
    answers: dict[str, str]

    async def handle_RCPT(self, server, session, envelope, address, options):
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.letters.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def mailbox(free_port: Callable[[], int]) -> Iterator[Mailbox]:
    box = Mailbox([], free_port(), {})
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        auth_required=False,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    controller.start()
    yield box
    controller.stop()


def email_config(port: int, **changes: Any) -> EmailConfig:
    known = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": "",
        "password": "",
        "sender": "Hadir <hadir@pabrik.example>",
    }
    return EmailConfig(**(known | changes))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    with a_sandbox(tmp_path / "sandbox") as server:
        server.post("open-window", phones=[PHONE])
        yield server


@dataclass
class Channel:
    """A sender and a way to see what arrived through it."""

    sender: Sender
    address: str
    texts: Callable[[], list[str]]


@pytest.fixture(params=["fake", "whatsapp", "email"])
def channel(request) -> Channel:
    if request.param == "fake":
        fake = FakeSender()
        return Channel(fake, PHONE, lambda: [each.payload["text"] for each in fake.sent])
    if request.param == "whatsapp":
        server: SandboxServer = request.getfixturevalue("sandbox")
        return Channel(server.sender(), PHONE, lambda: [each["text"] for each in server.messages()])
    box: Mailbox = request.getfixturevalue("mailbox")

    def texts() -> list[str]:  # lines end in CRLF on the wire, and the last one ends too
        return [letter.get_body().get_content().replace("\r\n", "\n")[:-1] for letter in box.letters]

    return Channel(SMTPSender(email_config(box.port)), "sari@pabrik.example", texts)


def a_message(recipient: str = PHONE, **changes: Any) -> Message:
    payload = an_alert_payload() | {"subject": "[ALERT] EMP001 - Budi Santoso", "attachments": []}
    known: dict[str, Any] = {"notification_id": "ntf_1", "recipient": recipient, "payload": payload}
    return Message(**(known | changes))


# -- what all senders promise ------------------------------------------------------------------------------


def test_a_message_is_sent_once_and_its_text_arrives_byte_for_byte(channel: Channel):
    """The supervisor reads the mission's four lines, and nothing else."""
    outcome = channel.sender.send(a_message(channel.address))

    assert isinstance(outcome, Sent)
    assert outcome.provider_message_id
    assert [text.encode() for text in channel.texts()] == [FOUR_LINES]


@pytest.mark.parametrize(
    "name",
    [
        "Budi\nSantoso",
        "Siti 👩🏽‍🔧 Aminah",
        "{name} {{emp_name}}",
        "a | b, c",
        "\u202eevil\u202c Budi",
        "Ðørina\tŽ",
    ],
)
def test_odd_names_come_out_right(channel: Channel, name: str):
    """Whatever a name holds, the message has four lines and the name's visible characters."""
    facts = an_alert_text(employee_name=name)
    payload = an_alert_payload(facts) | {"subject": f"[ALERT] {name}", "attachments": []}

    assert isinstance(channel.sender.send(a_message(channel.address, payload=payload)), Sent)

    (text,) = channel.texts()
    assert text == out_of_area_text(facts)
    assert len(text.split("\n")) == 4


def test_a_sender_says_nothing_about_its_secrets(channel: Channel, caplog):
    """Neither its repr nor the log holds the token or the password."""
    with caplog.at_level(logging.DEBUG):
        channel.sender.send(a_message(channel.address))

    assert "EAAB-test-token" not in repr(channel.sender) + caplog.text


# -- WhatsApp ----------------------------------------------------------------------------------------------


def test_outside_the_window_the_template_reads_like_the_text_and_one_line_more(sandbox: SandboxServer):
    """Meta does not let a template end with a variable, so a fixed fifth line follows."""
    message = a_message(form=Form.TEMPLATE, buttons=("ack:1", "snooze:1"))

    assert isinstance(sandbox.sender().send(message), Sent)

    (seen,) = sandbox.messages()
    assert seen["text"].encode() == FOUR_LINES + b"\nTap a button to respond."
    assert seen["buttons"] == ["Acknowledge", "Snooze 30 min"]
    assert seen["tracker"] == "ntf_1"


@pytest.mark.parametrize("form", list(Form))
def test_a_document_goes_with_a_text_and_with_a_template(sandbox: SandboxServer, tmp_path: Path, form: Form):
    """The report reaches both kinds of recipients; the file is uploaded once for all of them."""
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7 the report")
    params = dict.fromkeys(("site", "date", "present", "late", "absent", "hours"), "7")
    payload = {
        "text": "Attendance of Plant One",
        "document": {"path": str(report), "filename": "presence-2026-11-23.pdf", "mime": "application/pdf"},
        "template": {"name": "daily_report_v1", "language": "id", "params": params},
    }
    sender = sandbox.sender()

    for _ in range(2):
        assert isinstance(sender.send(a_message(payload=payload, form=form)), Sent)

    first, second = sandbox.messages()
    assert first["document"]["name"] == "presence-2026-11-23.pdf"
    assert first["document"]["url"] == second["document"]["url"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (131000, Retry),
        (130429, Retry),
        (131056, Retry),
        (131047, ErrorClass.SWITCH_FORM),
        (131026, ErrorClass.RECIPIENT),
        (132001, ErrorClass.TEMPLATE),
        (190, ErrorClass.CHANNEL),
        (131042, ErrorClass.CHANNEL),
        (100, ErrorClass.BUG),
    ],
)
def test_each_class_of_refusal_is_told_apart(sandbox: SandboxServer, code: int, expected):
    """The code and Meta's words come with it."""
    sandbox.meet({"code": code})

    outcome = sandbox.sender().send(a_message())

    assert outcome.code == str(code)
    assert "ordered by the test" in outcome.words
    assert isinstance(outcome, Retry) if expected is Retry else outcome.error_class is expected


def test_a_wrong_token_is_the_channels_fault(sandbox: SandboxServer):
    """And the token is not in the words that we keep."""
    sender = sandbox.sender()
    sender.config = replace(sender.config, token="EAAB-expired")

    outcome = sender.send(a_message())

    assert isinstance(outcome, Failed)
    assert (outcome.error_class, outcome.code) == (ErrorClass.CHANNEL, "190")
    assert "EAAB" not in outcome.words


@pytest.mark.parametrize(("status", "kind"), [(500, Retry), (502, Retry), (503, Retry), (504, Ambiguous)])
def test_a_proxys_page_is_not_json_and_no_surprise(sandbox: SandboxServer, status: int, kind: type):
    """HTML on 5xx is a passing fault; after a gateway's time-out the message may have gone through."""
    sandbox.meet({"http": status})

    assert isinstance(sandbox.sender().send(a_message()), kind)


def test_a_time_out_after_the_request_was_sent_is_doubt(sandbox: SandboxServer):
    """The message is on the phone although no answer came."""
    sandbox.meet({"silence_s": 0.6})

    outcome = sandbox.sender(timeout_s=(1, 0.2)).send(a_message())

    assert isinstance(outcome, Ambiguous)
    until(lambda: len(sandbox.visible()) == 1)


def test_nobody_at_the_other_end_is_a_retry(free_port: Callable[[], int]):
    """A refused connection has surely sent nothing."""
    from central_server.adapters.whatsapp.cloud import WhatsAppCloudSender

    sender = WhatsAppCloudSender(whatsapp_config(f"http://127.0.0.1:{free_port()}"))

    outcome = sender.send(a_message())

    assert isinstance(outcome, Retry)
    assert outcome.code == "network"


def test_a_redirect_does_not_carry_the_token_away():
    """The token is for one host alone; a wrong address stops the channel."""
    from central_server.adapters.whatsapp.cloud import WhatsAppCloudSender

    app, visits = Flask("elsewhere"), []

    @app.route("/<path:path>", methods=["POST", "GET"])
    def anything(path: str) -> Response:
        visits.append(path)
        return Response(status=307, headers={"Location": "/stolen"})

    with serving(app) as url:
        outcome = WhatsAppCloudSender(whatsapp_config(url)).send(a_message())

    assert isinstance(outcome, Failed)
    assert outcome.error_class is ErrorClass.CHANNEL
    assert visits == ["v25.0/100000000000001/messages"]


def test_a_missing_report_is_our_own_mistake(sandbox: SandboxServer, tmp_path: Path):
    """No message goes out without its file."""
    document = {"path": str(tmp_path / "gone.pdf"), "filename": "gone.pdf", "mime": "application/pdf"}

    outcome = sandbox.sender().send(a_message(payload={"text": "x", "document": document}))

    assert isinstance(outcome, Failed)
    assert outcome.error_class is ErrorClass.BUG
    assert sandbox.messages() == []


# -- e-mail ------------------------------------------------------------------------------------------------


def test_an_e_mail_carries_its_attachments(mailbox: Mailbox, tmp_path: Path):
    """PDF and CSV arrive as they were, and a resent letter has the same Message-ID."""
    files = {"report.pdf": ("application/pdf", b"%PDF-1.7"), "report.csv": ("text/csv", b"a,b\r\n1,2\r\n")}
    attachments = []
    for name, (mime, content) in files.items():
        (tmp_path / name).write_bytes(content)
        attachments.append({"path": str(tmp_path / name), "filename": name, "mime": mime})
    payload = {"subject": "Laporan harian — 23 Nov", "text": "Terlampir.", "attachments": attachments}
    sender = SMTPSender(email_config(mailbox.port))

    for _ in range(2):
        assert isinstance(sender.send(a_message("Sari <sari@pabrik.example>", payload=payload)), Sent)

    first, second = mailbox.letters
    got = {part.get_filename(): part.get_payload(decode=True) for part in first.iter_attachments()}
    assert got == {name: content for name, (_, content) in files.items()}
    assert first["Subject"] == "Laporan harian — 23 Nov"
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"RCPT": "550 no such user"}, ErrorClass.RECIPIENT),
        ({"RCPT": "450 greylisted"}, Retry),
        ({"DATA": "554 refused"}, ErrorClass.RECIPIENT),
        ({"DATA": "451 later"}, Retry),
    ],
)
def test_what_a_mail_server_says_is_told_apart(mailbox: Mailbox, answers: dict[str, str], expected):
    """4xx is later, 5xx is never."""
    mailbox.answers.update(answers)

    outcome = SMTPSender(email_config(mailbox.port)).send(a_message("sari@pabrik.example"))

    assert isinstance(outcome, Retry) if expected is Retry else outcome.error_class is expected


def test_a_wrong_password_stops_the_channel(mailbox: Mailbox):
    """It is nobody's message's fault."""
    config = email_config(mailbox.port, username="hadir", password="a-wrong-password")

    outcome = SMTPSender(config).send(a_message("sari@pabrik.example"))

    assert isinstance(outcome, Failed)
    assert outcome.error_class is ErrorClass.CHANNEL
    assert "a-wrong-password" not in outcome.words


def test_without_starttls_no_password_is_sent(mailbox: Mailbox):
    """A server that cannot encrypt is refused, not obeyed."""
    config = email_config(mailbox.port, security="starttls", username="hadir", password="secret")

    outcome = SMTPSender(config).send(a_message("sari@pabrik.example"))

    assert isinstance(outcome, Failed)
    assert outcome.error_class is ErrorClass.CHANNEL


def test_an_address_that_is_none_is_the_recipients_fault(mailbox: Mailbox):
    """Nothing is sent, and nothing is tried again."""
    sender = SMTPSender(email_config(mailbox.port))

    for address in ("nobody", "", "a@b@c", "sari@pabrik.example\r\nBcc: x@y.z"):
        outcome = sender.send(a_message(address))
        assert isinstance(outcome, Failed), address
        assert outcome.error_class is ErrorClass.RECIPIENT
    assert mailbox.letters == []


def test_a_mail_server_that_falls_silent_leaves_doubt(free_port: Callable[[], int]):
    """After the text was handed over without an answer, the letter may be on its way."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    script = [b"220 hi", b"250 ok", b"250 ok", b"250 ok", b"354 go on"]
    thread = threading.Thread(target=_talk, args=(listener, script), daemon=True)
    thread.start()

    outcome = SMTPSender(email_config(port), timeout_s=0.5, tls=ssl.create_default_context()).send(
        a_message("sari@pabrik.example")
    )

    assert isinstance(outcome, Ambiguous)
    listener.close()
    thread.join(5)


def _talk(listener: socket.socket, script: list[bytes]) -> None:
    """Answer each line of the other side with the next of script, then say nothing more."""
    connection, _ = listener.accept()
    with connection:
        lines = connection.makefile("rb")
        for answer in script:
            connection.sendall(answer + b"\r\n")
            if answer.startswith(b"354"):
                break
            lines.readline()
        while lines.readline():
            pass

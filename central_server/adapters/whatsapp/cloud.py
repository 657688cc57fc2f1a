"""WhatsApp Cloud API (Graph): text, templates, documents. Only the base URL makes it the sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from central_server.adapters.whatsapp.answers import outcome_of, outcome_of_failure
from central_server.config import WhatsAppConfig
from central_server.domain.delivery import Failed, Form, Message, Outcome, Retry, Sent, phone_digits
from central_server.domain.delivery_errors import ErrorClass

TIMEOUT_S = (10, 30)  # to connect; between two bytes of the answer
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024


@dataclass(slots=True)
class WhatsAppCloudSender:
    """Sender over the Cloud API. The token goes into one header and nowhere else."""

    config: WhatsAppConfig = field(repr=False)
    http: requests.Session = field(default_factory=requests.Session, repr=False)
    timeout_s: tuple[float, float] = TIMEOUT_S
    _media: dict[tuple[str, int, int], str] = field(default_factory=dict, repr=False)

    def send(self, message: Message) -> Outcome:
        """Send message once; a document is uploaded first (once for all who get the same file)."""
        media_id = ""
        if document := message.payload.get("document"):
            uploaded = self._upload(document, fresh=message.attempt > 1)
            if not isinstance(uploaded, str):
                return uploaded
            media_id = uploaded
        reply = self._post("messages", json=_body(message, media_id))
        if not isinstance(reply, requests.Response):
            return reply
        return outcome_of(reply.status_code, reply.content, reply.headers, hide=self.config.token)

    def _upload(self, document: Mapping[str, str], *, fresh: bool) -> str | Retry | Failed:
        """Return the media id of document. fresh: do not trust an id that a failed attempt may have used."""
        path = Path(document["path"])
        try:
            state = path.stat()
            content = path.read_bytes()
        except OSError as error:
            return Failed(ErrorClass.BUG, "no_file", f"cannot read {path.name}: {error.strerror}")
        key = (str(path), state.st_mtime_ns, state.st_size)
        if key in self._media and not fresh:
            return self._media[key]
        reply = self._post(
            "media",
            data={"messaging_product": "whatsapp", "type": document["mime"]},
            files={"file": (document["filename"], content, document["mime"])},
        )
        if isinstance(reply, requests.Response):
            reply = outcome_of(reply.status_code, reply.content, reply.headers, hide=self.config.token)
        match reply:
            case Sent(str(media_id)):
                self._media[key] = media_id
                return media_id
            case Retry() | Failed():
                return reply
            case _:  # uploading twice harms nobody
                return Retry("upload", "the upload was not answered")

    def _post(self, what: str, **content: Any) -> requests.Response | Outcome:
        url = f"{self.config.base_url}/{self.config.api_version}/{self.config.phone_number_id}/{what}"
        try:
            return self.http.post(
                url,
                headers={"Authorization": f"Bearer {self.config.token}"},
                timeout=self.timeout_s,
                allow_redirects=False,  # the token is for this host alone
                **content,
            )
        except requests.RequestException as error:
            return outcome_of_failure(error, hide=self.config.token)


def _body(message: Message, media_id: str) -> dict[str, Any]:
    kind, content = _content(message, media_id)
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": phone_digits(message.recipient),
        "type": kind,
        kind: content,
        "biz_opaque_callback_data": message.notification_id,
    }


def _content(message: Message, media_id: str) -> tuple[str, dict[str, Any]]:
    payload = message.payload
    document = {"id": media_id, "filename": payload["document"]["filename"]} if media_id else None
    if message.form is Form.TEMPLATE:
        return "template", _template(payload["template"], document, message.buttons)
    if document:
        return "document", {**document, "caption": payload["text"][:CAPTION_LIMIT]}
    return "text", {"preview_url": False, "body": payload["text"][:TEXT_LIMIT]}


def _template(
    template: Mapping[str, Any], document: Mapping[str, str] | None, buttons: tuple[str, ...]
) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if document:
        components.append({"type": "header", "parameters": [{"type": "document", "document": document}]})
    if template["params"]:
        parameters = [
            {"type": "text", "parameter_name": name, "text": value}
            for name, value in template["params"].items()
        ]
        components.append({"type": "body", "parameters": parameters})
    for index, payload in enumerate(buttons):
        components.append(
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": str(index),
                "parameters": [{"type": "payload", "payload": payload}],
            }
        )
    return {
        "name": template["name"],
        "language": {"code": template["language"]},
        "components": components,
    }

"""Push attendance to any system that takes a signed webhook (Standard Webhooks 1.0)."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import requests

from central_server.ports import PushError

TIMEOUT_S = (10, 20)
GONE = 410
_PERMANENT = {400, 401, 403, 404, 405, 410, 422}


def key_of(secret: str) -> bytes:
    """Return the key of a secret written as whsec_<base64>. Raises ValueError."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("the webhook secret is not whsec_ followed by base64") from error


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of the webhook-signature header: v1 and HMAC-SHA256 of id, timestamp and body."""
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


@dataclass(slots=True)
class WebhookSink:
    """AttendanceSink over HTTP. A 2xx answer means taken; a redirect is a failure and is not followed."""

    url: str
    secret: str = field(repr=False)
    http: requests.Session = field(default_factory=requests.Session, repr=False)
    connector: str = "webhook"

    def push(self, message_id: str, payload: Mapping[str, Any], *, now: datetime) -> None:
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self.secret, message_id, timestamp, body),
        }
        try:
            with self.http.post(
                self.url,
                data=body,
                headers=headers,
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,  # what it says besides the status does not matter, however long it is
            ) as reply:
                status, wait = reply.status_code, reply.headers.get("retry-after", "")
        except requests.RequestException as error:
            raise PushError(f"the HRIS is unreachable ({type(error).__name__})") from error
        if not 200 <= status < 300:
            after_s = float(wait) if wait.isdigit() else None
            raise PushError(f"the HRIS answered {status}", permanent=status in _PERMANENT, after_s=after_s)

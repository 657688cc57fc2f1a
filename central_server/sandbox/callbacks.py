"""The callbacks: a handshake first, then signed batches, tried until they are taken."""

import hashlib
import hmac
import json
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests

from central_server.sandbox.settings import Settings
from central_server.sandbox.store import Store

log = logging.getLogger(__name__)

BATCH_FROM, BATCH = 10, 20  # so many updates waiting go out together, so many at most in one callback
TICK_S = 0.05
MOST_WAIT_S = 30.0


@dataclass
class Callbacks:
    """A thread that moves the ticks on and tells our webhook."""

    store: Store
    settings: Settings
    is_verified: bool = False
    trouble: str = ""  # why the last callback did not arrive
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(10)

    def _run(self) -> None:
        wait_s = TICK_S
        while not self._stop.wait(wait_s):
            try:
                now = time.time()  # for both: nobody is told of a tick that the page does not show yet
                self._show(now)
                is_well = self._verify() and self._call(now)
            except Exception:  # the sandbox must not go deaf because of one odd callback
                log.exception("a callback failed")
                is_well = False
            wait_s = TICK_S if is_well else 0.5

    def _show(self, now: float) -> None:
        """Move the ticks on the page, whether or not anybody listens to callbacks."""
        for row in self.store.due_statuses(now):
            errors = row["value"].get("errors", [{}])
            self.store.set_status(row["wamid"], row["value"]["status"], errors[0].get("title", ""))
            self.store.mark_shown([row["id"]])

    def _call(self, now: float) -> bool:
        """Make the callbacks that are due: one by one, or in batches when many have piled up."""
        due = self.store.due_callbacks(now, BATCH)
        for rows in [due] if len(due) >= BATCH_FROM else [[row] for row in due]:
            ids = [row["id"] for row in rows]
            if self.settings.callback and not self._post(rows):
                wait_s = min(2.0 ** max(row["attempts"] for row in rows), MOST_WAIT_S)
                self.store.put_off(ids, time.time() + wait_s)
                return False
            self.store.mark_done(ids)
        return True

    def _post(self, due: list[dict[str, Any]]) -> bool:
        body = json.dumps(self.document(due), ensure_ascii=False).encode()
        signature = hmac.new(self.settings.app_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        try:
            answer = requests.post(self.settings.callback, data=body, headers=headers, timeout=10)
        except requests.RequestException as error:
            self.trouble = type(error).__name__
            return False
        self.trouble = "" if answer.ok else f"HTTP {answer.status_code}"
        return answer.ok

    def document(self, due: list[dict[str, Any]]) -> dict[str, Any]:
        """Return one callback with everything in due: one change for each person and kind."""
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in due:
            groups.setdefault((row["kind"], _person(row["value"])), []).append(row["value"])
        changes = [
            {"field": "messages", "value": self._value(kind, phone, updates)}
            for (kind, phone), updates in groups.items()
        ]
        entry = {"id": self.settings.business_id, "changes": changes}
        return {"object": "whatsapp_business_account", "entry": [entry]}

    def _value(self, kind: str, phone: str, updates: list[dict[str, Any]]) -> dict[str, Any]:
        name = self.store.contacts().get(phone, {}).get("name") or phone
        return {
            "messaging_product": "whatsapp",
            "metadata": {
                "display_phone_number": self.settings.own_number,
                "phone_number_id": self.settings.phone_number_id,
            },
            "contacts": [{"profile": {"name": name}, "wa_id": phone, "user_id": f"ID.{phone}"}],
            kind: updates,
        }

    def _verify(self) -> bool:
        """Shake hands with the webhook once; nothing is called back before."""
        if self.is_verified or not self.settings.callback:
            return True
        challenge = str(uuid4().int)[:10]
        question = {
            "hub.mode": "subscribe",
            "hub.verify_token": self.settings.verify_token,
            "hub.challenge": challenge,
        }
        try:
            answer = requests.get(self.settings.callback, params=question, timeout=5)
        except requests.RequestException as error:
            self.trouble = type(error).__name__
            return False
        self.is_verified = answer.ok and answer.text == challenge
        self.trouble = (
            "" if self.is_verified else f"the webhook's handshake failed (HTTP {answer.status_code})"
        )
        return self.is_verified


def _person(value: dict[str, Any]) -> str:
    return value.get("recipient_id") or value["from"]

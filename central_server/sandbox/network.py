"""WhatsApp's side of a conversation: it takes messages, plans what becomes of them, and people answer."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from central_server.sandbox.errors import GraphError
from central_server.sandbox.rules import Bubble
from central_server.sandbox.settings import Settings
from central_server.sandbox.store import Store

CLOSED = "Message failed to send because more than 24 hours have passed since the customer last replied"


@dataclass
class Network:
    """Everything that happens after the API has said "accepted"."""

    store: Store
    settings: Settings

    def accept(self, phone: str, bubble: Bubble, raw: dict[str, Any], fault: int | None = None) -> str:
        """Take a message and return its id; what becomes of it is told by callbacks."""
        wamid, now = f"wamid.{uuid4().hex}", time.time()
        is_free = bubble.kind not in {"template", "reaction"}
        if fault is None and is_free and not self.store.is_window_open(phone, now):
            fault = 131047
        self.store.add_message(
            wamid=wamid,
            phone=phone,
            direction="out",
            kind=bubble.kind,
            text=bubble.text,
            buttons=[list(button) for button in bubble.buttons],
            media_id=bubble.media_id,
            filename=bubble.filename,
            template=bubble.template,
            tracker=str(raw.get("biz_opaque_callback_data") or ""),
            about=str((raw.get("context") or {}).get("message_id") or ""),
            status="accepted",
            error="",
            at=now,
            raw=raw,
        )
        self._plan(wamid, phone, raw, now, fault)
        return wamid

    def _plan(self, wamid: str, phone: str, raw: dict[str, Any], now: float, fault: int | None) -> None:
        settings = self.settings
        plan = {
            "sent": settings.sent_after_s,
            "delivered": settings.delivered_after_s,
            "read": settings.read_after_s,
        }
        if fault is not None:
            plan = {"failed": settings.sent_after_s}
        for status, wait_s in plan.items():
            if wait_s >= 0:
                due = now + wait_s
                value = {"id": wamid, "status": status, "timestamp": str(int(due)), "recipient_id": phone}
                self.store.add_callback("statuses", wamid, value | _about(phone, raw, fault), due)

    def say(
        self, phone: str, *, text: str = "", button: tuple[str, str] | None = None, about: str = ""
    ) -> str:
        """Let phone write to us, or tap a button of the message `about`; opens its 24 hours."""
        wamid, now = f"wamid.{uuid4().hex}", time.time()
        value: dict[str, Any] = {
            "from": phone,
            "from_user_id": f"ID.{phone}",
            "id": wamid,
            "timestamp": str(int(now)),
        }
        tapped = self.store.message(about) if button else None
        if button and tapped and tapped["kind"] == "interactive":
            reply = {"type": "button_reply", "button_reply": {"id": button[1], "title": button[0]}}
            value |= {"type": "interactive", "interactive": reply}
        elif button:
            value |= {"type": "button", "button": {"text": button[0], "payload": button[1]}}
        else:
            value |= {"type": "text", "text": {"body": text}}
        if about:
            value["context"] = {"from": self.settings.own_number, "id": about}
        self.store.heard_from(phone, "", now)
        self.store.add_message(
            wamid=wamid,
            phone=phone,
            direction="in",
            kind="button" if button else "text",
            text=button[0] if button else text,
            about=about,
            status="",
            at=now,
        )
        self.store.add_callback("messages", wamid, value, now)
        return wamid

    def open_window(self, phone: str, *, again: bool = False) -> None:
        """Let phone say hello, unless its window is open already."""
        if again or not self.store.is_window_open(phone, time.time()):
            self.say(phone, text="Hi")


def _about(phone: str, raw: dict[str, Any], fault: int | None) -> dict[str, Any]:
    """Return what a status says besides the status."""
    more: dict[str, Any] = {"recipient_user_id": f"ID.{phone}"}
    if tracker := raw.get("biz_opaque_callback_data"):
        more["biz_opaque_callback_data"] = tracker
    if fault is not None:
        return more | {"errors": [GraphError(fault, CLOSED if fault == 131047 else "").in_status()]}
    category = "utility" if raw.get("type") == "template" else "service"
    conversation = hashlib.sha256(phone.encode()).hexdigest()[:32]
    return more | {
        "conversation": {"id": conversation, "origin": {"type": category}},
        "pricing": {"billable": False, "pricing_model": "PMP", "category": category},
    }

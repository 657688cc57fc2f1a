"""Refusals as the Graph API words them."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

_TITLES = {
    4: "Application request limit reached",
    33: "Unsupported request: the object does not exist",
    100: "Invalid parameter",
    190: "Invalid OAuth access token - Cannot parse access token",
    368: "Temporarily blocked for policies violations",
    130429: "Rate limit hit",
    130472: "User's number is part of an experiment",
    131000: "Something went wrong",
    131005: "Access denied",
    131008: "Required parameter is missing",
    131009: "Parameter value is not valid",
    131016: "Service unavailable",
    131021: "Recipient cannot be sender",
    131026: "Message undeliverable",
    131030: "Recipient phone number not in allowed list",
    131031: "Account has been locked",
    131042: "Business eligibility payment issue",
    131045: "Incorrect certificate",
    131047: "Re-engagement message",
    131048: "Spam rate limit hit",
    131051: "Unsupported message type",
    131053: "Media upload error",
    131056: "(Business Account, Consumer Account) pair rate limit hit",
    132000: "Number of parameters does not match the expected number of params",
    132001: "Template name does not exist in the translation",
    132005: "Translated text too long",
    132012: "Parameter format does not match format in the created template",
    132015: "Template is paused",
    132016: "Template is disabled",
    132018: "There was an issue with the parameters in your template",
}
_STATUS = {
    **dict.fromkeys((190,), 401),
    **dict.fromkeys((131005, 131031, 368), 403),
    **dict.fromkeys((33, 132001), 404),
    **dict.fromkeys((4, 130429, 131056), 429),
    **dict.fromkeys((131000,), 500),
    **dict.fromkeys((131016,), 503),
}


@dataclass
class GraphError(Exception):
    """A request that the API refuses."""

    code: int
    details: str = ""
    subcode: int | None = None

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 400)

    def document(self) -> dict[str, Any]:
        """Return the body of the answer."""
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {title_of(self.code)}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": "A" + uuid4().hex[:22],
        }
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        return {"error": error}

    def in_status(self) -> dict[str, Any]:
        """Return the same as it stands in a `failed` callback."""
        title = title_of(self.code)
        return {
            "code": self.code,
            "title": title,
            "message": title,
            "error_data": {"details": self.details or title},
        }


def title_of(code: int) -> str:
    return _TITLES.get(code, "Something went wrong")

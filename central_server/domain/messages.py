"""The words that people receive, and the shape of an outbox row's payload.

Payload of a Notification, by channel:
    whatsapp  {"text": str}                                         what is sent inside the 24-hour window
              + {"template": {"name", "language", "params": {…}}}   what is sent outside it
              + {"document": {"path", "filename", "mime"}}          a file; text is then its caption
    email     {"subject": str, "text": str, "attachments": [{"path", "filename", "mime"}]}
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

_INVISIBLE = {"Cf", "Cc", "Co", "Cs"}  # format (bidi, zero width), control, private use, surrogate


def flat(text: str) -> str:
    """Return text fit for one line of a message: no control, bidi or zero-width characters, single spaces.

    An empty value becomes '-', because WhatsApp templates refuse empty parameters.
    """
    visible = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE or character == "\u200d"
    )
    return re.sub(r" +", " ", visible).strip() or "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfArea:
    """The facts of an OUT OF AREA alert, fixed when it is opened."""

    employee_id: str
    employee_name: str
    last_seen: datetime  # UTC
    opened_at: datetime  # UTC, on the site's watermark
    zone_name: str
    supervisor_name: str

    @property
    def minutes(self) -> int:
        """Whole minutes since last seen, rounded down."""
        return max(0, int((self.opened_at - self.last_seen).total_seconds() // 60))

    def template_params(self) -> dict[str, str]:
        return {
            "emp_code": flat(self.employee_id),
            "emp_name": flat(self.employee_name),
            "minutes": str(self.minutes),
            "zone": flat(self.zone_name),
            "supervisor": flat(self.supervisor_name),
        }


def out_of_area_text(alert: OutOfArea) -> str:
    """Return the four lines that the supervisor gets, byte for byte as the mission asks."""
    params = alert.template_params()
    return (
        f"[ALERT] {params['emp_code']} - {params['emp_name']}\n"
        f"Status: OUT OF AREA (last seen {params['minutes']} min ago)\n"
        f"Location: {params['zone']}\n"
        f"Notified to: Supervisor - {params['supervisor']}"
    )

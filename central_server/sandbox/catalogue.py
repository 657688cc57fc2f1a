"""Message templates: the two that Hadir uses, the rules for making more, and what a reader gets to see."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from central_server.sandbox.errors import GraphError

_VARIABLE = re.compile(r"\{\{(\w+)\}\}")
_UNFIT = re.compile(r"[\n\t]| {5,}")


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template in one language."""

    name: str
    language: str
    body: str
    buttons: tuple[str, ...] = ()
    header: str = ""  # DOCUMENT or empty
    category: str = "UTILITY"

    @property
    def variables(self) -> list[str]:
        """The variables of the body in order, each once."""
        return list(dict.fromkeys(_VARIABLE.findall(self.body)))

    @property
    def is_named(self) -> bool:
        return any(not name.isdigit() for name in self.variables)

    def document(self) -> dict[str, Any]:
        """Return it as GET message_templates shows it."""
        components: list[dict[str, Any]] = []
        if self.header:
            example = {"header_handle": ["https://127.0.0.1/example.pdf"]}
            components.append({"type": "HEADER", "format": self.header, "example": example})
        components.append({"type": "BODY", "text": self.body} | self._example())
        if self.buttons:
            replies = [{"type": "QUICK_REPLY", "text": text} for text in self.buttons]
            components.append({"type": "BUTTONS", "buttons": replies})
        return {
            "id": str(crc32(f"{self.name}/{self.language}".encode())),
            "name": self.name,
            "language": self.language,
            "status": "APPROVED",
            "category": self.category,
            "parameter_format": "NAMED" if self.is_named else "POSITIONAL",
            "components": components,
        }

    def _example(self) -> dict[str, Any]:
        if not self.variables:
            return {}
        if not self.is_named:
            return {"example": {"body_text": [self.variables]}}
        values = [{"param_name": name, "example": name} for name in self.variables]
        return {"example": {"body_text_named_params": values}}


_ALERT = (
    "[ALERT] {{emp_code}} - {{emp_name}}\n"
    "Status: OUT OF AREA (last seen {{minutes}} min ago)\n"
    "Location: {{zone}}\n"
    "Notified to: Supervisor - {{supervisor}}\n"
)
_REPORT = {
    "en": "Attendance of {{site}} on {{date}}\nPresent {{present}}, late {{late}}, absent {{absent}}\n"
    "Total working hours: {{hours}}\nThe full report is attached.",
    "id": "Kehadiran {{site}} tanggal {{date}}\n"
    "Hadir {{present}}, terlambat {{late}}, tidak hadir {{absent}}\n"
    "Total jam kerja: {{hours}}\nLaporan lengkap terlampir.",
}

PRELOADED = (
    Template("out_of_area_v1", "en", _ALERT + "Tap a button to respond.", ("Acknowledge", "Snooze 30 min")),
    Template(
        "out_of_area_v1", "id", _ALERT + "Ketuk tombol untuk menanggapi.", ("Tanggapi", "Tunda 30 menit")
    ),
    Template("daily_report_v1", "en", _REPORT["en"], header="DOCUMENT"),
    Template("daily_report_v1", "id", _REPORT["id"], header="DOCUMENT"),
)


def new_template(body: Mapping[str, Any]) -> Template:
    """Return the template that POST message_templates asks for, or raise GraphError as a reviewer would."""
    components = {each.get("type", "").upper(): each for each in body.get("components", [])}
    text = components.get("BODY", {}).get("text", "")
    name = str(body.get("name", ""))
    if not re.fullmatch(r"[a-z0-9_]{1,512}", name) or not text or not body.get("language"):
        raise GraphError(100, "name (lower case, digits, _), language and a BODY are required")
    _check_body(text)
    return Template(
        name,
        str(body["language"]),
        text,
        tuple(button.get("text", "") for button in components.get("BUTTONS", {}).get("buttons", [])),
        components.get("HEADER", {}).get("format", "").upper(),
        str(body.get("category", "UTILITY")).upper(),
    )


def _check_body(text: str) -> None:
    if len(text) > 1024:
        raise GraphError(100, "The body is longer than 1024 characters", 2388040)
    bare = text.strip().rstrip(".!?")
    if bare.startswith("{{") or bare.endswith("}}"):
        raise GraphError(100, "Variables can't be at the start or end of the template", 2388299)
    variables = _VARIABLE.findall(text)
    words = _VARIABLE.sub(" ", text).split()
    if variables and len(words) < 2 * len(set(variables)) + 1:
        raise GraphError(100, "Too many variables for the length of the message", 2388293)


def rendered(template: Template, components: list[Mapping[str, Any]]) -> str:
    """Return the text that a reader sees, or raise GraphError where the parameters do not fit."""
    parameters = next((each.get("parameters", []) for each in components if each.get("type") == "body"), [])
    if len(parameters) != len(template.variables):
        raise GraphError(
            132000,
            f"body: number of localizable_params ({len(parameters)}) does not match "
            f"the expected number of params ({len(template.variables)})",
        )
    values = _values(template, parameters)
    for name, value in values.items():
        if value == "":
            raise GraphError(131008, f"body: parameter {name} is missing its text")
        if _UNFIT.search(value):
            raise GraphError(
                132018, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
            )
    text = _VARIABLE.sub(lambda found: values[found[1]], template.body)
    if len(text) > 1024:
        raise GraphError(132005, "The translated text is too long")
    return text


def _values(template: Template, parameters: list[Mapping[str, Any]]) -> dict[str, str]:
    if any(each.get("type") != "text" for each in parameters):
        raise GraphError(132012, "body: format mismatch, expected TEXT")
    texts = [str(each.get("text", "")) for each in parameters]
    if not template.is_named:
        return dict(zip(template.variables, texts, strict=True))
    values = dict(zip((str(each.get("parameter_name", "")) for each in parameters), texts, strict=True))
    if set(values) != set(template.variables):
        raise GraphError(132012, f"body: expected the parameters {', '.join(template.variables)}")
    return values

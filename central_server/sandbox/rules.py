"""Which messages the API takes, and what of them a reader will see."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from central_server.sandbox.catalogue import Template, rendered
from central_server.sandbox.errors import GraphError

MEDIA_TYPES = ("audio", "document", "image", "sticker", "video")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bubble:
    """What the recipient gets to see."""

    kind: str
    text: str = ""
    buttons: tuple[tuple[str, str], ...] = ()  # what is written on it, what it sends back
    media_id: str = ""
    filename: str = ""
    template: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What the rules look things up in."""

    template: Callable[[str, str], Template | None]  # name, language
    has_media: Callable[[str], bool]


def recipient_of(body: Mapping[str, Any], *, own_number: str, allowed: frozenset[str]) -> str:
    """Return the digits of the recipient; allowed empty: anybody."""
    if body.get("messaging_product") != "whatsapp":
        raise GraphError(100, "The parameter messaging_product is required and must be whatsapp.")
    to = re.sub(r"[\s()+-]", "", str(body.get("to", "")))
    if not to:
        raise GraphError(100, "The parameter to is required.")
    if not re.fullmatch(r"[0-9]{5,20}", to):
        raise GraphError(131009, "The parameter to is not a phone number.")
    if to == own_number:
        raise GraphError(131021, "The sender and the recipient are the same number.")
    if allowed and to not in allowed:
        raise GraphError(131030, "Recipient phone number not in allowed list.")
    return to


def bubble_of(body: Mapping[str, Any], shelf: Shelf) -> Bubble:
    """Return what a message shows, or raise GraphError where the API would refuse it."""
    if len(str(body.get("biz_opaque_callback_data") or "")) > 512:
        raise GraphError(100, "Param biz_opaque_callback_data must be at most 512 characters long.")
    kind = str(body.get("type", "text"))
    if kind not in {*_READERS, *MEDIA_TYPES, "contacts"}:
        raise GraphError(131051, f"Unsupported message type: {kind}")
    content = body.get(kind)
    if kind == "contacts":
        return Bubble(kind=kind, text=f"{len(content or [])} contact(s)")
    if not isinstance(content, dict):
        raise GraphError(131008, f"The parameter {kind} is required.")
    if kind in MEDIA_TYPES:
        return _media(kind, content, shelf)
    return _READERS[kind](content, shelf)


def _text(content: Mapping[str, Any], _shelf: Shelf) -> Bubble:
    text = content.get("body")
    if not isinstance(text, str) or not text.strip():
        raise GraphError(100, "The parameter text['body'] is required.")
    if len(text) > 4096:
        raise GraphError(100, "Param text['body'] must be at most 4096 characters long.")
    return Bubble(kind="text", text=text)


def _media(kind: str, content: Mapping[str, Any], shelf: Shelf) -> Bubble:
    media_id, link = str(content.get("id", "")), str(content.get("link", ""))
    if not media_id and not link:
        raise GraphError(131008, f"The parameter {kind} needs an id or a link.")
    if media_id and not shelf.has_media(media_id):
        raise GraphError(131053, f"There is no media with the id {media_id}.")
    caption = str(content.get("caption", ""))
    if len(caption) > 1024:
        raise GraphError(100, f"Param {kind}['caption'] must be at most 1024 characters long.")
    name = str(content.get("filename", "")) or link or kind
    return Bubble(kind=kind, text=caption, media_id=media_id, filename=name)


def _template(content: Mapping[str, Any], shelf: Shelf) -> Bubble:
    name, language = str(content.get("name", "")), (content.get("language") or {}).get("code", "")
    if not name or not language:
        raise GraphError(131008, "template needs a name and a language code.")
    template = shelf.template(name, language)
    if template is None:
        raise GraphError(132001, f"template name ({name}) does not exist in {language}")
    components = [
        {**each, "type": str(each.get("type", "")).lower()} for each in content.get("components") or []
    ]
    document = _header(template, components, shelf)
    return Bubble(
        kind="template",
        text=rendered(template, components),
        buttons=_buttons(template, components),
        media_id=str(document.get("id", "")),
        filename=str(document.get("filename", "") or document.get("link", "")),
        template=name,
    )


def _header(template: Template, components: list[dict[str, Any]], shelf: Shelf) -> Mapping[str, Any]:
    header = next((each for each in components if each["type"] == "header"), None)
    parameters = header.get("parameters", []) if header else []
    if template.header != "DOCUMENT":
        if header:
            raise GraphError(132000, "header: number of params does not match the expected number (0)")
        return {}
    if len(parameters) != 1 or parameters[0].get("type") != "document":
        raise GraphError(132012, "header: Format mismatch, expected DOCUMENT, received UNKNOWN")
    document = parameters[0].get("document", {})
    _media("document", document, shelf)
    return document


def _buttons(template: Template, components: list[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    payloads = dict(enumerate(template.buttons))
    for each in components:
        if each["type"] != "button":
            continue
        index = str(each.get("index", ""))
        if not index.isdigit() or int(index) not in payloads:
            raise GraphError(132018, f"Button at index {index} does not exist in the template")
        parameters = each.get("parameters") or [{}]
        payloads[int(index)] = str(parameters[0].get("payload", ""))
        if not 1 <= len(payloads[int(index)]) <= 256:
            raise GraphError(131009, "A button's payload must have 1 to 256 characters")
    return tuple(zip(template.buttons, (payloads[each] for each in sorted(payloads)), strict=True))


def _interactive(content: Mapping[str, Any], _shelf: Shelf) -> Bubble:
    text = (content.get("body") or {}).get("text", "")
    buttons = [each.get("reply", {}) for each in (content.get("action") or {}).get("buttons", [])]
    if not text or len(text) > 1024:
        raise GraphError(131009, "interactive['body']['text'] must have 1 to 1024 characters")
    if content.get("type") == "button":
        fits = 1 <= len(buttons) <= 3 and all(1 <= len(each.get("title", "")) <= 20 for each in buttons)
        if not fits or len({each.get("id") for each in buttons}) != len(buttons):
            raise GraphError(131009, "1 to 3 buttons with different ids and titles of 1 to 20 characters")
    return Bubble(
        kind="interactive", text=text, buttons=tuple((each["title"], each.get("id", "")) for each in buttons)
    )


def _reaction(content: Mapping[str, Any], _shelf: Shelf) -> Bubble:
    if not content.get("message_id"):
        raise GraphError(131008, "reaction needs a message_id")
    return Bubble(kind="reaction", text=str(content.get("emoji", "")))


def _location(content: Mapping[str, Any], _shelf: Shelf) -> Bubble:
    if "latitude" not in content or "longitude" not in content:
        raise GraphError(131008, "location needs latitude and longitude")
    return Bubble(
        kind="location", text=f"{content.get('name', '')} {content['latitude']}, {content['longitude']}"
    )


_READERS: dict[str, Callable[[Mapping[str, Any], Shelf], Bubble]] = {
    "text": _text,
    "template": _template,
    "interactive": _interactive,
    "reaction": _reaction,
    "location": _location,
}

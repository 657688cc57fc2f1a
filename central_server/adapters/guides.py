"""The guides in docs/ as parts of pages: headings, tables, links, and nothing that the policy forbids."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from central_server.ports import Guide

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = {  # topic -> the file in each language; the first is for languages without one of their own
    "hr": {"en": "hr-guide.md", "id": "panduan-hr.md"},
    "examples": {"en": "worked-examples.md"},
    "operator": {"en": "operator-guide.md"},
}
TOPICS = {name: topic for topic, files in GUIDES.items() for name in files.values()}
LANGUAGES = {name: language for files in GUIDES.values() for language, name in files.items()}
LONGEST_ANCHOR = 80


def read_guide(
    topic: str, language: str, *, address: Callable[[str], str], docs: Path = DOCS
) -> Guide | None:
    """Return a guide in the language, or the one there is; None: not installed, or no such topic.

    address: where another topic is shown; what is no topic becomes plain text.
    """
    files = GUIDES.get(topic, {})
    for name in dict.fromkeys([files.get(language, ""), *files.values()]):
        path = docs / name
        if name and path.is_file():
            text = path.read_text(encoding="utf-8")
            leads = {each: address(about) for each, about in TOPICS.items()}
            leads |= {each: f"{leads[each]}?in={LANGUAGES[each]}" for each in files.values()}
            return _guide(text, tuple(leads.items()))
    return None


@lru_cache(maxsize=16)
def _guide(text: str, leads: tuple[tuple[str, str], ...]) -> Guide:
    """Return the page; a guide is worked out once and not with every look."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda *_: '<div class="wide-table" tabindex="0"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    tokens = markdown.parse(text)
    headings = _name_headings(tokens)
    for token in tokens:
        if token.type in ("th_open", "td_open"):
            token.attrs.pop("style", None)
        if token.children:
            token.children = _lead_links(token.children, dict(leads))
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens  # the page has it as its own heading
    title = tokens[1].content if body is not tokens else ""
    return Guide(title, Markup(markdown.renderer.render(body, markdown.options, {})), headings)


def _name_headings(tokens: Sequence[Token]) -> tuple[tuple[str, str], ...]:
    """Give every heading the id that it has on GitHub; return those of the second level with their words."""
    found = []
    for token, words in pairwise(tokens):
        if token.type == "heading_open":
            token.attrs["id"] = anchor(words.content)
            if token.tag == "h2":
                found.append((anchor(words.content), re.sub(r"[`*]", "", words.content)))
    return tuple(found)


def anchor(words: str) -> str:
    return re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")[:LONGEST_ANCHOR]


def _lead_links(children: Sequence[Token], leads: Mapping[str, str]) -> list[Token]:
    """Lead links between guides to their pages, and take those away that lead to a file without a page."""
    kept, is_dropped = [], False
    for token in children:
        if token.type == "link_open":
            target = str(token.attrs.get("href", ""))
            name, hash_sign, place = target.partition("#")
            is_dropped = bool(name) and name not in leads and "://" not in name
            if name in leads:
                token.attrs["href"] = leads[name] + hash_sign + place
        if not (is_dropped and token.type in ("link_open", "link_close")):
            kept.append(token)
        if token.type == "link_close":
            is_dropped = False
    return kept

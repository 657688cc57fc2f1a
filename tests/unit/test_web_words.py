"""The words, numbers and drawings of the dashboard."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from central_server.blueprints import wording
from central_server.blueprints.charts import column, day_timeline, stacked
from central_server.domain.alerts import Kind
from central_server.domain.attendance import Status
from central_server.domain.coverage import Fault
from central_server.domain.intervals import Interval
from central_server.domain.presence import Reason
from central_server.services.manage_people import normal_phone
from common.events import CameraReason, CameraState, EventKind

SERVER = Path(__file__).parents[2] / "central_server"
CATALOGUE = SERVER / "translations" / "id" / "LC_MESSAGES"
KEYWORDS = {"_": None, "gettext": None, "lazy": None, "lazy_gettext": None, "ngettext": (1, 2)}


def asked_for() -> set:
    """Return every sentence that the pages may show."""
    methods = [("blueprints/**.py", "python"), ("web.py", "python"), ("templates/*.html", "jinja2")]
    found = extract_from_dir(SERVER, methods, {}, KEYWORDS)
    return {message for _file, _line, message, _comments, _context in found}


@pytest.fixture(scope="module")
def indonesian():
    with (CATALOGUE / "messages.po").open("rb") as file:
        return read_po(file, locale="id")


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[sd]", text))


def test_every_sentence_is_in_bahasa_indonesia(indonesian):
    """Nothing on a page falls back to English, nothing translated is gone, no placeholder is lost."""
    known = {message.id: message for message in indonesian if message.id}
    assert asked_for() == set(known)
    for message in known.values():
        first = message.id[0] if isinstance(message.id, tuple) else message.id
        said = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(said), f"not translated: {first}"
        assert not message.fuzzy
        for each in said:
            assert placeholders(each) == placeholders(first), first


def test_the_compiled_words_are_the_written_ones(indonesian):
    """What the server loads was compiled from what translators read."""
    with (CATALOGUE / "messages.mo").open("rb") as file:
        compiled = read_mo(file)
    assert words_of(compiled) == words_of(indonesian)


def words_of(catalogue) -> dict:
    return {
        tuple(each.id) if isinstance(each.id, list | tuple) else each.id: (
            each.string if isinstance(each.string, str) else tuple(each.string)
        )
        for each in catalogue
        if each.id
    }


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (wording.PRESENCE, Reason),
        (wording.ATTENDANCE, Status),
        (wording.EVENTS, EventKind),
        (wording.ALERTS, Kind),
        (wording.CAMERAS, CameraState),
        (wording.CAMERA_REASONS, set(CameraReason) - {CameraReason.NONE}),
        (wording.AGENTS, Fault),
    ],
)
def test_every_code_has_its_words(words, codes):
    """Nobody in HR reads a code; a new one cannot be added without saying what it means."""
    assert {str(each) for each in codes} <= set(words)


def test_every_tone_has_a_shape_of_its_own_in_the_sprite():
    """Who cannot tell the colours apart tells the shapes apart."""
    sprite = (SERVER / "static" / "icons.svg").read_text()
    tables = (each for each in wording.FOR_TEMPLATES.values())
    used = {it.shape for table in tables for it in table.values() if isinstance(it, wording.Word)}
    assert not {each for each in used if f'<symbol id="{each}"' not in sprite}
    groups = wording.GROUP_WORDS.values()
    assert len({it.shape for it in groups}) == len(groups)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(scheme):
    """Every text colour has a contrast of 4.5 to 1 or more on what it stands on (WCAG AA)."""
    css = (SERVER / "static" / "hadir.css").read_text()
    blocks = re.findall(r":root \{(.*?)\n\s*\}", css, re.DOTALL)
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0 if scheme == "light" else 1]))
    pairs = [(ink, on) for ink in ("ink", "muted", "accent") for on in ("paper", "surface", "sunken")]
    pairs += [(tone, f"{tone}-soft") for tone in ("good", "bad", "warn", "info", "idle")]
    pairs += [(tone, "surface") for tone in ("good", "bad", "warn")]
    pairs += [("accent-ink", "accent"), ("accent", "accent-soft"), ("muted", "accent-soft")]
    weak = {pair: round(contrast(*(tokens[each] for each in pair)), 2) for pair in pairs}
    assert not {pair: value for pair, value in weak.items() if value < 4.5}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("0812-3456-7890", "6281234567890"),
        ("+62 812 3456 7890", "6281234567890"),
        ("62 0812 3456 7890", "6281234567890"),
        ("81234567890", "6281234567890"),
        ("(021) 555.1234", "62215551234"),
        ("+65 8123 4567", "6581234567"),
        ("0065 8123 4567", "6581234567"),
        ("", ""),
    ],
)
def test_phone_numbers_get_their_country_code(typed, kept):
    """However people write them, WhatsApp gets digits that begin with the country."""
    assert normal_phone(typed) == kept


@pytest.mark.parametrize("typed", ["call me", "12", "0812345678901234", "٠٨١٢٣٤٥٦٧٨٩", "+"])
def test_what_is_no_phone_number_is_refused(typed):
    """Rather than stored and never reached."""
    with pytest.raises(ValueError, match=re.escape(typed)):
        normal_phone(typed)


@given(st.text(alphabet="0123456789 -+()", max_size=20))
def test_a_kept_number_is_kept_again(typed):
    """Opening a form and saving it changes no number."""
    try:
        kept = normal_phone(typed)
    except ValueError:
        return
    assert normal_phone(f"+{kept}" if kept else "") == kept


@given(st.lists(st.tuples(st.sampled_from(["good", "bad"]), st.integers(0, 5000)), max_size=6))
def test_a_bar_is_full_and_in_proportion(parts):
    """Pieces follow one another and fill the whole; nothing at all is an empty bar."""
    pieces = stacked(parts)
    if not any(count for _tone, count in parts):
        assert pieces == ()
        return
    assert abs(sum(each.length for each in pieces) - 100) < 0.01
    for before, after in pairwise(pieces):
        assert abs(before.offset + before.length - after.offset) < 0.01


def test_a_column_grows_from_the_bottom():
    """The first part is at the foot, and the most is as high as the drawing."""
    pieces = column([("good", 6), ("bad", 4)], 10)
    assert [(each.offset, each.length) for each in pieces] == [(40, 60), (0, 40)]
    assert column([("good", 0)], 0) == ()


@given(st.lists(st.tuples(st.integers(0, 1800), st.integers(0, 300)), max_size=8))
def test_a_day_is_drawn_inside_its_frame(stays):
    """Whatever the hours, also those of a night shift, nothing is drawn outside."""
    start = datetime(2026, 11, 20, tzinfo=UTC)
    spans = [
        Interval(start + timedelta(minutes=at), start + timedelta(minutes=at + length))
        for at, length in stays
    ]
    drawn = day_timeline(spans, date(2026, 11, 20), UTC, start)
    assert len(drawn.hours) == 6
    assert drawn.minutes % 6 == 0
    for each in drawn.pieces:
        assert each.offset >= 0
        assert each.offset + each.length <= drawn.minutes + 2

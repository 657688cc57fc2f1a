"""The documents tell the truth: about settings, commands, templates, and each other."""

import argparse
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from babel.support import Translations
from pypdf import PdfReader

from central_server import cli as server_cli
from central_server.config import read_server_config
from central_server.sandbox.catalogue import PRELOADED
from central_server.services.exchange.every import TABLES
from central_server.services.export_attendance import HEADING
from common.settings import Settings
from deploy.bench.__main__ import parser as whole_bench_parser
from edge_agent import cli as agent_cli
from edge_agent.bench.__main__ import parser as bench_parser
from edge_agent.config import read_edge_config
from tests.test_architecture import ROOT, modules

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
SETTING = re.compile(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)`")


def documented() -> set[str]:
    return set(SETTING.findall((ROOT / "docs" / "settings.md").read_text()))


def test_every_setting_of_the_server_is_documented(monkeypatch, tmp_path):
    """Whatever the server reads stands in docs/settings.md, and nothing stands there that nobody reads."""
    read: set[str] = set()
    look_up = Settings._raw
    monkeypatch.setattr(Settings, "_raw", lambda self, name: (read.add(name), look_up(self, name))[1])
    read_server_config({"HADIR_HOME": str(tmp_path)})
    text = "".join(path.read_text() for path in [*modules("edge_agent", "deploy", "tests"), ROOT / "hadir"])

    assert read - documented() == set()
    assert {name for name in documented() - read if name not in text} == set()


def test_the_example_of_the_agents_settings_is_complete_and_right(tmp_path):
    """It is read without a complaint, and every key that the agent knows is in it."""
    example = (ROOT / "deploy" / "edge" / "agent.example.yaml").read_text()
    path = tmp_path / "agent.yaml"
    path.write_text(example)
    source = (ROOT / "edge_agent" / "config.py").read_text()
    reader = r"\.(?:text|texts|path|section|sections|flag|number|maybe_number|whole|choices?)\(\s*\"(\w+)\""
    keys = set(re.findall(reader, source))

    assert len(keys) > 20
    assert {key for key in keys if not re.search(rf"^\s*(- |#)?\s*#?{key}:", example, re.MULTILINE)} == set()
    assert read_edge_config(path, {"GATE_USER": "u", "GATE_PASSWORD": "p"}).cameras[0].camera_id == "gate-1"


def test_the_example_of_the_servers_settings_names_only_real_ones():
    """What an operator uncomments is understood."""
    lines = (ROOT / "deploy" / "server" / "server.example.env").read_text().splitlines()
    names = {match[1] for line in lines if (match := re.match(r"#?([A-Z][A-Z0-9_]+)=", line))}

    assert len(names) > 8
    known = documented()
    assert {name for name in names if not {name, name.removesuffix("_FILE")} & known} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path):
    """A link to a file names a file that is there."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in local if not (page.parent / link).exists()] == []


def commands(parser: argparse.ArgumentParser) -> set[str]:
    action = next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return set(action.choices)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_told_of_exists(page: Path):
    """`hadir server x`, `hadir agent x` and `hadir bench x` in a text are commands."""
    told = re.findall(r"hadir[ -](server|agent|bench) ([a-z][a-z-]+)", page.read_text())
    known = {"server": commands(server_cli.parser()), "agent": commands(agent_cli.parser())}
    known["bench"] = commands(bench_parser()) | commands(whole_bench_parser())

    assert [(who, what) for who, what in told if what not in known[who]] == []


def test_the_technicians_two_pages_are_two_and_true(tmp_path):
    """Its commands and pictures exist, and it fits on two sheets of A4."""
    guide = ROOT / "docs" / "field-guide.html"
    text = guide.read_text()
    told = set(re.findall(r"hadir agent ([a-z]+)", text))
    pictures = re.findall(r'src="([^"]+)"', text)
    assert told - commands(agent_cli.parser()) == set() and len(told) > 5
    assert [each for each in pictures if not (guide.parent / each).is_file()] == [] and len(pictures) == 5

    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("chromium is not installed: nothing prints the guide")
    sheet = tmp_path / "guide.pdf"
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = [chromium, *options, f"--print-to-pdf={sheet}", guide.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    pages = PdfReader(sheet).pages
    assert [(round(each.mediabox.width), round(each.mediabox.height)) for each in pages] == [(595, 842)] * 2


def test_the_operator_is_told_the_templates_that_we_use():
    """The guide's text of each template is what our client fills in."""
    guide = (ROOT / "docs" / "operator-guide.md").read_text()

    english = [each for each in PRELOADED if each.language == "en"]
    assert len(english) == 2
    assert [each.name for each in english if f"```\n{each.body}\n```" not in guide] == []


HR_GUIDES = {"en": "hr-guide.md", "id": "panduan-hr.md"}


@pytest.mark.parametrize("name", HR_GUIDES.values())
@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_hr_is_told_the_columns_of_every_table(table, name):
    """Each guide names each table with its columns in their order, and those in bold are its key."""
    guide = (ROOT / "docs" / name).read_text()
    row = re.search(rf"^\| `{table.name}` \| (.*) \|$", guide, re.MULTILINE)
    assert row, f"docs/{name} does not say which columns {table.name} has"

    told = re.findall(r"`(\w+)`", row[1])
    assert told == [each.name for each in table.columns]
    assert set(re.findall(r"\*\*`(\w+)`\*\*", row[1])) == set(table.key)


def test_hr_is_told_the_columns_of_a_month_of_attendance():
    """Every column of the file for payroll is explained, and none that is not in it."""
    guide = (ROOT / "docs" / "hr-guide.md").read_text()
    rows = guide.split("**A month for payroll.**")[1].split("*Correct*")[0].splitlines()
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]

    assert sorted(name for name in told if name.islower()) == sorted(HEADING)


def test_hrs_guides_are_one_guide_in_two_languages():
    """They have the same chapters, tables of the same length, and the same commands, settings and columns."""
    english, indonesian = ((ROOT / "docs" / name).read_text() for name in HR_GUIDES.values())
    shape = r"^(#+ |\|)"

    assert re.findall(shape, english, re.MULTILINE) == re.findall(shape, indonesian, re.MULTILINE)
    code = [set(re.findall(r"`([^`]+)`", each)) for each in (english, indonesian)]
    assert code[0] ^ code[1] == {"ramadan-2027-SITE", "ramadan-2027-LOKASI"}


@pytest.mark.parametrize(("language", "name"), HR_GUIDES.items())
def test_hr_is_sent_to_pages_by_the_names_they_have(language, name):
    """Of every *Page → Page* each part stands on the pages in the language of the guide."""
    ways = re.findall(r"\*([^*\n]+ → [^*\n]+?)\.?\*", (ROOT / "docs" / name).read_text())
    told = {part for way in ways for part in way.split(" → ")}

    assert len(told) > 6
    catalogue = Translations.load(ROOT / "central_server" / "translations", [language])
    words = {str(value) for value in catalogue._catalog.values()} if language == "id" else english_words()
    assert told - words == set()


def english_words() -> set[str]:
    catalogue = Translations.load(ROOT / "central_server" / "translations", ["id"])
    return {key for key in catalogue._catalog if isinstance(key, str)}

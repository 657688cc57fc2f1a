"""The help page: HR's guide in the user's language, for everybody who is signed in."""

import re

import pytest

from central_server.adapters.guides import DOCS, GUIDES, read_guide
from central_server.blueprints.access import ROLES
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from tests.web_world import WebWorld, a_web_world, inhabit


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    return found


def test_everybody_finds_the_guide_in_the_menu(world):
    """Each role is led to it from any page; a stranger is asked to sign in first."""
    for role in ROLES:
        client = world.client(role)
        assert 'href="/help/hr"' in client.get("/").text
        page = client.get("/help/hr").text
        assert "HR&#39;s guide</h1>" in page and "<code>business_date</code>" in page
    assert world.stranger().get("/help/hr").status_code == 302


def test_who_reads_indonesian_gets_the_indonesian_guide(world):
    """By the language of the user, as all pages are."""
    with UnitOfWork(world.engine) as work:
        for each in work.session.query(models.User):
            each.language = "id"
    page = world.client("hr").get("/help/hr").text

    assert "Panduan HR</h1>" in page and "Setiap pagi" in page and ">Bantuan</a>" in page
    english = re.search(r'href="(/help/hr[?]in=en)">In English', page)
    assert english and "HR&#39;s guide</h1>" in world.client("hr").get(english[1]).text


def test_what_is_no_guide_is_not_found(world):
    """A topic is one of a list, and never a path."""
    client = world.client("admin")
    assert [
        client.get(f"/help/{each}").status_code for each in ("settings", "..%2FREADME", "hr-guide.md")
    ] == [404] * 3


def test_guides_stay_within_the_policy_of_the_pages(world):
    """No script, no style, nothing from elsewhere, whatever a guide has; and every table can be scrolled."""
    for topic in GUIDES:
        page = world.client("admin").get(f"/help/{topic}")
        body = page.text.partition('<article class="card guide">')[2].partition("</article>")[0]
        assert len(body) > 2000 and body.count("<table>") == body.count('class="wide-table"')
        assert re.findall(r"<script|<style| style=|<img| on\w+=", body) == []
        assert "'unsafe" not in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(("topic", "language"), [(t, each) for t, files in GUIDES.items() for each in files])
def test_links_between_guides_lead_to_places_that_exist(topic, language):
    """A link goes to another guide's page and there to a heading, or to the open web; never to a file."""
    found = read_guide(topic, language, address=lambda each: f"/help/{each}")
    assert found is not None
    ids = {each: set(re.findall(r'id="([^"]+)"', str(the_guide(each, language).html))) for each in GUIDES}
    for link in re.findall(r'href="([^"]+)"', found.html):
        if "://" in link:
            continue
        page, _, place = link.partition("#")
        where = page.removeprefix("/help/").partition("?in=")[0] or topic
        assert where in GUIDES, link
        assert not place or place in ids[where] | set(place_names(where)), link


def the_guide(topic: str, language: str):
    return read_guide(topic, language, address=lambda each: f"/help/{each}")


def place_names(topic: str) -> list[str]:
    """The headings of a guide in every language: whoever reads another one lands at its top."""
    found = [the_guide(topic, language) for language in GUIDES[topic]]
    return [place for each in found for place in re.findall(r'id="([^"]+)"', each.html)]


def test_a_server_without_the_documents_has_no_help(tmp_path):
    """Where docs/ is not installed the page is not found; one language stands for the other."""

    def address(topic: str) -> str:
        return topic

    assert read_guide("hr", "id", address=address, docs=tmp_path) is None
    (tmp_path / "hr-guide.md").write_text(
        "# A\n\n## B <script>x</script>\n\n[c](settings.md) [d](panduan-hr.md#e)\n"
    )
    found = read_guide("hr", "id", address=address, docs=tmp_path)
    assert found is not None and found.title == "A"
    assert (
        "<script" not in found.html and "settings.md" not in found.html and 'href="hr?in=id#e"' in found.html
    )
    assert DOCS.is_dir()

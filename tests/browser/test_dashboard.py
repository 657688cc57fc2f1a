"""The dashboard in a real browser: it signs in, updates by itself, and fits a phone."""

import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine
from werkzeug.serving import BaseWSGIServer, make_server

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from tests.web_world import PASSWORD, WebWorld, a_web_world, inhabit, open_alert, put_presence

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE = {"width": 390, "height": 844}
PAGES = ("/", "/events", "/alerts/", "/alerts/1", "/people/", "/people/EMP001", "/people/add", "/attendance/")
PAGES += ("/attendance/2026-11-20/EMP001", "/reports/", "/cameras/", "/settings/", "/settings/users")
PAGES += ("/kiosks/",)
PAGES += ("/cameras/agents/plant-agent/", "/cameras/agents/plant-agent/camera")
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8
TURN_MS = 8000  # the board asks every 2 s


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    open_alert(found, "EMP003")
    return found


@pytest.fixture
def server(world: WebWorld) -> Iterator[BaseWSGIServer]:
    found = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    thread.join(10)


@pytest.fixture
def visit(browser, server) -> Iterator:
    """Open a window that is signed in; whatever the console complains about fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(role: str, **options):
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/login")
        page.get_by_label("Nama pengguna").fill(role)
        page.get_by_label("Kata sandi").fill(PASSWORD)
        page.get_by_role("button", name="Masuk").click()
        playwright.expect(page.get_by_role("heading", level=1)).to_have_text("Live board")
        return page, complaints

    yield open_page
    for context in contexts:
        context.close()


def test_the_board_updates_by_itself_and_says_when_it_cannot(world, server, visit):
    """A change in the database appears without a reload, a typed word stays; a lost server is said aloud."""
    page, complaints = visit("hr")
    row = page.get_by_role("row", name="Budi Santoso")
    playwright.expect(row).to_contain_text("In area")
    playwright.expect(row).to_contain_text("2 min ago")
    page.evaluate("window.notReloaded = true")
    page.get_by_role("link", name="Sari Dewi").focus()
    with UnitOfWork(world.engine) as work:
        put_presence(work.session, "EMP001", "off", "out_of_area", datetime.now(UTC))
    playwright.expect(row).to_contain_text("Out of area", timeout=TURN_MS)
    playwright.expect(page.locator("#summary")).to_have_text("0 in area, 2 out of area, 1 not arrived")
    playwright.expect(page.get_by_role("link", name="Sari Dewi")).to_be_focused()
    assert page.evaluate("window.notReloaded") is True
    assert complaints == []
    server.shutdown()
    server.server_close()
    playwright.expect(page.locator("[data-live-notice]")).to_be_visible(timeout=3 * TURN_MS)
    playwright.expect(page.locator("[data-live-state]")).to_have_text("No connection")


def test_searching_keeps_the_place_in_the_field(visit):
    """The list follows the typing, and the next letter goes where the last one went."""
    page, complaints = visit("hr")
    field = page.get_by_label("Name or code")
    field.press_sequentially("budi", delay=30)
    playwright.expect(page).to_have_url(re.compile("q=budi"), timeout=TURN_MS)
    playwright.expect(page.get_by_label("Name or code")).to_be_focused()
    playwright.expect(page.get_by_role("row", name="Ahmad Hidayat")).to_have_count(0)
    assert complaints == []


def test_photos_are_uploaded_with_an_answer_for_each(world, visit):
    """Two files, two answers, and the verdict of the agent appears by itself."""
    page, complaints = visit("hr")
    page.goto("/people/EMP001")
    files = [
        {"name": "face.jpg", "mimeType": "image/jpeg", "buffer": JPEG},
        {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"},
    ]
    page.locator("#photo-files").set_input_files(files)
    answers = page.locator("#uploads li")
    playwright.expect(answers.nth(0)).to_contain_text("uploaded", timeout=TURN_MS)
    playwright.expect(answers.nth(1)).to_contain_text("not a JPEG or PNG")
    playwright.expect(page.locator("#photo-list")).to_contain_text("Waiting for an agent", timeout=TURN_MS)
    with UnitOfWork(world.engine) as work:
        photo = work.session.query(models.EnrolmentPhoto).one()
        photo.state, photo.reason = "rejected", "several_faces"
    playwright.expect(page.locator("#photo-list")).to_contain_text("More than one face", timeout=TURN_MS)
    playwright.expect(answers).to_have_count(1)  # of the file that was refused at once
    assert complaints == []


def test_an_accepted_photo_changes_the_whole_page_of_the_person(world, visit):
    """Enrolment and state follow the verdict without a reload, and the line of the upload is gone."""
    with UnitOfWork(world.engine) as work:
        work.session.query(models.FaceTemplate).filter_by(employee_id="EMP001").delete()
    page, complaints = visit("hr")
    page.goto("/people/EMP001")
    playwright.expect(page.locator("#person-state")).to_contain_text("Not enrolled")
    playwright.expect(page.locator("#person-enrolment")).to_contain_text("No usable photo")
    page.evaluate("window.notReloaded = true")
    face = {"name": "face.jpg", "mimeType": "image/jpeg", "buffer": JPEG}
    page.locator("#photo-files").set_input_files([face])
    playwright.expect(page.locator("#person-enrolment")).to_contain_text("being checked", timeout=TURN_MS)
    with UnitOfWork(world.engine) as work:
        photo = work.session.query(models.EnrolmentPhoto).one()
        photo.state = "accepted"
        made = {"employee_id": "EMP001", "model_id": "m", "photo_id": photo.photo_id}
        made |= {"embedding": b"", "dimension": 0, "created_at": datetime.now(UTC)}
        work.session.add(models.FaceTemplate(**made))
    playwright.expect(page.locator("#person-enrolment")).to_contain_text("Enrolled", timeout=TURN_MS)
    playwright.expect(page.locator("#person-state")).to_contain_text("In area")
    playwright.expect(page.locator("#uploads li")).to_have_count(0)
    assert page.evaluate("window.notReloaded") is True
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_a_phone(visit, scheme):
    """Nothing has to be scrolled sideways, and the menu opens and closes from the keyboard."""
    page, complaints = visit("admin", viewport=PHONE, color_scheme=scheme)
    for url in PAGES:
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], url
    button = page.get_by_role("button", name="Menu")
    button.press("Enter")
    playwright.expect(page.get_by_role("link", name="Attendance", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    playwright.expect(button).to_be_focused()
    playwright.expect(page.get_by_role("link", name="Attendance", exact=True)).to_be_hidden()
    assert complaints == []


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_page_fits_a_small_desktop(visit, language):
    """At 1100 pixels nothing sticks out to the right, in the longer language either."""
    page, complaints = visit("admin", viewport={"width": 1100, "height": 800})
    page.goto("/settings/")
    page.locator("select[name=language]").select_option(language)
    page.locator("form:has(select[name=language]) button[type=submit]").click()
    playwright.expect(page.locator("html")).to_have_attribute("lang", language)
    for url in PAGES:
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1100, url
    assert complaints == []

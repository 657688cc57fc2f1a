"""The kiosk in a real browser: a link is opened, people come and go, and nothing is pretended."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from sqlalchemy import Engine
from werkzeug.serving import BaseWSGIServer, make_server

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.manage_kiosks import make_kiosk, revoke_kiosk
from central_server.services.manage_users import hash_password
from tests import builders
from tests.browser.test_dashboard import CHROMIUM, FLAGS, PHONE, TURN_MS
from tests.builders import now
from tests.kiosk_world import a_badge
from tests.web_world import PASSWORD, WebWorld, a_web_world, inhabit

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PIN = "271828"
TABLET = {"width": 1024, "height": 768}
LOST_MS = 40_000  # two pulses that nobody answers


@pytest.fixture(scope="module")
def driver() -> Iterator:
    with playwright.sync_playwright() as found:
        yield found


@pytest.fixture(scope="module")
def browser(driver) -> Iterator:
    found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield found
    found.close()


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    with UnitOfWork(engine) as work:
        builders.an_employee(work.session, "ANI", name="Ani Lestari", is_enrolled=False, consent_at=None)
        work.session.query(models.ShiftAssignment).delete()  # so that the day counts at any hour
    return found


@pytest.fixture
def code(world) -> str:
    """Ani's badge; her PIN is PIN."""
    return a_badge(world.engine, "ANI", pin_hash=hash_password(PIN))


@pytest.fixture
def server(world: WebWorld) -> Iterator[BaseWSGIServer]:
    found = make_server("127.0.0.1", 0, world.app, threaded=True)
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    thread.join(10)


class Tablet:
    """A browser at the door; what its console complains about is kept."""

    def __init__(self, browser, world: WebWorld, server: BaseWSGIServer, **options) -> None:
        base = f"http://127.0.0.1:{server.port}"
        self.context = browser.new_context(base_url=base, **{"viewport": TABLET, **options})
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page = self.context.new_page()
        self.page.on(
            "console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text)
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.posted: list[str] = []
        self.page.on("request", lambda request: self.posted.append(request.post_data or ""))
        self.page.on("request", lambda request: self.asked.append(request.url + str(request.headers)))
        with UnitOfWork(world.engine) as work:
            _, self.secret = make_kiosk(
                work, name="Door", site_id="plant", zone_id="plant-gate", now=now(), by="admin"
            )

    def open(self):
        self.page.goto(f"/kiosk/open#{self.secret}")
        self.page.locator("#use").click()
        playwright.expect(self.page.locator("#start")).to_be_visible()
        return self.page

    def identify(self, kind: str, code: str, pin: str) -> None:
        self.page.locator(f".way.{kind}").click()
        self.page.locator("#code").fill(code)
        for digit in pin:
            self.page.locator(f"[data-digit='{digit}']").click()
        self.page.locator("#form button[type=submit]").click()

    def answer(self, words: str) -> None:
        playwright.expect(self.page.locator("#answer")).to_contain_text(words)


@pytest.fixture
def tablet(browser, world, server) -> Iterator[Tablet]:
    found = Tablet(browser, world, server)
    yield found
    found.context.close()


def test_a_person_comes_and_goes_and_everybody_knows(world, server, browser, tablet, code):
    """In by PIN, out by the badge that a scanner types; the board and the attendance say so."""
    page = tablet.open()
    assert page.url.endswith("/kiosk/")
    assert not any(tablet.secret in each for each in tablet.asked)
    page.go_back()
    assert tablet.secret not in page.url
    page.goto("/kiosk/")
    tablet.identify("in", "ani", PIN)
    tablet.answer("Selamat datang, Ani")
    playwright.expect(page.locator("#answer")).to_contain_text(re.compile(r"Masuk pukul \d\d:\d\d"))
    hr = browser.new_context(base_url=f"http://127.0.0.1:{server.port}").new_page()
    hr.goto("/login")
    hr.get_by_label("Nama pengguna").fill("hr")
    hr.get_by_label("Kata sandi").fill(PASSWORD)
    hr.get_by_role("button", name="Masuk").click()
    row = hr.get_by_role("row", name="Ani Lestari")
    playwright.expect(row).to_contain_text("In area")
    playwright.expect(row).to_contain_text("Entrance Zone")
    page.keyboard.type(code)  # over the answer of the one before
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#question")).to_contain_text("Kartu terbaca")
    assert "Ani" not in page.locator("body").inner_text()
    page.locator(".way.out").click()
    tablet.answer("Sampai jumpa, Ani")
    playwright.expect(row).to_contain_text("Clocked out", timeout=TURN_MS)
    hr.goto("/attendance/?date=" + str(world.rows(models.Attendance)[0].business_date))
    playwright.expect(hr.get_by_role("row", name="Ani Lestari")).to_contain_text(re.compile(r"\d\d:\d\d"))
    playwright.expect(page.locator("#start")).to_be_visible(timeout=12_000)  # by itself
    assert "Ani" not in page.locator("body").inner_text()
    assert page.locator("#code").input_value() == page.locator("#pin").input_value() == ""
    assert [each.kind for each in world.rows(models.Event)] == ["in", "out"]
    assert tablet.complaints == []
    hr.context.close()


def test_a_refusal_says_what_to_do_in_either_language(tablet, code):
    """A wrong PIN, a strange barcode; the language changes in the middle and goes back by itself."""
    page = tablet.open()
    tablet.identify("in", "ANI", "000000")
    tablet.answer("Tidak tercatat")
    page.get_by_role("button", name="English").click()
    tablet.answer("Not recorded")
    tablet.answer("HR can give you a new one")
    page.locator("#answer-done").click()
    page.locator(".way.out").click()
    page.locator("#code").fill("ANI")
    page.locator(f"[data-digit='{PIN[0]}']").click()
    page.keyboard.type(PIN[1:])  # the rest by the keyboard, from where the finger was
    page.keyboard.press("Enter")
    tablet.answer("Sampai jumpa, Ani")
    page.locator("#answer-done").click()
    playwright.expect(page.locator("#question")).to_have_text("Anda datang atau pulang?")
    page.locator(".way.in").focus()
    page.keyboard.type("8991234567890")
    page.keyboard.press("Enter")
    tablet.answer("Kartu ini tidak berlaku.")
    page.locator("#answer-done").click()
    page.locator(".way.in").click()
    page.locator("#form [type=submit].huge").click()
    playwright.expect(page.locator("#form-problem")).to_contain_text("Ketik kode")
    page.keyboard.type(code)  # into the field that has the focus
    page.keyboard.press("Enter")
    tablet.answer("Selamat datang, Ani")


def test_a_code_can_be_typed_with_the_keys_on_the_screen(tablet, code):
    """Letters and digits go into the code while letters are shown, then the digits into the PIN."""
    page = tablet.open()
    page.locator(".way.in").click()
    page.locator("[data-letters]").click()
    for letter in "ANI":
        page.locator(f"[data-letter='{letter}']").click()
    page.locator("#form button[type=submit]").click()  # leads on to the PIN
    for digit in PIN:
        page.locator(f"[data-digit='{digit}']").click()
    assert page.locator("#code").input_value() == "ANI"
    page.locator("#form button[type=submit]").click()
    tablet.answer("Selamat datang, Ani")


def test_without_the_server_nothing_is_pretended(world, tablet, code):
    """The answer is lost on its way: it is asked for again by itself, and the punch counts once."""
    page = tablet.open()
    lost = []

    def lose(route):
        if len(lost) < 2:
            lost.append(route.fetch())  # recorded, and the tablet never hears of it
            return route.abort()
        return route.continue_()

    page.route("**/kiosk/punch", lose)
    tablet.identify("in", "ANI", PIN)
    tablet.answer("Belum ada jawaban")
    playwright.expect(page.locator("#answer")).to_contain_text("Selamat datang, Ani", timeout=15_000)
    assert len(lost) == 2
    assert [each.kind for each in world.rows(models.Event)] == ["in"]


def test_a_lost_server_is_said_in_large_letters(tablet, server):
    """The buttons are gone while nothing can be recorded, and come back with the connection."""
    page = tablet.open()
    tablet.context.set_offline(True)
    playwright.expect(page.locator("#offline")).to_be_visible(timeout=LOST_MS)
    playwright.expect(page.locator("#start")).to_be_hidden(timeout=LOST_MS)
    tablet.context.set_offline(False)
    playwright.expect(page.locator("#start")).to_be_visible(timeout=LOST_MS)
    playwright.expect(page.locator("#offline")).to_be_hidden(timeout=LOST_MS)


def test_a_tablet_that_is_shut_out_says_so(world, tablet):
    """At the next pulse; and the link that made it a kiosk makes none any more."""
    page = tablet.open()
    with UnitOfWork(world.engine) as work:
        revoke_kiosk(work, "kiosk-door", now=now(), by="admin")
    playwright.expect(page.locator("#revoked")).to_be_visible(timeout=LOST_MS)
    page.goto("about:blank")
    page.goto(f"/kiosk/open#{tablet.secret}")
    page.locator("#use").click()
    playwright.expect(page.locator("#problem")).not_to_be_empty()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg to make a camera's picture with")
def test_the_camera_reads_a_badge(driver, world, server, code, tmp_path):
    """A badge held before the tablet's camera is read by our own decoder, and no picture is sent."""
    segno.make(code, error="m", micro=False).save(str(tmp_path / "badge.png"), scale=8, border=8)
    film = tmp_path / "camera.y4m"
    scale = "scale=360:360,pad=1280:720:(ow-iw)/2:(oh-ih)/2:gray,format=yuv420p"
    still = ["-loop", "1", "-framerate", "10", "-t", "2", "-i", str(tmp_path / "badge.png")]
    subprocess.run(["ffmpeg", "-v", "error", *still, "-vf", scale, str(film)], check=True)
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    flags.append(f"--use-file-for-fake-video-capture={film}")
    with_film = driver.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
    tablet = Tablet(with_film, world, server)
    page = tablet.open()
    page.locator(".way.in").click()
    page.locator("#use-camera").click()
    playwright.expect(page.locator("#answer")).to_contain_text("Selamat datang, Ani", timeout=20_000)
    assert page.evaluate("document.getElementById('video').srcObject") is None
    assert tablet.complaints == []
    assert max(len(each) for each in tablet.posted) < 200  # the badge's text; a picture would be more
    with_film.close()


@pytest.mark.parametrize("size", [TABLET, PHONE, {"width": 1280, "height": 800}])
@pytest.mark.parametrize("language", ["id", "en"])
def test_every_step_fits_the_screen(browser, world, server, code, size, language):
    """Nothing sticks out, and what a thumb must hit is large enough."""
    tablet = Tablet(browser, world, server, viewport=size)
    page = tablet.open()
    if language == "en":
        page.get_by_role("button", name="English").click()
    tablet.page.locator(".way.out").click()
    for part in ("who", "start"):
        playwright.expect(page.locator(f"#{part}")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        for button in page.locator(f"#{part} button:visible").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 48, button.inner_text()
        if part == "who":
            page.locator("#who [data-cancel]").click()
    tablet.context.close()

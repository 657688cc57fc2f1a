"""Drawing what a camera shall not see, with a mouse, a finger and the keyboard, on a picture of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from central_server.adapters.sealing import Seal
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent
from central_server.services.take_still import store_still
from tests.browser import test_dashboard
from tests.web_world import WebWorld

playwright, pytestmark = test_dashboard.playwright, test_dashboard.pytestmark
browser, server, visit, world = (
    test_dashboard.browser,
    test_dashboard.server,
    test_dashboard.visit,
    test_dashboard.world,
)
AGENT = "plant-agent"
PAGE = f"/cameras/agents/{AGENT}/camera/plant-cam"
CAMERA = {"camera_id": "plant-cam", "name": "Gate", "url": "***", "shown": "rtsp://10.0.0.5/…"}


@pytest.fixture
def taken_over(world) -> Iterator[WebWorld]:
    """A world whose agent's one camera is configured on the dashboard."""
    seal = Seal(world.app.extensions["hadir"].config.secret_key, configure_agent.PURPOSE)
    with UnitOfWork(world.engine) as work:
        agent = work.session.get_one(models.Agent, AGENT)
        agent.health = {"configuration": {"cameras": [CAMERA], "stage": "good"}}
        configure_agent.take_over(work, agent, seal, configure_agent.Change(0, "admin", datetime.now(UTC)))
    yield world


@pytest.fixture
def pictured(taken_over) -> WebWorld:
    """The same, and its agent has brought a picture of the camera."""
    folder = Path(taken_over.home) / "stills" / AGENT
    folder.mkdir(parents=True)
    (folder / "plant-cam.jpg").write_bytes(a_jpeg())
    return taken_over


def a_jpeg() -> bytes:
    return cv2.imencode(".jpg", np.full((90, 160, 3), 99, np.uint8))[1].tobytes()


def corners(page, layer: str) -> list[list[float]]:
    text = page.locator(f"#{layer}").input_value()
    return [[float(value) for value in corner.split(",")] for corner in text.rpartition(":")[2].split()]


def tap(page, x: float, y: float, *, finger: bool = False) -> None:
    canvas = page.locator(".canvas svg")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    press = page.touchscreen.tap if finger else page.mouse.click
    press(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_a_mask_is_drawn_moved_and_saved(pictured, visit):
    """Clicks make corners, a drag and the arrow keys move one, Delete takes it away; the text follows."""
    page, complaints = visit("admin")
    page.goto(PAGE)
    for x, y in ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5)):
        tap(page, x, y)
    assert corners(page, "mask") == [
        pytest.approx(each, abs=0.01) for each in ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5), (0.1, 0.5))
    ]
    box = page.locator(".canvas svg").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.7 * box["height"], steps=5)
    page.mouse.up()
    assert corners(page, "mask")[2] == pytest.approx([0.8, 0.7], abs=0.01)
    assert len(corners(page, "mask")) == 4, "the end of a drag adds no corner"
    handle = page.get_by_role("button", name="Corner 1 of shape 1")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert corners(page, "mask")[0] == pytest.approx([0.11, 0.11], abs=0.006)
    playwright.expect(page.get_by_role("button", name="Corner 1 of shape 1")).to_be_focused()
    page.get_by_role("button", name="Corner 4 of shape 1").focus()
    page.keyboard.press("Delete")
    assert len(corners(page, "mask")) == 3
    page.get_by_role("button", name="Save").click()
    playwright.expect(page.get_by_role("status")).to_contain_text("Saved")
    page.goto(PAGE)
    assert len(corners(page, "mask")) == 3
    assert complaints == []


def test_a_finger_draws_a_named_part_on_a_phone_and_typing_moves_the_drawing(pictured, visit):
    """The same on a touch screen; and whoever types corners sees them."""
    page, complaints = visit("admin", viewport=test_dashboard.PHONE, has_touch=True)
    page.goto(PAGE)
    page.get_by_label("Named parts").first.check()
    for x, y in ((0.2, 0.2), (0.8, 0.2), (0.5, 0.8)):
        tap(page, x, y, finger=True)
    assert page.locator("#zones").input_value().startswith("Part 1: 0.")
    assert corners(page, "zones") == [
        pytest.approx(each, abs=0.02) for each in ((0.2, 0.2), (0.8, 0.2), (0.5, 0.8))
    ]
    page.locator("#watch").fill("0,0 1,0 1,1 0,1")
    playwright.expect(page.locator("polygon.watch")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= test_dashboard.PHONE["width"]
    assert complaints == []


def test_a_picture_is_asked_for_without_losing_what_was_typed(taken_over, visit):
    """There is nothing to draw on until the agent has brought it; the fields can be typed in all the same."""
    page, complaints = visit("admin")
    page.goto(f"/cameras/agents/{AGENT}/camera")
    playwright.expect(page.locator("#mask")).to_be_visible()
    playwright.expect(page.locator("[data-draw]")).to_be_hidden()
    page.goto(PAGE)
    playwright.expect(page.locator("[data-draw]")).to_be_hidden()
    page.locator("#mask").fill("0,0 0.3,0 0.3,0.4")
    page.get_by_role("button", name="Take a picture").click()
    words = page.locator("[data-still-words]")
    playwright.expect(words).to_contain_text("The agent is bringing a picture")
    with UnitOfWork(taken_over.engine) as work:
        agent = work.session.get_one(models.Agent, AGENT)
        store_still(work, Path(taken_over.home), agent, "plant-cam", a_jpeg(), now=datetime.now(UTC))
    playwright.expect(page.locator(".canvas img")).to_be_visible(timeout=test_dashboard.TURN_MS)
    assert page.locator(".canvas img").evaluate("image => image.naturalWidth") == 160
    assert page.locator("#mask").input_value() == "0,0 0.3,0 0.3,0.4"
    playwright.expect(page.locator("polygon.mask")).to_have_count(1)
    assert complaints == []

"""Before and after: the line between the two images follows mouse, touch and keys, wherever they point."""

import pytest

from processing.engine.worker import run_until_idle
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_pages import expect
from tests.factories import make_client, make_image, pictures
from tests.factories.rest import submit

pytestmark = [pytest.mark.django_db(transaction=True)]


def split_of(page) -> float:
    text = page.locator(".compare").first.evaluate("e => getComputedStyle(e).getPropertyValue('--split')")
    return float(text.removesuffix("%"))


@pytest.fixture
def job_path() -> str:
    image = make_image(pictures.jpeg(640, 480, seed=5), name="harbour.jpg")
    job = submit(
        make_client("process"),
        image,
        "grayscale",
        {"name": "resize", "parameters": {"width": 1280, "format": "png"}},
    )
    run_until_idle()
    return f"/jobs/{job['id']}/"


def points(page, *shares: tuple[float, float]) -> list[tuple[float, float]]:
    box = page.locator(".compare").first.bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]


def test_the_line_follows_a_mouse_anywhere_on_the_image(open_page, job_path):
    page = open_page(WIDE)
    page.goto(job_path)
    page.locator(".compare").first.scroll_into_view_if_needed()
    for y in (0.03, 0.5, 0.97):
        start, middle, end = points(page, (0.5, y), (0.2, y), (0.8, 0.5))
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*middle)
        assert split_of(page) == pytest.approx(20, abs=1.5)
        page.mouse.move(*end)
        assert split_of(page) == pytest.approx(80, abs=1.5)
        page.mouse.up()
    page.mouse.move(*start)
    assert split_of(page) == pytest.approx(80, abs=1.5)  # nothing is dragged any more
    page.keyboard.press("ArrowLeft")
    assert split_of(page) == pytest.approx(79, abs=1.5)


def test_the_line_follows_a_finger_anywhere_on_the_image(open_page, job_path):
    page = open_page(NARROW)
    page.goto(job_path)
    page.locator(".compare").first.scroll_into_view_if_needed()
    for x, y in ((0.25, 0.5), (0.7, 0.9)):
        page.touchscreen.tap(*points(page, (x, y))[0])
        assert split_of(page) == pytest.approx(100 * x, abs=1.5)
    cdp = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 0.7), ("touchMove", 0.6), ("touchMove", 0.4), ("touchMove", 0.3)):
        spot = points(page, (x, 0.6))[0]
        cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": spot[0], "y": spot[1]}]})
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert split_of(page) == pytest.approx(30, abs=2)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_result_names_its_source_and_warns_when_it_grew(open_page, job_path, size):
    page = open_page(size)
    page.goto(job_path)
    card = page.locator(".result", has_text="harbour_resize.png")
    expect(card.locator("[data-source]")).to_have_text("From harbour.jpg")
    grown = card.locator(".badge.grown")
    expect(grown).to_contain_text("larger than the original")
    quiet = page.evaluate("getComputedStyle(document.body).color")
    assert grown.evaluate("e => getComputedStyle(e).color") != quiet

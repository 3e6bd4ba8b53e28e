"""The map in a real browser: drawn, moved, lassoed, changed, undone."""

import pytest

from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_rows
from tests.factories.with_map import mapped_batch

pytestmark = [pytest.mark.django_db(transaction=True)]

MOVE_60_FRAMES = """() => new Promise((done) => {
  const canvas = document.querySelector("[data-map-canvas]");
  const keys = ["ArrowLeft", "ArrowUp", "+", "ArrowRight", "ArrowDown", "-"];
  const start = performance.now();
  let frame = 0;
  const step = () => {
    if (frame === 60) return done(60000 / (performance.now() - start));
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: keys[frame % keys.length] }));
    frame += 1;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
DRAWN_PIXELS = """() => {
  const canvas = document.querySelector("[data-map-canvas]");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
  return count;
}"""


def open_map(page, batch):
    page.goto(f"/batches/{batch.pk}/map/")
    page.locator("[data-map][data-ready]").wait_for()


def lasso_all(page):
    box = page.locator("[data-map-canvas]").bounding_box()
    left, top = box["x"] + 4, box["y"] + 4
    right, bottom = left + box["width"] - 8, top + box["height"] - 8
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 9)):
        page.mouse.move(x, y, steps=3)
    page.mouse.up()


def test_5000_points_move_fluently(open_page):
    batch = mapped_batch(make_rows(5000), groups=60, noise=400)
    page = open_page(WIDE)
    open_map(page, batch)

    rate = page.evaluate(MOVE_60_FRAMES)

    print(f"5 000 points: {rate:.0f} frames a second")
    assert page.evaluate(DRAWN_PIXELS) > 5000


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_lassoed_pictures_are_moved_and_brought_back(open_page, size):
    batch = mapped_batch(make_rows(24), groups=3, noise=3)
    page = open_page(size)
    open_map(page, batch)
    page.locator("[data-map-canvas]").scroll_into_view_if_needed()
    page.locator("[data-lasso]").click()

    lasso_all(page)
    page.locator("[data-selection-count]", has_text="24 images selected").wait_for()
    page.locator('[data-act="move"]').click()
    page.locator("#chooser-search").fill("sort 2")
    page.keyboard.press("Enter")
    page.locator("[data-legend] button", has_text="Sort 2").get_by_text("24", exact=True).wait_for()
    assert batch.batch_images.filter(group__label="2").count() == 24

    page.locator("#toast button").click()
    page.locator("[data-legend] button", has_text="Unassigned").get_by_text("3", exact=True).wait_for()
    assert batch.batch_images.filter(group=None).count() == 3

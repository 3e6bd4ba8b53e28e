"""Reviewing groups in a real browser: by mouse, key and finger, and two people at once."""

import pytest

from batches.groups import operations as grouping
from batches.models import Batch, BatchImage
from batches.services import add_images, create_batch
from images.models import Image
from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_image, pictures

pytestmark = [pytest.mark.django_db(transaction=True)]
NAMES = {"boots": 5, "hats": 4, "gloves": 3}


def expect(locator):
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


@pytest.fixture
def batch() -> Batch:
    batch = create_batch("Wardrobe", owner=None)
    seed = 0
    for name, count in NAMES.items():
        keys = []
        for _ in range(count):
            seed += 1
            keys.append(make_image(pictures.png(64, 48, seed=seed), name=f"{name}-{seed}.png").pk)
        add_images(batch, keys, actor=None)
        grouping.create_group(batch, name=name, image_ids=keys, actor=None)
    return batch


def counts(batch: Batch) -> dict[str, int]:
    rows = BatchImage.objects.filter(batch=batch).values_list("group__name", flat=True)
    names = [name or "" for name in rows]
    return {name: names.count(name) for name in dict.fromkeys(names)}


def open_group(page, batch: Batch, name: str):
    page.goto(f"/batches/{batch.pk}/review/groups/{batch.groups.get(name=name).label}/")
    page.locator("[data-review].is-live").wait_for()
    return page.locator(".pictures .pic")


def told(page, text: str) -> None:
    expect(page.locator("#toast")).to_contain_text(text)


def is_on_a_picture(page) -> bool:
    return page.evaluate("document.activeElement.matches('.pic-link')")


@pytest.mark.walk
def test_a_group_is_put_right_with_the_keyboard_alone(open_page, batch):
    page = open_page(WIDE, scope="write")
    found = open_group(page, batch, "boots")
    found.nth(0).locator(".pic-link").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("2")
    told(page, "Moved 2 images from boots to hats.")
    expect(found).to_have_count(3)
    assert is_on_a_picture(page)

    page.keyboard.press("u")
    told(page, "Undid: moved 2 images")
    expect(found).to_have_count(5)
    page.keyboard.press("Shift+U")
    told(page, "Redid: moved 2 images")
    expect(found).to_have_count(3)

    page.keyboard.press("x")
    expect(page.locator(".pic.rejected")).to_have_count(1)
    assert is_on_a_picture(page)
    page.keyboard.press("n")
    page.keyboard.type("winter boots")
    page.keyboard.press("Enter")
    expect(page.locator("#group-title h2")).to_have_text("winter boots")
    page.keyboard.press("c")
    expect(page.locator("#review-progress")).to_contain_text("1 of 3 groups done")
    page.keyboard.press("c")
    page.wait_for_url("**/groups/3/**")
    assert counts(batch) == {"winter boots": 3, "hats": 6, "gloves": 3}


def test_strips_take_pictures_by_drag_and_give_them_back(open_page, batch):
    page = open_page(WIDE, scope="write")
    page.goto(f"/batches/{batch.pk}/review/")
    boots = page.locator('.strip[data-title="boots"]')
    hats = page.locator('.strip[data-title="hats"]')
    page.locator(".is-live").wait_for()
    boots.locator(".pic-link").nth(0).click()
    boots.locator(".pic-link").nth(1).click(modifiers=["Control"])
    start, end = boots.locator(".pic").nth(1).bounding_box(), hats.bounding_box()
    page.mouse.move(start["x"] + 60, start["y"] + 60)
    page.mouse.down()
    page.mouse.move(start["x"] + 80, start["y"] + 80, steps=3)
    page.mouse.move(end["x"] + 200, end["y"] + 40, steps=5)
    expect(page.locator(".drag-ghost")).to_have_text("2to hats")
    expect(hats).to_have_class("strip card is-over")
    page.mouse.up()

    told(page, "Moved 2 images from boots to hats.")
    expect(hats.locator(".pic")).to_have_count(6)
    expect(boots.locator(".pic")).to_have_count(3)
    page.locator("#toast button").click()
    expect(hats.locator(".pic")).to_have_count(4)
    assert counts(batch) == NAMES


def test_second_reviewer_is_told_and_does_it_again(open_page, batch):
    page = open_page(WIDE, scope="write", username="ben")
    found = open_group(page, batch, "boots")
    keys = list(batch.batch_images.filter(group__name="gloves").values_list("image", flat=True))
    grouping.move(batch, keys[:1], to=batch.groups.get(name="hats").label, actor=None)
    found.nth(0).locator(".pic-link").focus()
    page.keyboard.press("2")

    told(page, "Pix changed this batch first: moved 1 image from gloves to hats. Your change was not saved.")
    assert counts(batch) == {"boots": 5, "hats": 5, "gloves": 2}
    page.get_by_role("button", name="Try again").click()
    told(page, "Moved 1 image from boots to hats.")
    assert counts(batch) == {"boots": 4, "hats": 6, "gloves": 2}


def test_fingers_select_move_and_undo(open_page, batch):
    page = open_page(NARROW, scope="write")
    found = open_group(page, batch, "boots")
    for number in (0, 2):
        found.nth(number).locator(".pic-link").tap()
    expect(page.locator("[data-selected-count]")).to_have_text("2 selected")
    page.locator('.review-bar [data-act="move"]').tap()
    page.get_by_role("option", name="gloves").tap()
    told(page, "Moved 2 images from boots to gloves.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#toast button").tap()
    expect(found).to_have_count(5)
    assert counts(batch) == NAMES


def test_long_press_drags_onto_the_dock(open_page, batch):
    page = open_page(NARROW, scope="write")
    found = open_group(page, batch, "boots")
    touch = page.context.new_cdp_session(page)

    def send(kind: str, x: float = 0, y: float = 0) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    found.nth(0).scroll_into_view_if_needed()
    start = found.nth(0).bounding_box()
    send("touchStart", start["x"] + 60, start["y"] + 60)
    page.locator(".drag-ghost").wait_for()
    target = page.locator('.target[data-title="hats"]')
    end = target.bounding_box()
    send("touchMove", end["x"] + 20, end["y"] + 20)
    expect(target).to_have_class("target is-over")
    send("touchEnd")

    told(page, "Moved 1 image from boots to hats.")
    assert counts(batch) == {"boots": 4, "hats": 5, "gloves": 3}


def test_panel_compares_two_and_keeps_one(open_page, batch):
    keys = list(batch.batch_images.filter(group__name="boots").values_list("image", flat=True))
    Image.objects.filter(batch_images__batch=batch).update(phash=None)
    Image.objects.filter(pk__in=keys[:2]).update(phash=0)
    page = open_page(WIDE, scope="write")
    found = open_group(page, batch, "boots")
    panel = page.locator("#picture-panel")
    found.nth(0).locator(".pic-link").dblclick()
    panel.get_by_role("button", name="Compare with boots-2.png").click()
    expect(panel.locator("figure")).to_have_count(2)
    panel.locator("figure").nth(1).get_by_role("button", name="Keep this").click()
    told(page, "rejected 1 image as near-duplicate")
    expect(panel.locator("figure.is-rejected")).to_have_count(1)
    assert batch.batch_images.get(decision="rejected").image_id == keys[0]

    page.keyboard.press("u")
    expect(panel.locator("figure.is-rejected")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(panel.locator("figure")).to_have_count(0)
    expect(panel).to_be_visible()


def test_panel_decides_of_the_picture_that_it_shows(open_page, batch):
    keys = list(batch.batch_images.filter(group__name="boots").values_list("image", flat=True))
    page = open_page(WIDE, scope="write")
    found = open_group(page, batch, "boots")
    found.nth(0).locator(".pic-link").dblclick()
    page.locator('[data-act="panel-after"]').click()
    expect(page.locator("#picture-panel h2")).to_have_text("boots-2.png")
    page.locator('.panel-tools [data-act="accept"]').click()
    told(page, "Accepted 1 image")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#picture-panel h2")).to_have_text("boots-3.png")
    page.keyboard.press("x")
    told(page, "Rejected 1 image")
    expect(page.locator("#batch-last, .batch-last")).to_contain_text("rejected 1 image")
    assert batch.batch_images.get(decision="accepted").image_id == keys[1]
    assert batch.batch_images.get(decision="rejected").image_id == keys[2]


@pytest.mark.walk
def test_viewer_looks_and_changes_nothing(open_page, batch):
    page = open_page(WIDE, scope="read")
    found = open_group(page, batch, "boots")
    found.nth(0).locator(".pic-link").click()
    expect(page.locator("#picture-panel")).to_contain_text("Placed by a person.")
    page.keyboard.press("x")
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#picture-panel h2")).to_have_text("boots-2.png")
    assert counts(batch) == NAMES

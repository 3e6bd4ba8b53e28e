"""Near-duplicates in a real browser: the slider with its live count, deciding one set or all, and back."""

import pytest

from batches.membership import add_images
from batches.models import Batch
from batches.services import create_batch
from images.models import Image
from tests.browser.conftest import NARROW, WIDE
from tests.factories import make_rows

pytestmark = [pytest.mark.django_db(transaction=True)]
FAR = 0x0F0F_3333_5555_0FF0


def expect(locator):
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


@pytest.fixture
def batch() -> Batch:
    """A set of three, a set of two, one that is alone; the first of each has the most pixels."""
    rows = make_rows(6)
    for row, phash in zip(rows, [0, 1, 3, FAR, FAR ^ 1, -1], strict=True):
        row.phash = phash
    for row in (rows[0], rows[3]):
        row.width, row.height = 1280, 960
    Image.objects.bulk_update(rows, ["phash", "width", "height"])
    batch = create_batch("Copies", owner=None)
    add_images(batch, [row.pk for row in rows], actor=None)
    return batch


def open_near(page, batch: Batch):
    page.goto(f"/batches/{batch.pk}/near-duplicates/")
    expect(page.locator("[data-slider]")).to_be_visible()
    return page.locator("[data-set]")


def decisions(batch: Batch) -> list[str]:
    return list(batch.batch_images.order_by("position").values_list("decision", flat=True))


def told(page, text: str) -> None:
    expect(page.locator("#toast")).to_contain_text(text)


def test_slider_counts_while_it_is_moved_and_loads_where_it_stops(open_page, batch):
    page = open_page(WIDE, scope="write")
    found = open_near(page, batch)
    count = page.locator("[data-count]")
    expect(count).to_have_text("2 sets of 5 images")

    page.locator("#near-slider").focus()
    page.keyboard.press("Home")
    expect(count).to_have_text("no sets")
    expect(found).to_have_count(0)
    assert "threshold=0" in page.url
    page.keyboard.press("End")
    expect(found).to_have_count(2)


def test_one_set_is_decided_by_key_and_another_said_to_be_different(open_page, batch):
    page = open_page(WIDE, scope="write")
    found = open_near(page, batch)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    told(page, "Undo")
    expect(found).to_have_count(1)
    expect(page.locator("#near-decided summary")).to_have_text("1 decided set")

    page.keyboard.press("d")
    expect(found).to_have_count(0)
    expect(page.get_by_role("heading", name="Nothing to decide")).to_be_visible()
    assert decisions(batch) == ["pending", *["rejected"] * 2, *["pending"] * 3]

    page.keyboard.press("u")
    expect(found).to_have_count(1)
    page.keyboard.press("u")
    expect(found).to_have_count(2)
    assert set(decisions(batch)) == {"pending"}


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_all_sets_are_resolved_after_a_preview_and_brought_back(open_page, batch, size):
    page = open_page(size, scope="write")
    found = open_near(page, batch)
    page.locator("[data-resolve-all]").click()
    dialog = page.locator("[data-near-dialog]")
    expect(dialog.locator("h2")).to_have_text("Resolve 2 sets?")
    dialog.locator("[data-close]").click()
    expect(dialog).to_be_hidden()
    assert set(decisions(batch)) == {"pending"}

    page.locator("[data-resolve-all]").click()
    dialog.get_by_role("button", name="Reject 3 images").click()
    expect(found).to_have_count(0)
    assert decisions(batch) == ["pending", "rejected", "rejected", "pending", "rejected", "pending"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#toast button").click()
    expect(found).to_have_count(2)
    assert set(decisions(batch)) == {"pending"}


def test_without_a_script_it_is_a_form(chromium, live_server, open_page, batch):
    state = open_page(WIDE, scope="write").context.storage_state()
    context = chromium.new_context(base_url=live_server.url, storage_state=state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/batches/{batch.pk}/near-duplicates/")
    page.locator("[data-set]").first.get_by_role("button", name="Different images").click()
    expect(page.locator("[data-set]")).to_have_count(1)
    page.get_by_role("link", name="Resolve all").click()
    page.locator("[data-all-form] button").click()
    expect(page.get_by_role("heading", name="Nothing to decide")).to_be_visible()
    page.locator("#batch-undo").click()
    expect(page.locator("[data-set]")).to_have_count(1)
    context.close()

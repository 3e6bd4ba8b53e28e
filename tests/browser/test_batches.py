"""A batch from the drop of a folder to its approval and export, in a real browser against real workers."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from batches.models import Batch
from tests.browser.conftest import NARROW, WIDE
from tests.processing.engine.processes import workers

pytestmark = [pytest.mark.django_db(transaction=True)]

# What a browser hands over when a folder is dropped: entries to walk, of which at most 100 come at once.
DROP_FOLDER = """() => {
    const entries = window.heldFiles.map((f) => ({ name: f.name, isFile: true, file: (done) => done(f) }));
    entries.push({ name: ".DS_Store", isFile: true, file: (done) => done(new File(["x"], ".DS_Store")) });
    const parts = [entries.slice(0, 5), entries.slice(5), []];
    const reader = { readEntries: (done) => done(parts.shift()) };
    const folder = { name: "Autumn", isDirectory: true, createReader: () => reader };
    const event = new Event("drop", { bubbles: true, cancelable: true });
    event.dataTransfer = { types: ["Files"], files: [], items: [{ webkitGetAsEntry: () => folder }] };
    window.dispatchEvent(event);
}"""


def expect(locator):
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


@pytest.fixture
def folder(tmp_path) -> list[Path]:
    """Two kinds of pictures that any network tells apart: red stripes and blue noise."""
    dice, paths = np.random.default_rng(5), []
    for number in range(21):
        pixels = np.zeros((96, 96, 3), np.uint8)
        if number % 2:
            pixels[:, :: 6 + number] = (220, 30, 30)
        else:
            pixels[..., 2] = dice.integers(120, 255, (96, 96))
        paths.append(tmp_path / f"picture-{number:02}.png")
        Pillow.fromarray(pixels).save(paths[-1])
    return paths


def drop_folder(page, paths: list[Path]) -> None:
    """Drop files as a folder: made in the page, since a browser under test has no file manager beside it."""
    handle = page.evaluate_handle(
        "() => { const i = document.createElement('input'); i.type = 'file'; i.multiple = true; return i; }"
    )
    handle.as_element().set_input_files(paths)
    page.evaluate("input => { window.heldFiles = Array.from(input.files); }", handle)
    page.evaluate(DROP_FOLDER)


def review(page, batch: Batch) -> None:
    """Rename a group, merge another into it, drag a picture between groups, and take the last two back."""
    page.get_by_role("link", name="Review the groups").click()
    strips = page.locator(".strip")
    page.locator(".is-live").wait_for()
    sizes = sorted((group.members.count() for group in batch.groups.all()), reverse=True)
    assert len(sizes) >= 2, "the pictures fell into one group"
    expect(strips).to_have_count(len(sizes))

    strips.nth(0).locator('[data-act="rename"]').click()
    page.keyboard.type("stripes")
    page.keyboard.press("Enter")
    first = page.locator('.strip[data-title="stripes"]')
    expect(first).to_have_count(1)

    drag(page, strips.nth(1).locator(".pic").nth(0), first)
    expect(page.locator("#toast")).to_contain_text("Moved 1 image")
    expect(first.locator(".pic")).to_have_count(sizes[0] + 1)
    page.locator("#toast button").click()
    expect(first.locator(".pic")).to_have_count(sizes[0])

    strips.nth(1).locator("summary").click()
    strips.nth(1).locator('[data-act="merge"]').click()
    page.get_by_role("option", name="stripes").click()
    expect(page.locator("#toast")).to_contain_text("Merged")
    expect(strips).to_have_count(len(sizes) - 1)
    page.locator("#toast button").click()
    expect(strips).to_have_count(len(sizes))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_role("link", name="Overview").click()


def middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page, picture, target) -> None:
    target.evaluate("strip => strip.scrollIntoView({ block: 'start', behavior: 'instant' })")
    start, end = middle(picture), middle(target)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] - 20, start[1] - 20, steps=3)
    page.mouse.move(*end, steps=5)
    expect(target).to_have_class(re.compile("is-over"))
    page.mouse.up()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_batch_from_a_dropped_folder_to_its_export(open_page, folder, size):
    page = open_page(size)
    page.goto("/batches/")
    page.get_by_role("link", name="New batch").first.click()
    page.wait_for_url("**/batches/new/", wait_until="load")  # its scripts have run
    drop_folder(page, folder)
    expect(page.locator(".upload")).to_have_count(21)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Autumn")
    page.get_by_role("button", name="Create batch").click()
    page.wait_for_url("**/batches/*-*/")
    expect(page.locator("[data-tile]")).to_have_count(21)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    with workers():
        page.get_by_label("Smallest group", exact=True).fill("3")
        expect(page.get_by_text(re.compile(r"^\s*21 images,\s"))).to_be_visible()
        page.locator("#start-run").click()
        expect(page.get_by_role("link", name="Review the groups")).to_be_visible(timeout=90_000)
    batch = Batch.objects.get()
    review(page, batch)

    page.locator("#batch-undo").click()
    expect(page.locator(".messages").get_by_text("Undid: renamed")).to_be_visible()
    page.locator("#batch-redo").click()
    expect(page.locator(".messages").get_by_text("Redid: renamed")).to_be_visible()
    page.get_by_role("button", name="Submit for validation", exact=True).click()
    for button in ("Validate", "Approve"):  # the batch is not finished
        page.locator("#approve-unfinished summary").click()
        page.get_by_label("anyway").fill("Good enough.")
        page.get_by_role("button", name=f"{button} unfinished").click()
    expect(page.get_by_text("This batch is approved.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 22


def test_files_that_are_refused_keep_the_page_and_the_batch(open_page, folder, tmp_path):
    page = open_page(WIDE)
    bad = tmp_path / "note.jpg"
    bad.write_bytes(b"no picture")
    page.goto("/batches/new/")
    page.get_by_label("Name", exact=True).fill("Half good")
    page.locator('[data-dropzone] input[type="file"]').set_input_files([folder[0], bad])
    page.get_by_role("button", name="Create batch").click()

    expect(page.locator('.upload[data-state="refused"]')).to_have_count(1)
    expect(page.locator("[data-progress]")).to_have_text("1 of 2 uploaded, 1 refused")
    page.get_by_role("link", name="Open the batch").click()
    expect(page.locator("[data-tile]")).to_have_count(1)


@pytest.mark.parametrize("path", ["", "history/", "process/"])
def test_pages_of_a_batch_fit_a_telephone(open_page, path):
    from tests.factories import make_image
    from tests.factories.analyzed import batch_of

    batch = batch_of(
        [make_image() for _ in range(3)], name="A rather long name for a batch, as people give them"
    )
    page = open_page(NARROW)

    for address in ("/batches/", "/batches/new/", f"/batches/{batch.pk}/{path}"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address

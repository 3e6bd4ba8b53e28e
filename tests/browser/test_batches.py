"""A batch from the drop of a folder to its approval and export, in a real browser against real workers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from batches.models import Batch
from tests.browser.conftest import NARROW, WIDE
from tests.engine.processes import workers

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
    for number in range(14):
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


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_batch_from_a_dropped_folder_to_its_export(open_page, folder, size):
    page = open_page(size)
    page.goto("/batches/")
    page.get_by_role("link", name="New batch").first.click()
    drop_folder(page, folder)
    expect(page.locator(".upload")).to_have_count(14)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Autumn")
    page.get_by_role("button", name="Make the batch").click()
    page.wait_for_url("**/batches/*-*/")
    expect(page.locator("[data-tile]")).to_have_count(14)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    with workers():
        page.get_by_label("Smallest group", exact=True).fill("3")
        expect(page.locator(".estimate").first).to_contain_text("14 pictures")
        page.locator("#start-run").click()
        expect(page.get_by_role("link", name="Review the groups")).to_be_visible(timeout=90_000)
    batch = Batch.objects.get()
    assert batch.groups.exists()

    page.locator("#batch-undo").click()
    expect(page.locator(".messages").get_by_text("Undid: applied run 1")).to_be_visible()
    page.locator("#batch-redo").click()
    expect(page.locator(".messages").get_by_text("Did again: applied run 1")).to_be_visible()
    for button in ("Submit for validation", "Validate", "Approve"):
        page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_text("This batch is approved.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 15


def test_files_that_are_refused_keep_the_page_and_the_batch(open_page, folder, tmp_path):
    page = open_page(WIDE)
    bad = tmp_path / "note.jpg"
    bad.write_bytes(b"no picture")
    page.goto("/batches/new/")
    page.get_by_label("Name", exact=True).fill("Half good")
    page.locator('[data-dropzone] input[type="file"]').set_input_files([folder[0], bad])
    page.get_by_role("button", name="Make the batch").click()

    expect(page.locator('.upload[data-state="refused"]')).to_have_count(1)
    expect(page.locator("[data-progress]")).to_have_text("1 of 2 uploaded, 1 refused")
    page.get_by_role("link", name="Open the batch").click()
    expect(page.locator("[data-tile]")).to_have_count(1)


@pytest.mark.parametrize("path", ["", "history/", "process/"])
def test_pages_of_a_batch_fit_a_telephone(open_page, path):
    from tests.batches.analysed import batch_of
    from tests.factories import make_image

    batch = batch_of(
        [make_image() for _ in range(3)], name="A rather long name for a batch, as people give them"
    )
    page = open_page(NARROW)

    for address in ("/batches/", "/batches/new/", f"/batches/{batch.pk}/{path}"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address

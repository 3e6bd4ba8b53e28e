"""What people do, in a real browser against real workers."""

import io
from pathlib import Path

import pytest
from PIL import Image as Pillow

from processing.models import Job
from tests.browser.conftest import NARROW, PASSWORD, WIDE
from tests.factories import make_image, make_rows, pictures
from tests.processing.engine.processes import workers

pytestmark = [pytest.mark.django_db(transaction=True)]
FOCUSED = "selector => document.activeElement.matches(selector)"


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "harbour.png"
    path.write_bytes(pictures.png(640, 480, seed=77))
    return path


def expect(locator):
    from playwright.sync_api import expect as playwright_expect

    return playwright_expect(locator)


def choose(page, name: str) -> None:
    page.locator(f'[data-operation="{name}"] .op-choice').click()


def tab_to(page, selector: str) -> None:
    for _ in range(120):
        if page.evaluate(FOCUSED, selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none" or page.evaluate(
                "Boolean(document.activeElement.closest(':has(:focus-visible)'))"
            )
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached with the Tab key")


@pytest.mark.parametrize(
    "size", [pytest.param(WIDE, id="wide", marks=pytest.mark.walk), pytest.param(NARROW, id="narrow")]
)
def test_picture_goes_in_and_results_come_out(open_page, photo, size):
    page = open_page(size)
    page.locator('input[type="file"]').set_input_files(photo)
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    choose(page, "webp")
    choose(page, "resize")
    page.locator("#op-resize-width").fill("320")
    page.get_by_text("Side by side").click()
    with workers():
        page.get_by_role("button", name="Process image").click()
        card = page.locator("[data-my-jobs] .job-card")
        expect(card).to_have_attribute("data-status", "completed", timeout=90_000)
    card.locator(".job-card-link").click()
    expect(page.locator(".result")).to_have_count(2)
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert page.locator(".compare").first.evaluate("e => e.style.getPropertyValue('--split')") == "55%"
    assert slider.get_attribute("aria-valuetext") == "55 % before, 45 % after"
    expect(page.get_by_text("320 × 240")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download harbour_webp.webp").click()
    saved = Pillow.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert (saved.format, saved.size) == ("WEBP", (640, 480))
    with page.expect_download() as archive:
        page.get_by_role("link", name="Download all").click()
    assert Path(archive.value.path()).read_bytes()[:2] == b"PK"


def test_whole_way_with_the_keyboard_alone(open_page, photo):
    page = open_page()
    page.on(
        "filechooser", lambda chooser: None
    )  # the browser hands choosers over from now on, before any key
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED, ".skip")
    tab_to(page, '[data-dropzone] input[type="file"]')
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photo)
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    tab_to(page, '[name="operation"][value="grayscale"]')
    page.keyboard.press("Space")
    tab_to(page, "[data-submit]")
    with workers():
        page.keyboard.press("Enter")
        card = page.locator("[data-my-jobs] .job-card")
        expect(card).to_have_attribute("data-status", "completed", timeout=90_000)
    assert page.evaluate(FOCUSED, ".job-card-link")
    expect(page.locator("#announcer")).to_have_text("Grayscale: Finished. All results are ready.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("slider")).to_have_count(1)


def test_text_called_jpg_shows_the_sentence(open_page, tmp_path, photo):
    page = open_page(NARROW)
    fake = tmp_path / "note.jpg"
    fake.write_text("I am text.")

    page.locator('input[type="file"]').set_input_files([fake, photo])

    refused = page.locator('.upload[data-state="refused"]')
    expect(refused).to_contain_text("The file is not an image")
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    choose(page, "webp")
    expect(page.get_by_text("1 result · 1 file left out")).to_be_visible()


def test_wrong_parameter_is_said_beside_its_field(open_page, photo):
    page = open_page()
    page.locator('input[type="file"]').set_input_files(photo)
    choose(page, "resize")
    page.locator("#op-resize-width").fill("99999")
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)

    page.get_by_role("button", name="Process image").click()

    expect(page.locator(".field-error")).to_contain_text("must be between 1 and 16384 px")
    assert page.evaluate(FOCUSED, "#op-resize-width[aria-invalid=true]")
    page.locator("#op-resize-width").fill("100")
    expect(page.locator(".field-error")).to_have_count(0)


def test_upload_survives_a_lost_connection(open_page, photo):
    page = open_page()
    page.context.set_offline(True)
    page.locator('input[type="file"]').set_input_files(photo)
    expect(page.locator('.upload[data-state="lost"]')).to_contain_text("The connection was lost")

    page.context.set_offline(False)

    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)


def test_all_that_failed_are_retried_with_one_button(open_page, photo, tmp_path):
    page = open_page()
    other = tmp_path / "other.png"
    other.write_bytes(pictures.png(seed=79))
    page.route("**/api/images/", lambda route: route.fulfill(status=500, body=""))
    page.locator('input[type="file"]').set_input_files([photo, other])
    expect(page.locator('.upload[data-state="lost"]')).to_have_count(2)
    page.unroute("**/api/images/")

    page.get_by_role("button", name="Retry all").click()

    expect(page.locator('.upload[data-state="done"]')).to_have_count(2)
    expect(page.get_by_role("button", name="Retry all")).to_be_hidden()


@pytest.mark.parametrize("status", [503, 507])
def test_upload_goes_on_when_the_server_has_named_a_time(open_page, photo, status):
    page = open_page()
    answers = []

    def refuse_six_times(route):
        answers.append(status)
        if len(answers) <= 6:
            route.fulfill(status=status, headers={"Retry-After": "0.2"}, json={"detail": "Not now."})
        else:
            route.continue_()

    page.route("**/api/images/", refuse_six_times)

    page.locator('input[type="file"]').set_input_files(photo)

    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    assert len(answers) == 7


def test_ended_session_is_signed_in_again_without_losing_anything(open_page, photo):
    page = open_page()
    choose(page, "webp")
    page.context.clear_cookies()
    page.locator('input[type="file"]').set_input_files(photo)
    dialog = page.get_by_role("dialog", name="You are no longer signed in")

    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in").click()
    opened.value.get_by_label("User name").fill("olga")
    opened.value.get_by_label("Password").fill(PASSWORD)
    opened.value.keyboard.press("Enter")

    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    expect(dialog).to_have_count(0)
    page.bring_to_front()
    page.get_by_role("button", name="Process image").click()
    expect(page.locator("[data-my-jobs] .job-card")).to_have_count(1)


def test_reload_and_back_keep_images_and_operations(open_page, photo):
    page = open_page()
    page.locator('input[type="file"]').set_input_files(photo)
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    choose(page, "webp")
    choose(page, "resize")
    page.locator("#op-resize-width").fill("320")

    for leave in (page.reload, lambda: (page.goto("/jobs/"), page.go_back())):
        leave()

        names = page.locator("[data-chosen] [data-operation]")
        expect(names).to_have_count(2)
        chosen = names.evaluate_all("all => all.map(op => op.dataset.operation)")
        assert chosen == ["webp", "resize"]
        assert page.locator("#op-resize-width").input_value() == "320"
        expect(page.locator(".upload[data-image]")).to_contain_text("harbour.png")
        ticked = page.locator('input[name="operation"]:checked')
        assert ticked.evaluate_all("all => all.map(box => box.value)") == chosen


def test_leaving_asks_while_a_file_is_not_uploaded(open_page, photo):
    page = open_page()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.locator("h1").click()  # browsers ask only where somebody has done something
    page.locator('input[type="file"]').set_input_files(photo)
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    page.reload()
    assert asked == []
    page.locator("h1").click()
    page.route("**/api/images/", lambda route: route.fulfill(status=500, body=""))
    page.locator('input[type="file"]').set_input_files(photo)
    expect(page.locator('.upload[data-state="lost"]')).to_have_count(1)

    page.reload()

    assert asked == ["beforeunload"]


def test_refused_file_comes_first_and_the_selection_fits(open_page, photo, tmp_path):
    page = open_page(NARROW)
    fake = tmp_path / "note.jpg"
    fake.write_text("I am text.")
    page.locator('input[type="file"]').set_input_files([photo, fake])
    expect(page.locator(".upload").first).to_contain_text("The file is not an image")
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)

    page.goto("/images/")
    page.locator(".tile-check input").first.check()

    expect(page.locator(".selection-bar")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_start_waits_for_uploads_and_a_removed_one_is_forgotten(open_page, photo, tmp_path):
    page = open_page()
    other = tmp_path / "other.png"
    other.write_bytes(pictures.png(seed=78))
    held = []
    page.route("**/api/images/", lambda route: held.append(route))
    page.locator('input[type="file"]').set_input_files([photo, other])
    choose(page, "webp")
    page.get_by_role("button", name="Process 2 images").click()
    expect(page.get_by_text("Starts when 2 uploads are done.")).to_be_visible()

    page.get_by_role("button", name="Remove other.png").click()
    held[0].continue_()

    card = page.locator("[data-my-jobs] .job-card")
    expect(card).to_contain_text("0 of 1 done")
    expect(page.locator(".upload")).to_have_count(0)


def test_submission_that_is_cut_off_is_repeated_under_its_key(open_page, photo):
    page = open_page()
    page.locator('input[type="file"]').set_input_files(photo)
    expect(page.locator('.upload[data-state="done"]')).to_have_count(1)
    choose(page, "webp")
    keys = []

    def cut_off_the_first_answer(route):
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # it arrives, its answer does not
            route.abort()
        else:
            route.continue_()

    page.route("**/api/jobs/", cut_off_the_first_answer)
    page.get_by_role("button", name="Process image").click()

    expect(page.locator("[data-my-jobs] .job-card")).to_have_count(1)
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert Job.objects.filter(kind="process").count() == 1


def test_job_is_remembered_by_the_browser(open_page, photo):
    page = open_page()
    page.locator('input[type="file"]').set_input_files(photo)
    choose(page, "webp")
    page.get_by_role("button", name="Process image").click()
    expect(page.locator("[data-my-jobs] .job-card")).to_have_count(1)
    first = page.locator("[data-my-jobs] .job-card").get_attribute("data-job")
    page.get_by_label("Account").click()
    page.get_by_role("button", name="Sign out").click()

    from tests.factories import make_user

    make_user("process", username="otto", password="other-harbour-8")
    page.get_by_label("User name").fill("otto")
    page.get_by_label("Password").fill("other-harbour-8")
    page.keyboard.press("Enter")

    expect(page.locator(f'[data-my-jobs] [data-job="{first}"]')).to_have_count(1)


def test_library_fills_while_scrolling_and_selects(open_page):
    make_rows(60)
    page = open_page()
    page.goto("/images/")
    expect(page.locator("[data-tile]")).to_have_count(48)
    page.mouse.wheel(0, 20_000)
    expect(page.locator("[data-tile]")).to_have_count(60)

    boxes = page.locator('[data-tile] input[type="checkbox"]')
    boxes.nth(0).check()
    boxes.nth(3).click(modifiers=["Shift"])

    expect(page.locator("[data-selected-count]")).to_have_text("4 selected")
    page.get_by_role("button", name="Trash").click()
    expect(page.get_by_text("4 images moved to the trash.")).to_be_visible()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_page_is_wider_than_its_window(open_page, size):
    image = make_image(name="a-name-without-any-space-that-is-really-very-long-indeed-" * 3 + ".jpg")
    page = open_page(size)
    for path in (
        "/",
        "/images/",
        f"/images/{image.pk}/",
        "/images/?search=x",
        "/jobs/",
        "/status/",
        "/account/password/",
    ):
        page.goto(path)
        widths = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert widths[0] <= widths[1], path


def test_colours_can_be_switched(open_page):
    page = open_page()
    switch = page.locator("[data-theme-switch]")
    expect(switch).to_have_attribute("aria-label", "Colours: as the system")
    switch.click()
    switch.click()
    expect(switch).to_have_attribute("aria-label", "Colours: dark")

    page.goto("/status/")

    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 19, 21)"

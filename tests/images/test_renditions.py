"""Thumbnails: by Accept, lazily, upright, and in the background."""

import io
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from PIL import Image as Pillow

from api.models import AuditEvent
from images.models import Rendition
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories import make_client, make_image, pictures

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("read")


def get(client, image, query="", **headers):
    return client.get(f"/api/images/{image.pk}/thumbnail/{query}", **headers)


def opened(response):
    return Pillow.open(io.BytesIO(b"".join(response.streaming_content)))


def test_the_background_job_makes_the_usual_ones(settings):
    settings.DEFAULT_THUMBNAIL_SIZES = [64, 256]
    image = make_image(pictures.jpeg(400, 300, seed=80))

    run_until_idle()

    rows = image.renditions.order_by("size", "format").values_list("size", "format", "width", "height")
    assert list(rows) == [
        (64, "jpg", 64, 48),
        (64, "webp", 64, 48),
        (256, "jpg", 256, 192),
        (256, "webp", 256, 192),
    ]
    assert Job.objects.get(image=image).status == "completed"
    keys = list(image.renditions.values_list("file", flat=True))
    assert [key for key in keys if not default_storage.exists(key)] == []


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", "image/avif,image/webp,*/*", "image/webp"),
        ("", "image/png,*/*", "image/jpeg"),
        ("?format=auto", "*/*", "image/jpeg"),
        ("?format=png", "image/webp", "image/png"),
        ("?format=webp", "*/*", "image/webp"),
    ],
)
def test_the_format_follows_accept_unless_named(client, query, accept, content_type):
    response = get(client, make_image(pictures.png(seed=81)), query, HTTP_ACCEPT=accept)

    assert (response.status_code, response["Content-Type"]) == (200, content_type)
    assert "Accept" in response["Vary"]
    assert opened(response).format == content_type.removeprefix("image/").upper()


def test_a_missing_one_is_made_on_the_first_request(client):
    image = make_image(pictures.jpeg(400, 300, seed=82))

    response = get(client, image, "?size=128&format=jpg")
    again = get(client, image, "?size=128&format=jpg")

    assert opened(response).size == (128, 96)
    assert image.renditions.filter(size=128).count() == 1
    assert again["ETag"] == response["ETag"]
    assert get(client, image, "?size=128&format=jpg", HTTP_IF_NONE_MATCH=response["ETag"]).status_code == 304


def test_one_whose_file_is_lost_is_made_again(client):
    image = make_image(pictures.jpeg(400, 300, seed=83))
    get(client, image, "?size=64&format=jpg")
    default_storage.delete(Rendition.objects.get(size=64).file)

    assert opened(get(client, image, "?size=64&format=jpg")).size == (64, 48)
    assert image.renditions.filter(size=64).count() == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_never_upside_down(client, orientation):
    """The top left corner, as shown, is white; the rest is black."""
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[:24, :32] = 255
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the Pillow transpose that undoes each orientation
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    assert set(turns) == set(undo)
    upright = Pillow.fromarray(shown)
    stored = upright.transpose(Pillow.Transpose(turns[orientation])) if orientation > 1 else upright
    data = pictures.encoded(stored, "JPEG", quality=95, exif=pictures.camera_exif(orientation=orientation))

    picture = opened(get(client, make_image(data), "?size=64&format=png"))

    pixels = np.asarray(picture.convert("L"))
    assert pixels.shape == (48, 64)
    assert pixels[:20, :28].mean() > 200
    assert pixels[28:, 36:].mean() < 50


@pytest.mark.parametrize(
    "make",
    [
        pictures.animated_gif,
        pictures.animated_webp,
        pictures.png_16_bit,
        pictures.cmyk_jpeg,
        pictures.palette_png,
        pictures.grey_png,
        pictures.one_bit_png,
    ],
)
def test_unusual_pictures_come_out_right(client, make):
    data = make()
    with Pillow.open(io.BytesIO(data)) as source:
        expected = np.asarray(source.convert("RGB") if source.mode != "I;16" else source).astype(float)
    if expected.ndim == 2:
        expected = np.repeat(expected[..., None] / 257, 3, axis=2)

    picture = opened(get(client, make_image(data), "?size=64&format=png"))

    background = Pillow.new("RGB", picture.size)
    background.paste(picture.convert("RGB"))
    assert abs(np.asarray(background).astype(float) - expected).mean() < 12


@pytest.mark.parametrize(
    ("query", "field"),
    [("?size=100", "size"), ("?size=x", "size"), ("?size=-64", "size"), ("?size=64&format=bmp", "format")],
)
def test_a_wrong_size_or_format_is_named(client, query, field):
    response = get(client, make_image(), query)

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


def test_without_its_original_only_what_is_there_is_served(client):
    image = make_image(pictures.jpeg(seed=84))
    default_storage.delete(image.file)

    made = get(client, image, "?size=256&format=webp")
    image.refresh_from_db()
    assert (made.status_code, image.status) == (200, "ready")  # nobody looked for the original

    small, large = get(client, image, "?size=64&format=webp"), get(client, image, "?size=1024&format=webp")

    stored = {row.format: row.size for row in image.renditions.all()}
    assert [answer["Content-Disposition"] for answer in (small, large)] == [
        f'inline; filename="{image.pk}-{stored["webp"]}.webp"'
    ] * 2
    assert [answer["Cache-Control"] for answer in (made, small)] == [
        "private, max-age=86400",
        "private, max-age=60",
    ]
    image.refresh_from_db()
    assert image.status == "damaged"
    (event,) = AuditEvent.objects.filter(action="image.damaged")
    assert (event.target_id, event.detail) == (str(image.pk), {"file": image.file, "found": "missing"})


def test_without_any_file_a_thumbnail_is_missing(client):
    image = make_image(pictures.jpeg(seed=84))
    default_storage.delete(image.file)
    image.renditions.all().delete()

    response = get(client, image, "?size=64&format=webp")

    assert (response.status_code, response.json()["code"]) == (404, "file_missing")


def test_storage_that_is_away_damages_no_image(client, settings):
    image = make_image(pictures.jpeg(seed=84))
    folder = Path(settings.MEDIA_ROOT) / settings.UPLOAD_DIR
    folder.rename(folder.with_name("elsewhere"))

    response = client.get(f"/api/images/{image.pk}/file/")

    folder.with_name("elsewhere").rename(folder)
    image.refresh_from_db()
    assert (response.status_code, image.status) == (404, "ready")


def test_thumbnails_carry_no_metadata(client):
    image = make_image(pictures.camera_jpeg(seed=85))

    picture = opened(get(client, image, "?size=64&format=jpg"))

    assert dict(picture.getexif()) == {}

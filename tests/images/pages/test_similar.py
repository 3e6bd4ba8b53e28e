"""The pages of vectors: the strip on an image's page, search by a text, near-duplicates side by side."""

import pytest

from images.models import DuplicatePair, Embedding, Image
from processing import model_availability
from processing.engine.worker import run_until_idle
from tests.factories import make_image, make_rows
from tests.factories.vectors import clip_files, give, install, unit

pytestmark = pytest.mark.django_db


def text_of(response, status=200):
    assert response.status_code == status
    return response.content.decode()


def pair_of(first, second, **fields):
    a, b = sorted((first, second), key=lambda image: image.pk)
    return DuplicatePair.objects.create(a=a, b=b, **{"kind": "near", "distance": 0.05, **fields})


# --- more like this -----------------------------------------------------------------------------------


def test_the_strip_shows_the_nearest_pictures_and_whose_vectors_they_are(viewer, installed):
    image, near, far = make_rows(3)
    for row, numbers in ((image, (1,)), (near, (1, 0.5)), (far, (1, 2))):
        give(row, unit(*numbers), sha256=installed)
    page = text_of(viewer.get(f"/images/{image.pk}/"))
    assert page.index(f"/images/{near.pk}/") < page.index(f"/images/{far.pk}/")
    assert "Pix small" in page
    assert "0.11" in page  # the distance


def test_a_picture_without_a_vector_can_be_compared_by_whoever_may(operator, viewer, installed):
    image = make_image()
    assert "Not compared yet" in text_of(operator.get(f"/images/{image.pk}/"))
    assert "Find similar images" not in text_of(viewer.get(f"/images/{image.pk}/"))
    assert viewer.post(f"/images/{image.pk}/embed/").status_code == 403

    said = text_of(operator.post(f"/images/{image.pk}/embed/", follow=True))
    assert "Being compared" in said
    waiting = f'hx-get="/images/{image.pk}/similar/"'
    assert waiting in said
    assert waiting in text_of(viewer.get(f"/images/{image.pk}/similar/"))
    run_until_idle()

    assert Embedding.objects.filter(image=image).count() == 1
    assert "No other image has been compared" in text_of(operator.get(f"/images/{image.pk}/"))


def test_vectors_of_earlier_weights_are_left_out_and_said(viewer, installed):
    image, old = make_rows(2)
    give(image, unit(1), sha256=installed)
    give(old, unit(1), sha256="0" * 64)
    page = text_of(viewer.get(f"/images/{image.pk}/"))
    assert "1 image were" not in page
    assert "manage.py reprocess --what embeddings --stale" in page


def test_a_missing_model_is_said_on_the_page(operator, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path)
    settings.DEFAULT_EMBEDDER = "dinov2"
    image = make_image()
    assert "models fetch dinov2" in text_of(operator.get(f"/images/{image.pk}/"))
    assert "models fetch dinov2" in text_of(operator.post(f"/images/{image.pk}/embed/", follow=True))


# --- by a text ----------------------------------------------------------------------------------------


def test_the_search_box_is_there_only_with_clip(viewer, installed, monkeypatch, settings, tmp_path):
    assert "text-search" not in text_of(viewer.get("/images/"))
    missing = text_of(viewer.get("/images/search/?q=cat"), status=422)
    assert "Run: manage.py models fetch clip clip_vocabulary" in missing
    assert "/images/?search=cat" in missing
    install(monkeypatch, settings, tmp_path, *clip_files(tmp_path))
    assert "text-search" in text_of(viewer.get("/images/"))


def test_a_text_finds_pictures_once_a_worker_has_read_it(viewer, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, *clip_files(tmp_path))
    monkeypatch.setattr("images.vectors.text_search.WAIT_S", 0)
    (image,) = make_rows(1)
    give(image, unit(1, dim=512), sha256=model_availability.installed_sha256("clip"), model="clip")
    assert "is processing your search" in text_of(viewer.get("/images/search/?q=cat"))
    run_until_idle()
    assert f"/images/{image.pk}/" in text_of(viewer.get("/images/search/?q=cat"))
    assert text_of(viewer.get("/images/search/?q="), status=400)
    opened = text_of(viewer.get("/images/search/"))
    assert "Describe what the images should show" in opened
    assert "notice error" not in opened


# --- near-duplicates ----------------------------------------------------------------------------------


def test_pairs_are_shown_side_by_side_and_decided_once(reviewer):
    first, second = make_rows(2)
    pair = pair_of(first, second)
    assert "Look alike" in text_of(reviewer.get("/images/"))
    assert "1 other image." in text_of(reviewer.get(f"/images/{first.pk}/"))
    page = text_of(reviewer.get("/duplicates/"))
    for image in (first, second):
        assert f"/api/images/{image.pk}/thumbnail/" in page

    decision = {"keep": str(first.pk), "others": "trash"}
    assert "Nothing to decide" in text_of(reviewer.post(f"/duplicates/{pair.pk}/", decision, follow=True))

    assert Image.objects.get(pk=second.pk).status == "trashed"
    again = reviewer.post(f"/duplicates/{pair.pk}/", {"others": "not_duplicate"}, follow=True)
    assert "already been decided" in text_of(again)
    wrong = reviewer.post(f"/duplicates/{pair.pk}/", {"keep": "x", "others": "trash"}, follow=True)
    assert "not a valid ID" in text_of(wrong)


def test_pairs_of_one_image_are_shown_by_themselves(reviewer):
    a, b, c = make_rows(3)
    pair_of(a, b)
    pair_of(b, c)
    assert reviewer.get(f"/duplicates/?image={a.pk}").context["page"].paginator.count == 1
    assert reviewer.get("/duplicates/?image=x").context["page"].paginator.count == 2


def test_who_may_only_look_decides_nothing(viewer):
    pair = pair_of(*make_rows(2))
    assert "Keep this" not in text_of(viewer.get("/duplicates/"))
    assert viewer.post(f"/duplicates/{pair.pk}/", {"others": "not_duplicate"}).status_code == 403

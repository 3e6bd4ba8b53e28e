"""Vectors in the admin: state, similar images, the action Re-embed."""

import pytest

from images.models import Embedding
from processing import model_availability
from processing.engine.worker import run_until_idle
from tests.factories import make_image, make_rows, make_user
from tests.factories.vectors import give, install, random_file, unit

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/images/image/"


def chosen(client, image):
    data = {"action": "reembed", "_selected_action": [str(image.pk)]}
    return client.post(LIST, data, follow=True).content.decode()


def test_chosen_images_are_embedded_again(client, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))
    image = make_image()
    client.force_login(make_user("process", is_staff=True))
    chosen(client, image)
    run_until_idle()
    assert Embedding.objects.filter(image=image, model="pix_small").count() == 1


def test_a_missing_model_is_said(client, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path)
    settings.DEFAULT_EMBEDDER = "dinov2"
    client.force_login(make_user("process", is_staff=True))
    assert "models fetch dinov2" in chosen(client, make_image())


def test_the_page_of_an_image_shows_its_vectors_and_what_is_near(client, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))
    image, near = make_rows(2)
    for row in (image, near):
        give(row, unit(1), sha256=model_availability.installed_sha256("pix_small"))
    give(image, unit(1), sha256="0" * 64, model="dinov2")
    client.force_login(make_user("process", is_staff=True))
    page = client.get(f"{LIST}{image.pk}/change/").content.decode()
    assert f"{LIST}{near.pk}/change/" in page
    assert "current" in page
    assert "stale" in page

"""Many uploads at the same moment: one image for the same bytes, and no file too many."""

from collections import Counter

import pytest
from django.core.files.storage import default_storage
from rest_framework.test import APIClient

from api.access.keys import create_key
from images.models import Image, Rendition
from images.renditions import thumbnail
from tests.factories import make_image, make_user, pictures, upload
from tests.factories.threads import at_once
from tests.images.api.test_uploads import files_on_disk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def header():
    _, text = create_key("test", user=make_user("write"), scopes=["write"])
    return {"HTTP_AUTHORIZATION": f"Api-Key {text}"}


def test_the_same_file_from_20_threads_is_one_image(header):
    data, before = pictures.jpeg(seed=100), files_on_disk()

    def send(number):
        form = {"file": upload(data, f"{number}.jpg")}
        response = APIClient(**header).post("/api/images/", form, format="multipart")
        return response.status_code, response.json()["id"], response.json()["duplicate"]

    answers = at_once(20, send)

    assert Counter((status, duplicate) for status, _, duplicate in answers) == {
        (201, False): 1,
        (200, True): 19,
    }
    image = Image.objects.get()
    assert {key for _, key, _ in answers} == {str(image.pk)}
    kept = {default_storage.path(key) for key in (image.file, Rendition.objects.get().file)}
    assert {str(path) for path in files_on_disk() - before} == kept


def test_the_same_files_in_other_orders_within_one_transaction_do_not_deadlock(header):
    pair = [pictures.png(seed=101), pictures.png(seed=102)]

    def send(number):
        files = [upload(data) for data in (pair if number % 2 else pair[::-1])]
        client = APIClient(**header, HTTP_IDEMPOTENCY_KEY=f"key-{number}")
        return client.post("/api/images/", {"file": files}, format="multipart").status_code

    assert Counter(at_once(8, send)) == {201: 1, 200: 7}
    assert Image.objects.count() == 2


def test_a_missing_thumbnail_is_made_once(header):
    image = make_image(pictures.jpeg(400, 300, seed=103))

    keys = at_once(8, lambda _: thumbnail(image, size=64, format="jpg").file)

    assert len(set(keys)) == 1
    assert Rendition.objects.filter(size=64).count() == 1

"""Near-duplicates: pairs are found when images come in, told over REST and on a page, and decided once."""

import io

import pytest
from PIL import Image as Pillow
from rest_framework.test import APIClient

from api.models import AuditEvent
from images import duplicates
from images.models import DuplicatePair, Image
from images.vectors import embeddings
from processing import model_availability
from processing.engine.worker import run_until_idle
from tests.factories import make_client, make_image, make_rows, pictures
from tests.factories.vectors import give, install, random_file, unit

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(django_capture_on_commit_callbacks):
    """Do what waits, and what follows once it is committed."""

    def run():
        with django_capture_on_commit_callbacks(execute=True):
            run_until_idle()

    return run


@pytest.fixture
def client():
    return make_client("write")


def pair_of(first, second, **fields):
    a, b = sorted((first, second), key=lambda image: image.pk)
    return DuplicatePair.objects.create(a=a, b=b, **{"kind": "near", "distance": 0.05, **fields})


def broad(seed=5):
    """An image of broad shapes, as photographs are."""
    shapes = pictures.photo(24, 18, seed=seed).resize((320, 240), Pillow.Resampling.BICUBIC)
    return pictures.encoded(shapes, "JPEG", quality=92)


def recoded(data, **options):
    target = io.BytesIO()
    Pillow.open(io.BytesIO(data)).save(target, "JPEG", **options)
    return target.getvalue()


def resolve(client, pair, **body):
    return client.post(f"/api/duplicates/{pair.pk}/resolve/", body)


# --- found --------------------------------------------------------------------------------------------


def test_a_recoded_copy_is_found_by_its_hash_alone(work):
    data = broad()
    original, copy, other = (
        make_image(data),
        make_image(recoded(data, quality=30)),
        make_image(broad(seed=6)),
    )
    work()

    pair = DuplicatePair.objects.get()
    assert {pair.a, pair.b} == {original, copy}
    assert other not in (pair.a, pair.b)
    assert pair.a.pk < pair.b.pk
    assert (pair.kind, pair.verdict, pair.model) == ("near", "pending", "")
    assert pair.hash_distance <= 8


def test_equal_pixels_in_another_file_are_told_as_such(work):
    data = pictures.png(seed=7)
    first = make_image(data)
    second = make_image(pictures.encoded(Pillow.open(io.BytesIO(data)), "PNG", compress_level=0))
    work()

    pair = DuplicatePair.objects.get()
    assert {pair.a, pair.b} == {first, second}
    assert (pair.kind, pair.distance, pair.hash_distance) == ("pixels", 0, 0)


def test_a_crop_is_found_once_its_vector_is_there(monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))
    sha256 = model_availability.installed_sha256("pix_small")
    first, crop, stranger = make_rows(3)
    for image, phash in ((first, 0), (crop, 0xFFFF), (stranger, 0xFFFF_FFFF)):
        Image.objects.filter(pk=image.pk).update(phash=phash)
    for image in (first, stranger):
        give(image, unit(1), sha256=sha256)
    assert duplicates.record(crop.pk) == 0

    give(crop, unit(1, 0.1), sha256=sha256)
    assert duplicates.record(crop.pk) == 2

    near = {frozenset((p.a_id, p.b_id)): (p.hash_distance, p.model) for p in DuplicatePair.objects.all()}
    assert near == {
        frozenset((first.pk, crop.pk)): (16, "pix_small"),
        frozenset((stranger.pk, crop.pk)): (16, "pix_small"),
    }


def test_embedding_an_image_records_its_pairs(work, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, random_file("pix_small", tmp_path))
    data = broad()
    images = [make_image(data), make_image(recoded(data, quality=80))]
    work()
    embeddings.submit_embeddings(images)
    work()
    pair = DuplicatePair.objects.get()
    assert (pair.model, pair.kind) == ("pix_small", "near")
    assert pair.distance < 0.1


def test_a_verdict_stays_when_the_pair_is_found_again(work):
    data = broad()
    image, _copy = make_image(data), make_image(recoded(data, quality=30))
    work()
    DuplicatePair.objects.update(verdict="not_duplicate", distance=0.5)

    duplicates.record(image.pk)

    pair = DuplicatePair.objects.get()
    assert pair.verdict == "not_duplicate"
    assert pair.distance < 0.2


def test_a_purge_removes_the_pairs():
    images = make_rows(2)
    pair_of(*images)
    make_client("admin").delete(f"/api/images/{images[0].pk}/?purge=true")
    assert not DuplicatePair.objects.exists()


# --- told and decided over REST -----------------------------------------------------------------------


def test_the_list_shows_undecided_pairs_the_most_alike_first(client):
    a, b, c, trashed = make_rows(4)
    far, near = pair_of(a, b, distance=0.09), pair_of(b, c, distance=0.01)
    pair_of(a, c, verdict="not_duplicate")
    pair_of(c, trashed)
    Image.objects.filter(pk=trashed.pk).update(status="trashed")

    def listed(**filters):
        return [row["id"] for row in client.get("/api/duplicates/", filters).json()["results"]]

    assert listed() == [str(near.pk), str(far.pk)]
    assert listed(max_distance=0.05) == [str(near.pk)]
    assert listed(image=str(a.pk)) == [str(far.pk)]
    assert listed(kind="pixels") == []
    assert len(listed(verdict="any")) == 3
    row = client.get(f"/api/duplicates/{near.pk}/").json()
    assert {row["a"]["id"], row["b"]["id"]} == {str(b.pk), str(c.pk)}


def test_the_list_asks_the_same_number_of_queries_for_more_pairs(client, django_assert_max_num_queries):
    images = make_rows(21)
    for image in images[1:]:
        pair_of(images[0], image)
    with django_assert_max_num_queries(8):
        assert client.get("/api/duplicates/").json()["count"] == 20


def test_images_can_be_filtered_by_having_duplicates(client):
    a, b, c = make_rows(3)
    pair_of(a, b)
    pair_of(b, c, verdict="not_duplicate")
    found = client.get("/api/images/", {"has_duplicates": "true"}).json()["results"]
    assert {row["id"] for row in found} == {str(a.pk), str(b.pk)}
    others = client.get("/api/images/", {"has_duplicates": "false"}).json()["results"]
    assert [row["id"] for row in others] == [str(c.pk)]


def test_keeping_one_trashes_the_other_once(client):
    kept, other = make_rows(2)
    pair = pair_of(kept, other)

    response = resolve(client, pair, keep=[str(kept.pk)], others="trash")

    assert (response.status_code, response.json()["verdict"]) == (200, "duplicate")
    assert response.json()["decided_by"] == client.user.username
    assert Image.objects.get(pk=kept.pk).status == "ready"
    assert Image.objects.get(pk=other.pk).status == "trashed"
    assert AuditEvent.objects.filter(action="image.duplicate").count() == 2
    again = resolve(client, pair, keep=[str(kept.pk)], others="trash")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_saying_that_they_differ_keeps_both(client):
    images = make_rows(2)
    pair = pair_of(*images)
    assert resolve(client, pair, others="not_duplicate").json()["verdict"] == "not_duplicate"
    assert Image.objects.filter(status="ready").count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"others": "trash"}, "keep"),
        ({"others": "trash", "keep": ["00000000-0000-4000-8000-000000000000"]}, "keep"),
        ({"others": "burn"}, "others"),
        ({}, "others"),
    ],
)
def test_resolving_refuses_wrong_values(client, body, field):
    pair = pair_of(*make_rows(2))
    response = resolve(client, pair, **body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field
    assert DuplicatePair.objects.get().verdict == "pending"


def test_resolving_needs_a_sign_in_the_scope_write_and_a_pair(client):
    pair = pair_of(*make_rows(2))
    body = {"others": "not_duplicate"}
    assert APIClient().post(f"/api/duplicates/{pair.pk}/resolve/", body).status_code == 401
    assert resolve(make_client("read"), pair, **body).status_code == 403
    missing = "/api/duplicates/00000000-0000-4000-8000-000000000000/resolve/"
    assert client.post(missing, body).status_code == 404

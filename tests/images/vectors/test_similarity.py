"""Embeddings through the product: made by the worker, searched by an index, told over REST."""

import base64
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection

from batches.services import create_batch
from images.models import Embedding, Image
from images.vectors import embeddings, similarity
from processing import model_availability
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories import make_client, make_image, make_rows, pictures
from tests.factories.vectors import clip_files, give, install, random_file, unit

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("process")


def rows(vectors, sha256):
    images = make_rows(len(vectors))
    for image, vector in zip(images, vectors, strict=True):
        give(image, vector, sha256=sha256)
    return images


def similar(client, image, **parameters):
    return client.get(f"/api/images/{image.pk}/similar/", parameters)


def found(response):
    assert response.status_code == 200, response.json()
    return [row["image"]["id"] for row in response.json()["results"]]


# --- made by the worker -------------------------------------------------------------------------------


def test_embedding_stores_a_vector_of_length_one_with_its_origin(client, installed):
    image = make_image()

    response = client.post(f"/api/images/{image.pk}/embed/", {})
    run_until_idle()

    assert response.status_code == 202
    vector = Embedding.objects.get(image=image)
    assert (vector.model, vector.dim, vector.weights_sha256) == ("pix_small", 384, installed)
    assert abs(np.linalg.norm(vector.vector) - 1) < 1e-6
    operation = Job.objects.get(pk=response.json()["id"]).operations.get()
    assert (operation.status, operation.queue) == ("completed", "ml")
    assert operation.result["weights_sha256"] == installed
    assert operation.result["precision"].endswith(("cpu", "cuda"))


def test_one_broken_file_of_a_tensor_batch_fails_alone(client, installed):
    images = [make_image() for _ in range(3)]
    broken = images[1]
    with broken.open() as file:
        data = file.read()
    path = Path(default_storage.path(broken.file))
    path.write_bytes(data[: len(data) // 2].ljust(len(data), b"\0"))

    job = embeddings.submit_embeddings(images)
    run_until_idle()

    operations = {op.image_id: op for op in job.operations.all()}
    assert [operations[image.pk].status for image in images] == ["completed", "failed", "completed"]
    assert operations[broken.pk].error_code == "damaged_image"
    assert Embedding.objects.count() == 2


def test_embedding_again_replaces_vectors_of_other_weights(client, installed):
    image = make_image()
    give(image, unit(1), sha256="0" * 64)
    embeddings.submit_embeddings([image])
    run_until_idle()
    embeddings.submit_embeddings([image])
    run_until_idle()
    assert Embedding.objects.get(image=image).weights_sha256 == installed


def test_missing_and_stale_images_are_told_apart(installed):
    fresh, old, none = make_rows(3)
    give(fresh, unit(1), sha256=installed)
    give(old, unit(1), sha256="0" * 64)
    images = Image.objects.order_by("pk")
    assert set(embeddings.missing(images)) == {old, none}
    assert set(embeddings.stale(images)) == {old}


def test_a_missing_model_is_refused_with_its_command(client, monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path)
    image = make_image()
    for response in (
        client.post(f"/api/images/{image.pk}/embed/", {"model": "dinov2"}),
        similar(client, image, model="dinov2"),
    ):
        assert (response.status_code, response.json()["code"]) == (422, "model_unavailable")
        assert "models fetch dinov2" in response.json()["detail"]


def test_auto_takes_dinov2_where_it_is_installed(installed, monkeypatch, settings, tmp_path):
    assert embeddings.default_embedder() == "pix_small"
    install(monkeypatch, settings, tmp_path, random_file("dinov2", tmp_path))
    assert embeddings.default_embedder() == "dinov2"
    settings.DEFAULT_EMBEDDER = "clip"
    assert embeddings.default_embedder() == "clip"


def test_embedding_needs_the_scope_process(installed):
    image = make_image()
    assert make_client("write").post(f"/api/images/{image.pk}/embed/", {}).status_code == 403


def test_a_purge_removes_the_vectors(installed):
    image = make_image()
    give(image, unit(1), sha256=installed)
    make_client("admin").delete(f"/api/images/{image.pk}/?purge=true")
    assert not Embedding.objects.exists()


# --- more like this -----------------------------------------------------------------------------------


def test_similar_images_come_nearest_first(client, installed):
    own, near, far, trashed, other = rows([unit(1, t) for t in (0, 0.1, 2, 0.05, 0)], installed)
    Image.objects.filter(pk=trashed.pk).update(status="trashed")
    Embedding.objects.filter(image=other).update(weights_sha256="1" * 64)

    body = similar(client, own).json()

    assert [row["image"]["id"] for row in body["results"]] == [str(near.pk), str(far.pk)]
    assert (body["model"], body["weights_sha256"]) == ("pix_small", installed)
    assert body["results"][0]["distance"] == pytest.approx(1 - 1 / np.sqrt(1.01), abs=1e-6)


def test_similar_images_are_limited_by_number_distance_and_batch(client, installed):
    own, near, middle, far = images = rows([unit(1, t) for t in (0, 0.1, 0.5, 2)], installed)
    batch = create_batch("some", owner=client.user, image_ids=[images[0].pk, images[3].pk])

    assert found(similar(client, own, limit=1)) == [str(near.pk)]
    assert found(similar(client, own, max_distance=0.2)) == [str(near.pk), str(middle.pk)]
    assert found(similar(client, own, batch=str(batch.pk))) == [str(far.pk)]
    assert found(client.get("/api/images/search/", {"image": str(own.pk), "limit": 1})) == [str(near.pk)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "x"),
        ("max_distance", "3"),
        ("max_distance", "nan"),
        ("batch", "x"),
        ("batch", "00000000-0000-4000-8000-000000000000"),
        ("model", "vgg"),
        ("colour", "red"),
    ],
)
def test_similar_refuses_wrong_values(client, installed, name, value):
    (image,) = rows([unit(1)], installed)
    response = similar(client, image, **{name: value})
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == name


def test_an_image_without_a_vector_says_how_to_get_one(client, installed):
    image = make_image()
    response = similar(client, image)
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert f"POST /api/images/{image.pk}/embed/" in response.json()["detail"]

    embeddings.submit_embeddings([image])
    waiting = similar(client, image)
    assert (waiting.status_code, waiting["Retry-After"]) == (409, "2")
    run_until_idle()
    assert found(similar(client, image)) == []


def test_similar_and_search_need_a_sign_in_and_an_image(client, installed):
    from rest_framework.test import APIClient

    image = make_image()
    for path in (f"/api/images/{image.pk}/similar/", "/api/images/search/"):
        assert APIClient().get(path).status_code == 401
    assert client.get("/api/images/00000000-0000-4000-8000-000000000000/similar/").status_code == 404


def test_the_nearest_are_found_by_the_index_and_ranked_exactly(installed):
    """Candidates come from the index of the model; in a library of 3000 nine tenths are of other weights."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 384))
    vectors = centres[random.integers(0, 40, 3000)] + 0.5 * random.normal(size=(3000, 384))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    images = make_rows(3000)
    Embedding.objects.bulk_create(
        Embedding(image=image, model="pix_small", weights_sha256=installed, dim=384, vector=vector)
        for image, vector in zip(images, vectors, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE images_embedding, images_image")
    usable = embeddings.of_model("pix_small")

    near = similarity.nearest(vectors[7], usable, limit=10, exclude=[images[7].pk])
    exact = np.argsort(-(vectors @ vectors[7]))[1:11]
    assert len({found.image_id for found in near} & {images[i].pk for i in exact}) >= 9
    assert near == sorted(near, key=lambda found: found.distance)
    assert near[0].distance == pytest.approx(1 - float(vectors[exact[0]] @ vectors[7]), abs=1e-5)

    plan = similarity.by_index(usable.filter(image__status="ready"), vectors[7])[:60].explain()
    assert "embedding_pix_small_hnsw" in plan


# --- features -----------------------------------------------------------------------------------------


def test_features_are_given_on_request(client, installed):
    image = make_image()
    give(image, unit(3, 4), sha256=installed)
    assert "features" not in client.get(f"/api/images/{image.pk}/").json()

    body = client.get(f"/api/images/{image.pk}/", {"include": "features"}).json()

    assert np.frombuffer(base64.b64decode(body["features"]), "<f4")[:3].tolist() == pytest.approx(
        [0.6, 0.8, 0]
    )
    assert (body["features_model"], body["features_dim"]) == ("pix_small", 384)
    assert client.get(f"/api/images/{image.pk}/", {"include": "colour"}).status_code == 400


# --- search by a text ---------------------------------------------------------------------------------


@pytest.fixture
def clip(monkeypatch, settings, tmp_path):
    install(monkeypatch, settings, tmp_path, *clip_files(tmp_path))
    return model_availability.installed_sha256("clip")


def test_text_search_without_clip_names_what_is_missing_and_what_works(client, installed):
    response = client.get("/api/images/search/", {"q": "a cat"})
    assert (response.status_code, response.json()["code"]) == (422, "model_unavailable")
    assert "/api/images/?search=" in response.json()["detail"]
    image = make_image(pictures.camera_jpeg(seed=91), name="cat.jpg")
    for word in ("cat", "Pix One"):
        listed = client.get("/api/images/", {"search": word}).json()["results"]
        assert [row["id"] for row in listed] == [str(image.pk)]


def test_text_search_is_computed_by_the_worker_once(client, clip):
    image = make_image()
    give(image, unit(1, dim=512), sha256=clip, model="clip")

    first = client.get("/api/images/search/", {"q": "cat", "wait": 0})
    assert first.status_code == 202
    assert first.json()["kind"] == "search"
    again = client.get("/api/images/search/", {"q": " cat ", "wait": 0})
    assert again.json()["id"] == first.json()["id"]
    run_until_idle()

    answer = client.get("/api/images/search/", {"q": "cat"})
    assert found(answer) == [str(image.pk)]
    assert -1 <= answer.json()["results"][0]["score"] <= 1
    assert Job.objects.filter(kind="search").count() == 1
    assert client.get("/api/jobs/").json()["count"] == 0  # hidden unless asked for


@pytest.mark.parametrize("text", ["", "   ", "x" * 201])
def test_text_search_refuses_empty_and_long_texts(client, clip, text):
    response = client.get("/api/images/search/", {"q": text})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "q")

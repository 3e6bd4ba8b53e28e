"""Submitting work over REST: what is accepted, refused, cached, estimated, waited for."""

import io
import json
from pathlib import Path

import pytest
from django.conf import settings
from PIL import Image as Pillow
from rest_framework.test import APIClient

from images import services as image_services
from images.models import Image
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories.rest import client_of, finished, make_image, picture, submit, upload

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def client() -> APIClient:
    return client_of("operator")


@pytest.fixture
def image() -> Image:
    return make_image(1)


def errors(response) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in response.json()["errors"]]


def stored_files() -> set[str]:
    root = Path(settings.MEDIA_ROOT)
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/jobs", "/api/process", "/api/process/"])
def test_submission_answers_202_with_the_job_and_where_to_look(client, image, path):
    response = client.post(path, {"image": str(image.pk), "operations": ["webp"], "reference": "order 7"})

    job = response.json()
    assert response.status_code == 202
    assert response["Location"] == f"/api/jobs/{job['id']}/"
    assert response["Retry-After"] == "2"
    assert (job["status"], job["priority"], job["reference"]) == ("queued", "normal", "order 7")
    assert job["progress"] == {"total": 1, "done": 0, "failed": 0, "cancelled": 0, "percent": 0}
    assert [(one["name"], one["status"]) for one in job["operations"]] == [("webp", "queued")]
    assert job["artifacts"] == []


def test_finished_job_lists_its_results_with_links_that_need_no_sign_in(client, image):
    job = finished(client, image, "webp", {"name": "resize", "parameters": {"width": 32}})

    assert (job["status"], job["progress"]["percent"]) == ("completed", 100)
    found = [(a["operation"], a["role"], a["format"], a["width"], a["height"]) for a in job["artifacts"]]
    assert found == [("webp", "result", "webp", 64, 48), ("resize", "result", "png", 32, 24)]
    contract = {
        "id",
        "operation",
        "role",
        "format",
        "byte_size",
        "width",
        "height",
        "sha256",
        "name",
        "folder",
    }
    assert {*contract, "url", "expires_at"} <= set(job["artifacts"][0])
    assert job["operations"][0]["artifact"] == job["artifacts"][0]["id"]
    answer = APIClient().get(job["artifacts"][0]["url"])
    content = b"".join(answer.streaming_content)
    assert answer.status_code == 200
    assert len(content) == job["artifacts"][0]["byte_size"]
    assert Pillow.open(io.BytesIO(content)).format == "WEBP"


def test_file_operations_and_names_come_from_a_form(client):
    response = client.post(
        "/api/jobs/?output_folder=from_query",
        {
            "file": [upload(2, name="a.png"), upload(3, name="b.png")],
            "operations": json.dumps(["webp", {"name": "blur", "parameters": {"sigma_px": 2}}]),
            "filename_prefix": "x_",
            "priority": "high",
        },
        format="multipart",
    )

    job = response.json()
    assert response.status_code == 202, job
    assert (job["output_folder"], job["filename_prefix"], job["priority"]) == ("from_query", "x_", "high")
    assert [one["name"] for one in job["operations"]] == ["webp", "blur", "webp", "blur"]
    assert Image.objects.count() == 2


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_by_name(client, image, number):
    blur = f'{{"name": "blur", "parameters": {{"sigma_px": {number}}}}}'
    bodies = [
        (f'"pipeline": ["grayscale", {blur}]', "pipeline[1].parameters.sigma_px"),
        (f'"operations": [{blur}]', "operations[0].parameters.sigma_px"),
        (f'"operations": ["webp"], "reference": {number}', "reference"),
    ]
    for fields, field in bodies:
        body = f'{{"image": "{image.pk}", {fields}}}'
        response = client.post("/api/jobs/", body, content_type="application/json")

        assert (response.status_code, [name for name, _ in errors(response)]) == (400, [field])
    assert Job.objects.filter(kind="process").count() == 0


def test_a_step_that_does_not_fit_the_picture_is_named(client, image):
    crop = {"name": "crop", "parameters": {"width": 9, "height": 9}}
    giant = {
        "name": "resize",
        "parameters": {"width": 16384, "height": 16384, "fit": "exact", "upscale": True},
    }
    for body, field in [
        (
            {"pipeline": [{"name": "resize", "parameters": {"width": 8}}, crop]},
            "pipeline[1].parameters.width",
        ),
        ({"operations": [giant]}, "operations[0].parameters.width"),
    ]:
        response = client.post("/api/jobs/", {"image": str(image.pk), **body}, format="json")

        assert (response.status_code, errors(response)) == (400, [(field, "invalid_parameter")])


def test_pipeline_gives_one_result(client, image):
    body = {
        "image": str(image.pk),
        "pipeline": [{"name": "resize", "parameters": {"width": 16}}, "grayscale", "jpg"],
    }
    job = client.post("/api/jobs/", body).json()

    run_until_idle()

    job = client.get(f"/api/jobs/{job['id']}/").json()
    assert [(a["operation"], a["format"], a["width"]) for a in job["artifacts"]] == [("pipeline", "jpg", 16)]


def test_same_work_again_is_linked_from_the_cache(client, image):
    first = finished(client, image, "webp")

    again = submit(client, image, "webp", filename_prefix="again_")

    assert (again["status"], again["operations"][0]["cached"]) == ("completed", True)
    events = Job.objects.get(pk=again["id"]).events.order_by("pk")
    assert [event.code for event in events] == ["submitted", "finished"]
    assert (events[1].message, events[1].data) == ("1 of 1 operations completed.", {"status": "completed"})
    assert again["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]
    assert again["artifacts"][0]["name"].startswith("again_")


def test_image_address_submits_for_that_image(client, image):
    response = client.post(f"/api/images/{image.pk}/process/", {"operations": ["webp"]})

    assert response.status_code == 202
    assert response.json()["image"] == str(image.pk)
    assert client.post(f"/api/images/{NOBODY}/process/", {"operations": ["webp"]}).status_code == 404
    refused = client.post(f"/api/images/{image.pk}/process/", {"operations": ["webp"], "image": NOBODY})
    assert (refused.status_code, errors(refused)) == (400, [("image", "unknown_field")])


def test_batch_submits_for_all_its_images(client):
    from batches.models import Batch

    batch = Batch.objects.create(batch_name="two")
    for seed in (4, 5):
        batch.batch_images.create(image=make_image(seed))

    response = client.post("/api/jobs/", {"batch": str(batch.pk), "operations": ["webp"]})

    assert response.status_code == 202
    assert (response.json()["progress"]["total"], response.json()["batch"]) == (2, str(batch.pk))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"operations": ["nope"]}, ("operations[0]", "unknown_operation")),
        ({"operations": []}, ("operations", "required")),
        ({}, ("operations", "required")),
        ({"operations": ["png"]}, ("operations[0]", "same_format")),
        (
            {"operations": [{"name": "blur", "parameters": {"sigma_px": -1}}]},
            ("operations[0].parameters.sigma_px", None),
        ),
        (
            {"operations": [{"name": "blur", "parameters": {"sgma": 1}}]},
            ("operations[0].parameters.sgma", None),
        ),
        (
            {"operations": [{"name": "resize", "parameters": {"width": 10**9}}]},
            ("operations[0].parameters.width", None),
        ),
        ({"operations": ["webp"], "priority": "asap"}, ("priority", "invalid_choice")),
        ({"operations": ["webp"], "priority": 1}, ("priority", "invalid_choice")),
        ({"operations": ["webp"], "colour": "red"}, ("colour", "unknown_field")),
        ({"operations": ["webp"], "output_folder": "x" * 201}, ("output_folder", "max_length")),
        ({"operations": ["webp"], "reference": "a\x00b"}, ("reference", "invalid")),
        ({"operations": ["webp"], "reference": 7}, ("reference", "invalid")),
        ({"operations": ["webp"], "dry_run": "maybe"}, ("dry_run", "invalid")),
        ({"operations": ["webp"], "image": "seven"}, ("image", "invalid")),
        ({"operations": ["webp"], "image": NOBODY}, ("image", "does_not_exist")),
        ({"operations": ["webp"], "images": [NOBODY, NOBODY[:-1] + "1"]}, ("images", "does_not_exist")),
        ({"operations": ["webp"], "images": {"a": 1}}, ("images", "invalid")),
        ({"operations": ["webp"], "batch": NOBODY}, ("batch", "does_not_exist")),
        ({"operations": ["webp"], "image": None}, ("file", "required")),
    ],
)
def test_mistakes_are_named_and_nothing_is_stored(client, image, body, expected):
    response = client.post("/api/jobs/", {"image": str(image.pk), **body})

    field, code = expected
    assert response.status_code == 400, response.json()
    assert response.json()["errors"][0]["field"] == field
    assert code is None or response.json()["errors"][0]["code"] == code
    assert not Job.objects.exclude(kind="ingest").exists()


@pytest.mark.parametrize("body", ["[]", '"webp"', "{", "null"])
def test_body_that_is_no_object_is_refused(client, body):
    response = client.post("/api/jobs/", body, content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(
    ("content", "operations", "status"),
    [
        (picture(6), ["nope"], 400),
        (picture(6), ["png"], 400),
        (picture(6), [{"name": "crop", "parameters": {"x": 0, "y": 0, "width": 999, "height": 9}}], 400),
        (b"this is no image", ["webp"], 415),
        (picture(6)[:-300], ["webp"], 400),
    ],
)
def test_refused_upload_leaves_no_row_and_no_file(client, content, operations, status):
    before = stored_files()
    good, bad = upload(7, name="good.png"), upload(6, name="bad.png")
    bad.file = io.BytesIO(content)
    bad.size = len(content)

    form = {"file": [good, bad], "operations": json.dumps(operations)}
    response = client.post("/api/jobs/", form, format="multipart")

    assert response.status_code == status, response.json()
    assert (Image.objects.count(), Job.objects.count()) == (0, 0)
    assert stored_files() == before


def test_refused_file_among_several_is_named(client):
    form = {"file": [upload(8), upload(9, name="bad.png")], "operations": '["webp"]'}
    form["file"][1].file = io.BytesIO(b"plain text")

    response = client.post("/api/jobs/", form, format="multipart")

    assert response.json()["errors"][0]["field"] == "file[1]"
    assert "bad.png" in response.json()["detail"]


def test_file_in_another_part_is_refused(client):
    response = client.post("/api/jobs/", {"image": upload(1), "operations": '["webp"]'}, format="multipart")

    assert (response.status_code, errors(response)) == (400, [("image", "unknown_field")])


def test_trashed_image_cannot_be_worked_on(client, image):
    image_services.trash(image, actor=None)

    response = client.post("/api/jobs/", {"image": str(image.pk), "operations": ["webp"]})

    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_dry_run_and_estimate_store_nothing(client):
    before = stored_files()

    for path, more in (("/api/jobs/", {"dry_run": "true"}), ("/api/jobs/estimate/", {})):
        form = {"file": upload(10), "operations": '["webp", "blur"]', **more}
        response = client.post(path, form, format="multipart")
        assert response.status_code == 200, response.json()
        assert (response.json()["items"], response.json()["cached"]) == (2, 0)
        assert set(response.json()) >= {"seconds", "bytes", "based_on"}

    assert (Image.objects.count(), Job.objects.count()) == (0, 0)
    assert stored_files() == before


def test_estimate_is_based_on_what_was_measured(client, image):
    finished(client, image, "webp")
    body = {"image": str(image.pk), "operations": ["webp", "avif"]}

    estimate = client.post("/api/jobs/estimate/", body).json()

    assert (estimate["items"], estimate["cached"]) == (2, 1)
    assert estimate["seconds"]["p90"] >= estimate["seconds"]["p50"] > 0


def test_idempotency_key_gives_the_stored_answer(client, image):
    body = {"image": str(image.pk), "operations": ["webp"], "idempotency_key": "order-1"}

    first = client.post("/api/jobs/", body)
    second = client.post("/api/jobs/", body)
    other = client.post("/api/jobs/", {**body, "operations": ["avif"]})

    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"
    assert first.json()["idempotency_key"] == "order-1"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Job.objects.exclude(kind="ingest").count() == 1


def test_waiting_ends_with_the_time_or_with_the_job(client, image):
    job = submit(client, image, "webp")

    waited = client.get(f"/api/jobs/{job['id']}/", headers={"Prefer": "wait=1"})
    run_until_idle()
    done = client.get(f"/api/jobs/{job['id']}/?wait=30")
    cached = client.post(
        "/api/jobs/", {"image": str(image.pk), "operations": ["webp"]}, headers={"Prefer": "wait=30"}
    )

    assert (waited.json()["status"], waited["Preference-Applied"], waited["Retry-After"]) == (
        "queued",
        "wait=1",
        "2",
    )
    assert (done.json()["status"], "Retry-After" in done) == ("completed", False)
    assert (cached.status_code, cached.json()["status"]) == (202, "completed")
    assert client.get(f"/api/jobs/{job['id']}/?wait=31").status_code == 400

"""Watching, downloading and steering work over REST."""

import io
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from images.models import Image
from processing.engine.worker import run_until_idle
from processing.models import Job, Operation, OperationArtifact
from processing.serializers import INLINE_ROWS
from tests.factories.rest import client_of, finished, make_image, submit

pytestmark = pytest.mark.django_db
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def client() -> APIClient:
    return client_of("operator")


@pytest.fixture
def image() -> Image:
    return make_image(1)


# --- reading ------------------------------------------------------------------------------------------


def test_list_filters_and_hides_internal_work(client, image):
    first = finished(client, image, "webp", reference="a")
    second = submit(client, image, "avif", reference="b", priority="urgent")

    def ids(query: str) -> list[str]:
        response = client.get(f"/api/jobs/{query}")
        assert response.status_code == 200, response.json()
        return [job["id"] for job in response.json()["results"]]

    one, two = first["id"], second["id"]
    assert ids("") == [two, one]
    assert ids("?status=completed") == [one]
    assert ids("?status=completed&status=queued") == [two, one]
    assert ids("?priority=urgent") == [two]
    assert ids("?reference=a") == [one]
    assert ids(f"?image={image.pk}") == [two, one]
    assert ids("?queue=default&operation=avif") == [two]
    assert ids("?requested_by=me") == [two, one]
    assert ids(f"?search={one}") == [one]
    assert ids("?ordering=created_at") == [one, two]
    assert ids("?created_after=2100-01-01T00:00:00Z") == []
    assert ids("?error_code=time_limit") == []
    assert len(ids("?kind=all")) == 3
    assert len(ids("?kind=ingest")) == 1
    for bad in ("?status=nope", "?image=7", "?created_after=soon", "?colour=red", "?ordering=secret"):
        assert client.get(f"/api/jobs/{bad}").status_code == 400, bad


def test_list_costs_the_same_number_of_queries_for_any_length(client, image, django_assert_max_num_queries):
    for name in ("webp", "avif", "blur", "sepia"):
        submit(client, image, name)

    with django_assert_max_num_queries(8):
        assert client.get("/api/jobs/").json()["count"] == 4


def test_job_costs_the_same_number_of_queries_for_any_length(client, image, django_assert_max_num_queries):
    job = finished(client, image, "webp", "avif", "blur", "sepia", "jpg", "flip")

    with django_assert_max_num_queries(10):
        assert len(client.get(f"/api/jobs/{job['id']}/").json()["artifacts"]) == 6


def test_parts_of_a_job_are_pages(client, image):
    job = finished(client, image, "webp", "blur")

    operations = client.get(job["links"]["operations"]).json()
    events = client.get(job["links"]["events"]).json()
    artifacts = client.get(job["links"]["artifacts"]).json()

    assert [one["name"] for one in operations["results"]] == ["webp", "blur"]
    assert [event["code"] for event in events["results"]] == ["submitted", "finished"]
    assert artifacts["count"] == 2


def test_large_job_shows_its_first_rows_and_counts_all(client, image, django_assert_max_num_queries):
    job = Job.objects.get(pk=finished(client, image, "webp")["id"])
    link = OperationArtifact.objects.get(operation__job=job)
    first = job.operations.get()
    extra = INLINE_ROWS + 5
    done = {"name": "webp", "image": image, "status": "completed", "finished_at": first.finished_at}
    made = Operation.objects.bulk_create(
        Operation(job=job, position=number, **done) for number in range(1, extra)
    )
    OperationArtifact.objects.bulk_create(
        OperationArtifact(operation=operation, artifact=link.artifact, name=f"{operation.position}.webp")
        for operation in made
    )
    Job.objects.filter(pk=job.pk).update(operations_total=extra, operations_completed=extra)

    with django_assert_max_num_queries(16):
        body = client.get(f"/api/jobs/{job.pk}/").json()

    ids = list(job.operations.values_list("pk", flat=True))
    assert [row["id"] for row in body["operations"]] == ids[:INLINE_ROWS]
    assert [row["operation_id"] for row in body["artifacts"]] == ids[:INLINE_ROWS]
    assert (body["operations_total"], body["artifacts_total"], body["is_truncated"]) == (extra, extra, True)
    for part in ("operations", "artifacts"):
        listed = client.get(body["links"][part], {"page_size": 200, "page": 2}).json()
        assert len(listed["results"]) == 5


def test_job_with_more_results_than_operations_counts_them_all(client, image):
    job = Job.objects.get(pk=finished(client, image, "webp")["id"])
    link = OperationArtifact.objects.get(operation__job=job)
    OperationArtifact.objects.bulk_create(
        OperationArtifact(operation=link.operation, artifact=link.artifact, role=f"part{n}", name="x")
        for n in range(INLINE_ROWS)
    )

    body = client.get(f"/api/jobs/{job.pk}/").json()

    assert (body["operations_total"], body["artifacts_total"]) == (1, INLINE_ROWS + 1)
    assert (len(body["artifacts"]), body["is_truncated"]) == (INLINE_ROWS, True)


def test_small_job_is_whole(client, image):
    body = finished(client, image, "webp", "avif")

    assert (body["operations_total"], body["artifacts_total"], body["is_truncated"]) == (2, 2, False)
    assert (len(body["operations"]), len(body["artifacts"])) == (2, 2)


def test_summary_counts(client, image):
    submit(client, image, "webp")

    summary = client.get("/api/jobs/summary/").json()

    assert summary["queues"]["default"] == {"queued": 1}
    assert summary["jobs"] == {"completed": 1, "queued": 1}
    assert summary["error_codes"] == []


@pytest.mark.parametrize("path", ["", "operations/", "events/", "artifacts/", "download/"])
def test_unknown_job_is_404(client, path):
    response = client.get(f"/api/jobs/{NOBODY}/{path}")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")


# --- download -----------------------------------------------------------------------------------------


def test_download_of_one_result_is_its_bytes(client, image):
    job = finished(client, image, "webp")

    response = client.get(job["links"]["download"])

    content = b"".join(response.streaming_content)
    assert response["Content-Type"] == "image/webp"
    assert response["Content-Disposition"].startswith("attachment")
    assert len(content) == job["artifacts"][0]["byte_size"]


def test_download_of_several_is_a_zip_with_unique_names(client, image):
    other = make_image(11, name="photo.png")
    body = {"images": [str(image.pk), str(other.pk)], "operations": ["webp"], "output_folder": "out/deep"}
    job = client.post("/api/jobs/", body).json()
    run_until_idle()

    response = client.get(f"/api/jobs/{job['id']}/download/")

    content = b"".join(response.streaming_content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        results = ["out/deep/photo_webp.webp", "out/deep/photo_webp_2.webp"]
        assert archive.namelist() == ["manifest.csv", *results]
        assert archive.testzip() is None
    assert int(response["Content-Length"]) == len(content)


def test_download_before_the_end_and_without_results_is_refused(client, image):
    job = submit(client, image, "webp")

    assert client.get(f"/api/jobs/{job['id']}/download/").status_code == 409
    client.post(f"/api/jobs/{job['id']}/cancel/")
    assert client.get(f"/api/jobs/{job['id']}/download/").status_code == 404


def test_download_with_a_missing_file_says_so(client, image):
    job = finished(client, image, "webp", "blur")
    Path(settings.MEDIA_ROOT, Operation.objects.get(name="blur").links.get().artifact.file).unlink()

    response = client.get(job["links"]["download"])

    assert (response.status_code, response.json()["code"]) == (404, "file_missing")


# --- steering -----------------------------------------------------------------------------------------


def test_cancel_once(client, image):
    job = submit(client, image, "webp")

    assert client.post(f"/api/jobs/{job['id']}/cancel/").json()["status"] == "cancelled"
    again = client.post(f"/api/jobs/{job['id']}/cancel/")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def failed_job(client: APIClient, image: Image) -> dict:
    """A job of which one operation failed because the source's file was away, and one was done before."""
    finished(client, image, "webp")
    path = Path(settings.MEDIA_ROOT, image.file)
    content = path.read_bytes()
    path.unlink()
    job = finished(client, image, "webp", "blur")
    path.write_bytes(content)
    return job


def test_retry_of_what_failed(client, image):
    job = failed_job(client, image)
    assert job["status"] == "completed_with_errors"
    assert job["operations"][1]["error"]["code"] == "file_missing"

    response = client.post(f"/api/jobs/{job['id']}/retry/", {"only": "failed"})
    run_until_idle()

    assert response.status_code == 202
    assert client.get(f"/api/jobs/{job['id']}/").json()["status"] == "completed"
    again = client.post(f"/api/jobs/{job['id']}/retry/")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_retry_of_named_operations_checks_them(client, image):
    job = failed_job(client, image)
    done, failed = (one["id"] for one in job["operations"])

    def retry(body: dict) -> int:
        return client.post(f"/api/jobs/{job['id']}/retry/", body).status_code

    assert retry({"operations": [done]}) == 400
    assert retry({"operations": [2**70]}) == 400
    assert retry({"operations": "all"}) == 400
    assert retry({"operations": None}) == 400
    assert retry({"only": "completed"}) == 400
    assert retry({"what": 1}) == 400
    assert retry({"operations": [failed]}) == 202
    assert retry({}) == 409


def test_priority_changes_until_the_end(client, image):
    job = submit(client, image, "webp")

    changed = client.patch(f"/api/jobs/{job['id']}/", {"priority": "urgent"})

    assert (changed.status_code, changed.json()["priority"]) == (200, "urgent")
    assert client.patch(f"/api/jobs/{job['id']}/", {"priority": "soon"}).status_code == 400
    assert client.patch(f"/api/jobs/{job['id']}/", {}).status_code == 400
    assert client.patch(f"/api/jobs/{job['id']}/", {"status": "completed"}).status_code == 400
    run_until_idle()
    assert client.patch(f"/api/jobs/{job['id']}/", {"priority": "low"}).status_code == 409


# --- who may ------------------------------------------------------------------------------------------


def test_scopes(image):
    reviewer, operator = client_of("reviewer"), client_of("operator")
    job = submit(operator, image, "webp")
    path = f"/api/jobs/{job['id']}/"

    refused = [
        reviewer.post("/api/jobs/", {"image": str(image.pk), "operations": ["webp"]}),
        reviewer.post(f"/api/images/{image.pk}/process/", {"operations": ["webp"]}),
        reviewer.post("/api/jobs/estimate/", {"image": str(image.pk), "operations": ["webp"]}),
        reviewer.post(f"{path}cancel/"),
        reviewer.post(f"{path}retry/"),
        reviewer.patch(path, {"priority": "low"}),
    ]

    assert [response.status_code for response in refused] == [403] * 6
    assert "process" in refused[0].json()["detail"]
    assert reviewer.get(path).status_code == 200

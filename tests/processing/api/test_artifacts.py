"""Results over REST."""

import uuid
from pathlib import Path

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from images import services as image_services
from processing.models import OperationArtifact
from tests.factories.rest import client_of, finished, make_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return client_of("operator")


@pytest.fixture
def job(client):
    return finished(client, make_image(1), "webp", "blur", output_folder="results")


def test_list_filters(client, job):
    def formats(query: str = "") -> list[str]:
        response = client.get(f"/api/artifacts/{query}")
        assert response.status_code == 200, response.json()
        return sorted(one["format"] for one in response.json()["results"])

    assert formats() == ["png", "webp"]
    assert formats(f"?job={job['id']}&operation=webp") == ["webp"]
    assert formats(f"?image={job['image']}&format=png") == ["png"]
    assert formats("?role=enhanced") == []
    assert formats("?folder=results&name=photo_webp.webp") == ["webp"]
    assert formats("?folder=elsewhere") == []
    assert client.get("/api/artifacts/?job=7").status_code == 400
    assert client.get("/api/artifacts/?colour=red").status_code == 400


def test_detail_is_the_entry_of_the_job(client, job):
    entry = job["artifacts"][0]

    detail = client.get(f"/api/artifacts/{entry['id']}/").json()

    changing = {"url", "expires_at"}
    assert {k: v for k, v in detail.items() if k not in changing} == {
        k: v for k, v in entry.items() if k not in changing
    }


def test_file_is_an_attachment_with_etag_and_ranges(client, job):
    entry = job["artifacts"][0]
    path = entry["links"]["file"]

    whole = client.get(path)
    known = client.get(path, headers={"If-None-Match": whole["ETag"]})
    part = client.get(path, headers={"Range": "bytes=0-3"})

    assert whole["Content-Disposition"] == 'attachment; filename="photo_webp.webp"'
    assert whole["X-Content-Type-Options"] == "nosniff"
    assert len(b"".join(whole.streaming_content)) == entry["byte_size"]
    assert (known.status_code, part.status_code) == (304, 206)
    assert b"".join(part.streaming_content) == b"RIFF"


def test_comparison_with_the_source(client, job):
    webp, blur = job["artifacts"]

    lossy = client.get(webp["links"]["compare"]).json()
    blurred = client.get(blur["links"]["compare"]).json()

    assert lossy["psnr_db"] > blurred["psnr_db"] > 10
    assert 1 > lossy["ssim"] > blurred["ssim"] > 0
    assert lossy["saved_bytes"] == lossy["source_byte_size"] - webp["byte_size"]
    assert lossy["is_identical"] is False


def test_comparison_of_another_shape_says_why_not(client):
    job = finished(client, make_image(2), {"name": "rotate", "parameters": {"angle": 90}})

    compared = client.get(job["artifacts"][0]["links"]["compare"]).json()

    assert (compared["psnr_db"], compared["ssim"]) == (None, None)
    assert "shape" in compared["note"]


def test_comparison_without_its_source_is_gone(client):
    image = make_image(3)
    job = finished(client, image, "webp")
    Path(settings.MEDIA_ROOT, image.file).unlink()

    response = client.get(job["artifacts"][0]["links"]["compare"])

    assert (response.status_code, response.json()["code"]) == (410, "gone")


def test_missing_file_is_said(client, job):
    Path(
        settings.MEDIA_ROOT, OperationArtifact.objects.get(pk=job["artifacts"][0]["id"]).artifact.file
    ).unlink()

    for part in ("file", "compare"):
        response = client.get(job["artifacts"][0]["links"][part])
        assert (response.status_code, response.json()["code"]) == (404, "file_missing")


def test_purged_source_leaves_the_job_saying_what_was_there(client):
    image = make_image(4)
    job = finished(client, image, "webp")
    image_services.purge(image, actor=None)

    told = client.get(f"/api/jobs/{job['id']}/").json()["artifacts"][0]

    assert (told["url"], told["name"], told["format"]) == (None, "photo_webp.webp", "webp")
    assert told["removed_at"] is not None
    assert set(told) == set(job["artifacts"][0])
    assert client.get(job["links"]["download"]).status_code == 410


@pytest.mark.parametrize("part", ["", "file/", "compare/"])
def test_unknown_artifact_is_404(client, part):
    assert client.get(f"/api/artifacts/{uuid.uuid4()}/{part}").status_code == 404


def test_a_signed_link_is_good_for_its_own_name_and_end_only(job):
    stranger, url = APIClient(), job["artifacts"][0]["url"]
    path, _, query = url.partition("?")
    renamed = path.rpartition("/")[0] + "/invoice.webp"

    statuses = {
        one: stranger.get(one).status_code
        for one in (url, f"{renamed}?{query}", url.replace("expires=", "expires=0"), f"{path}?{query}0")
    }

    assert list(statuses.values()) == [200, 403, 403, 403]


def test_the_types_of_results_are_those_that_are_documented(client, job):
    document = SchemaGenerator().get_schema(request=None, public=True)

    def documented(path: str) -> set[str]:
        return set(document["paths"][path]["get"]["responses"]["200"]["content"])

    for path, kind in ((f"artifacts/{one['id']}/file/", "artifacts/{id}/file/") for one in job["artifacts"]):
        assert client.get(f"/api/{path}")["Content-Type"] in documented(f"/api/{kind}")
    assert client.get(f"/api/jobs/{job['id']}/download/")["Content-Type"] in documented(
        "/api/jobs/{id}/download/"
    )
    original = client.get(f"/api/images/{job['image']}/file/")
    assert original["Content-Type"] in documented("/api/images/{id}/file/")

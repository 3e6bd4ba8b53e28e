"""Results can be traced: their names, their JSON and the manifest of a ZIP say what they were made from."""

import csv
import hashlib
import io
import json
import re
import zipfile

import pytest

from images import services as image_services
from images.models import Image
from processing.engine.worker import run_until_idle
from processing.models import OperationArtifact
from tests.factories.rest import client_of, finished, make_image, submit

pytestmark = pytest.mark.django_db
PAIR = re.compile(
    r"case_(?P<stem>.+)_(?P<pair>\d{8}T\d{12}Z_[0-9a-f-]{36})_(?P<which>enhanced|original)\.bmp"
)


@pytest.fixture
def client():
    return client_of("admin")


def names(job: dict) -> list[str]:
    return [artifact["name"] for artifact in job["artifacts"]]


def job_of(client, images: list[Image], *operations, **fields) -> dict:
    job = client.post(
        "/api/jobs/", {"images": [str(one.pk) for one in images], "operations": operations, **fields}
    )
    assert job.status_code in (200, 202), job.json()
    run_until_idle()
    return client.get(f"/api/jobs/{job.json()['id']}/").json()


def test_names_get_a_counter_only_where_one_is_needed(client):
    images = [make_image(1, name="a.png"), make_image(2, name="A.PNG"), make_image(3, name="b.png")]
    small, large = ({"name": "resize", "parameters": {"width": width}} for width in (8, 16))
    expected = [
        *("p_a_resize.png", "p_a_resize_2.png", "p_a_webp.webp"),
        *("p_A_resize_3.png", "p_A_resize_4.png", "p_A_webp_2.webp"),
        *("p_b_resize.png", "p_b_resize_2.png", "p_b_webp.webp"),
    ]
    assert names(job_of(client, images, small, large, "webp", filename_prefix="p_")) == expected
    assert (
        names(job_of(client, images, small, large, "webp", filename_prefix="p_")) == expected
    )  # from the cache


def test_both_files_of_a_print_share_its_name_a_moment_and_an_identifier(client):
    images = [make_image(1, name="101_1.tif.png"), make_image(2, name="101_2.png")]
    first = job_of(client, images, "enhance_fingerprint", filename_prefix="case_")
    again = job_of(client, images, "enhance_fingerprint", filename_prefix="case_")

    for job in (first, again):
        found = [PAIR.fullmatch(name).groupdict() for name in names(job)]
        assert [(one["stem"], one["which"]) for one in found] == [
            *(("101_1.tif", "enhanced"), ("101_1.tif", "original")),
            *(("101_2", "enhanced"), ("101_2", "original")),
        ]
        pairs = [one["pair"] for one in found]
        assert (pairs[0], pairs[2]) == (pairs[1], pairs[3])
        assert pairs[0] != pairs[2]
    assert all(operation["cached"] for operation in again["operations"])


def test_the_longest_names_fit(client):
    image = make_image(1, name=f"{'n' * 240}.png")
    job = finished(client, image, "strip_metadata", "enhance_fingerprint", filename_prefix="p" * 100)
    assert job["status"] == "completed"
    assert max(len(name) for name in names(job)) <= 255


def test_each_result_names_its_source_even_when_the_image_is_gone(client):
    image = make_image(1, name="holiday.png")
    job = finished(client, image, "webp")
    image_services.trash(image, actor=None)
    link = OperationArtifact.objects.get()
    link.operation.image = None
    link.operation.save(update_fields=["image"])

    for entry in (job["artifacts"][0], client.get(f"/api/artifacts/{link.pk}/").json()):
        assert (entry["source_name"], entry["source_sha256"]) == ("holiday.png", image.sha256)


def test_the_manifest_of_a_zip_says_how_each_file_was_made(client):
    image, trap = make_image(1, name="a.png"), make_image(2, name="=cmd().png")
    job = job_of(client, [image, trap], {"name": "resize", "parameters": {"width": 8}}, output_folder="out")
    content = b"".join(client.get(job["links"]["download"]).streaming_content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode(), newline="")))
        files = {name.removeprefix("out/"): archive.read(name) for name in archive.namelist()}

    assert [row["source_name"] for row in rows] == ["a.png", "'=cmd().png"]
    assert [row["source_sha256"] for row in rows] == [image.sha256, trap.sha256]
    assert list(rows[0]) == [
        *("source_name", "source_sha256", "operation", "parameters", "result_name", "bytes", "sha256")
    ]
    for row, artifact in zip(rows, job["artifacts"], strict=True):
        assert (row["operation"], json.loads(row["parameters"])["width"]) == ("resize", 8)
        data = files[row["result_name"]]
        assert (row["result_name"], int(row["bytes"])) == (artifact["name"], len(data))
        assert row["sha256"] == artifact["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_job_that_waits_has_no_results_yet(client):
    assert submit(client, make_image(1), "webp")["artifacts"] == []

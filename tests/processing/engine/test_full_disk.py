"""A full disk is weather: what needs room waits or is refused, nothing is charged for it, and it goes on by itself."""

import subprocess
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from api.core.handling import as_api_error
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.engine.runner import failure_of
from processing.engine.worker import run_until_idle
from processing.models import Job, Operation
from tests.factories.rest import client_of, make_image, submit, upload
from tests.processing.engine import handlers

pytestmark = pytest.mark.django_db
DISK_BYTES = 16 * 2**20


@pytest.fixture
def small_disk(tmp_path, settings):
    """A real small disk under everything that Pix writes, but its database."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root may mount a file system")
    storages = {**settings.STORAGES}
    storages["default"] = {
        **storages["default"],
        "OPTIONS": {"location": tmp_path / "media", "base_url": None},
    }
    settings.STORAGES = storages
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "tmp"
    settings.MIN_FREE_DISK_BYTES = 0  # as if others had filled the disk to its last byte
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def fill(folder):
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            return


def the_operation(job):
    return Operation.objects.get(job_id=job["id"])


def test_results_that_do_not_fit_are_computed_later_and_not_charged(small_disk):
    client, image = client_of("operator"), make_image(1)
    job = submit(client, image, "webp")
    fill(small_disk)

    for _ in range(5):  # more often than an operation has attempts
        Operation.objects.update(available_at=timezone.now() - timedelta(seconds=1))
        run_until_idle()

    waiting = the_operation(job)
    assert (waiting.status, waiting.attempts, waiting.error_code) == ("queued", 0, "disk_full")
    (small_disk / "filler").unlink()
    Operation.objects.update(available_at=timezone.now() - timedelta(seconds=1))
    run_until_idle()
    done = the_operation(job)
    assert (done.status, done.attempts, done.error_code) == ("completed", 0, "")


def test_an_upload_that_does_not_fit_is_507(small_disk, settings, tmp_path_factory):
    client = client_of("operator")
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path_factory.mktemp("elsewhere")  # its own disk has room
    fill(small_disk)

    response = client.post("/api/images/", {"file": upload(2)}, format="multipart")

    assert (response.status_code, response.json()["code"]) == (507, "disk_full")


def test_workers_leave_the_reserve_alone(settings):
    handlers.install()
    operations = [NewOperation("test-double", {"value": 1}), NewOperation("test-empty")]
    job = jobs.submit_job(kind="test", operations=operations)
    settings.MIN_FREE_DISK_BYTES = 2**60

    assert run_until_idle(["default"]) == 1, "what needs no room goes on, such as the clean-up"

    statuses = dict(job.operations.values_list("name", "status"))
    assert statuses == {"test-double": "queued", "test-empty": "completed"}
    settings.MIN_FREE_DISK_BYTES = 0
    assert run_until_idle(["default"]) == 1
    job.refresh_from_db()
    assert (job.status, job.operations.get(name="test-double").attempts) == ("completed", 0)


def test_a_submission_below_the_reserve_is_507(settings):
    client, image = client_of("operator"), make_image(1)
    before = Job.objects.count()
    settings.MIN_FREE_DISK_BYTES = 2**60

    response = client.post("/api/jobs/", {"image": str(image.pk), "operations": [{"name": "webp"}]})

    assert (response.status_code, response.json()["code"]) == (507, "disk_full")
    assert Job.objects.count() == before


def test_an_error_in_a_librarys_own_words_is_not_charged_on_a_full_disk(settings):
    error = OSError("encoder error -2 when writing image file")

    assert failure_of(error).is_charged
    settings.MIN_FREE_DISK_BYTES = 2**60
    assert not failure_of(error).is_charged


def test_a_database_without_room_is_507_for_requests_and_later_for_workers():
    with pytest.raises(OperationalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")

    assert as_api_error(caught.value).status == 507
    failure = failure_of(caught.value)
    assert (failure.code, failure.is_charged, failure.is_permanent) == ("disk_full", False, False)

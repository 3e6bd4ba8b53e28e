"""A database and a data folder of an older Pix become today's, and what was in them works on."""

import hashlib
from collections.abc import Iterator
from io import StringIO

import pytest
from django.apps.registry import Apps
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from processing.engine.worker import run_until_idle
from tests.factories import make_client, pictures

pytestmark = [pytest.mark.check, pytest.mark.django_db(transaction=True)]

# Before groups, measurements, vectors and the facts of results.
OLD = [
    ("api", "0003_audit_append_only"),
    ("images", "0001_initial"),
    ("batches", "0001_initial"),
    ("processing", "0005_fewer_operation_indexes"),
]
FRESH = "pix_upgrade"


@pytest.fixture
def old_apps() -> Iterator[Apps]:
    """The models of then; the default connection leads to a database of its own with the tables of then."""
    usual = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {FRESH}")
        cursor.execute(f"CREATE DATABASE {FRESH}")
    connection.close()
    connection.settings_dict["NAME"] = FRESH
    try:
        yield MigrationExecutor(connection).migrate(OLD).apps
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {FRESH} WITH (FORCE)")


def test_upgrade_keeps_the_rows_and_files_of_an_older_version(old_apps):
    image_id, batch_id, job_id, result_id = _rows_of_then(old_apps)

    call_command("migrate", verbosity=0)

    client = make_client("admin")
    image = client.get(f"/api/images/{image_id}/").json()
    assert (image["original_filename"], image["tags"], image["status"]) == ("harbour.png", ["sea"], "ready")
    batch = client.get(f"/api/batches/{batch_id}/").json()
    assert (batch["batch_name"], batch["status"]) == ("Harbours", "draft")
    members = client.get(f"/api/batches/{batch_id}/images/").json()["results"]
    assert [member["id"] for member in members] == [str(image_id)]
    job = client.get(f"/api/jobs/{job_id}/").json()
    assert (job["status"], job["progress"]["done"]) == ("completed", 1)
    result = client.get(f"/api/artifacts/{result_id}/file/")
    assert b"".join(result.streaming_content if result.streaming else [result.content]) == b"result"
    submitted = client.post("/api/jobs/", {"image": str(image_id), "operations": ["webp"]}).json()
    run_until_idle()
    assert client.get(f"/api/jobs/{submitted['id']}/").json()["status"] == "completed"


def test_every_change_of_a_model_has_its_migration():
    call_command("makemigrations", check_changes=True, dry_run=True, stdout=StringIO())


def _rows_of_then(apps: Apps) -> tuple:
    """An image that was uploaded, put into a batch and processed."""
    owner = User.objects.create(username="otto")
    data = pictures.png(seed=7)
    image = apps.get_model("images", "Image").objects.create(
        sha256=hashlib.sha256(data).hexdigest(),
        file=default_storage.save("raw/ha/rb/harbour.png", ContentFile(data)),
        original_filename="harbour.png",
        format="png",
        byte_size=len(data),
        width=64,
        height=48,
        mode="RGB",
        tags=["sea"],
        uploaded_by_id=owner.pk,
    )
    batch = apps.get_model("batches", "Batch").objects.create(batch_name="Harbours", owner_id=owner.pk)
    apps.get_model("batches", "BatchImage").objects.create(batch=batch, image=image)
    now = timezone.now()
    job = apps.get_model("processing", "Job").objects.create(
        image=image, status="completed", operations_total=1, operations_completed=1, finished_at=now
    )
    operation = apps.get_model("processing", "Operation").objects.create(
        job=job, image=image, position=0, name="grayscale", status="completed", progress=1, finished_at=now
    )
    artifact = apps.get_model("processing", "Artifact").objects.create(
        image=image,
        cache_key="0" * 64,
        file=default_storage.save("results/ha/rb/harbour.png", ContentFile(b"result")),
        sha256=hashlib.sha256(b"result").hexdigest(),
        format="png",
        byte_size=6,
        width=64,
        height=48,
    )
    link = apps.get_model("processing", "OperationArtifact").objects.create(
        operation=operation, artifact=artifact, name="harbour_grayscale.png"
    )
    return image.pk, batch.pk, job.pk, link.pk

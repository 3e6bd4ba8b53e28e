"""Clean-up: what goes, what stays and why, and that nothing is left of what went."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from batches.models import Batch
from images import services as image_services
from images.models import Image, Rendition
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.engine.worker import run_until_idle
from processing.models import Artifact, Job, Operation
from processing.storage import file_classes, retention
from tests.factories.rest import client_of, finished, make_image, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def clean(django_capture_on_commit_callbacks):
    def run(*classes: str, days_old: int = 30) -> dict[str, int]:
        with django_capture_on_commit_callbacks(execute=True):
            removed = retention.clean(retention.cutoffs(classes, days_old=days_old))
        return {name: part.count for name, part in removed.items()}

    return run


def aged(image: Image, *, days: int = 40) -> Image:
    """The image, its thumbnails and its results, as if they had been there for days."""
    then = timezone.now() - timedelta(days=days)
    Image.objects.filter(pk=image.pk).update(created_at=then)
    Rendition.objects.filter(image=image).update(created_at=then)
    Artifact.objects.filter(image=image).update(created_at=then)
    Operation.objects.filter(image=image, status="completed").update(finished_at=then)
    return image


def exists(key: str) -> bool:
    return Path(settings.MEDIA_ROOT, key).is_file()


def status_of(image: Image) -> str:
    return Image.objects.get(pk=image.pk).status


def test_old_originals_go_with_their_files_and_young_ones_stay(clean):
    old, young = aged(make_image(1)), make_image(2)
    thumbnails = list(old.renditions.values_list("file", flat=True))

    assert clean("raw") == {"raw": 1, "trash": 0}

    assert (status_of(old), status_of(young)) == ("purged", "ready")
    assert [exists(key) for key in (old.file, *thumbnails)] == [False] * (1 + len(thumbnails))
    assert exists(young.file)


def test_pinned_batched_and_live_images_stay_and_the_plan_says_why(clean):
    pinned, batched, live, free = (aged(make_image(seed)) for seed in (1, 2, 3, 4))
    Image.objects.filter(pk=pinned.pk).update(pinned=True)
    Batch.objects.create(batch_name="kept").batch_images.create(image=batched)
    submit(client_of("operator"), live, "webp")

    plan = retention.plan(retention.cutoffs(["raw"], days_old=30))["raw"]
    clean("raw", "thumbnails")

    assert plan.kept == {"input of an unfinished job": 1, "pinned": 1, "in a batch": 1}
    assert (plan.count, plan.byte_size, plan.examples) == (1, free.byte_size, ["photo.png"])
    assert [status_of(image) for image in (pinned, batched, live, free)] == [
        "ready",
        "ready",
        "ready",
        "purged",
    ]
    assert all(image.renditions.exists() for image in (pinned, batched, live))


def test_job_that_waits_for_its_input_finishes_after_a_cleanup(clean):
    client, image = client_of("operator"), aged(make_image(1))
    job = submit(client, image, "webp")

    clean("raw", "processed", "thumbnails", days_old=0)
    run_until_idle()

    assert Job.objects.get(pk=job["id"]).status == "completed"


def test_old_results_go_and_their_job_remembers_them(clean):
    client, image = client_of("operator"), make_image(1)
    job = finished(client, image, "webp", "blur")
    aged(image)
    keys = list(Artifact.objects.values_list("file", flat=True))

    assert clean("processed") == {"processed": 2}

    assert [exists(key) for key in keys] == [False, False]
    told = client.get(f"/api/jobs/{job['id']}/").json()
    assert [(a["name"], a["url"]) for a in told["artifacts"]] == [
        ("photo_webp.webp", None),
        ("photo_blur.png", None),
    ]
    assert Job.objects.get(pk=job["id"]).events.last().code == "artifacts_removed"
    again = finished(client, image, "webp")
    assert (again["operations"][0]["cached"], again["status"]) == (False, "completed")


def test_result_that_was_given_again_lately_stays(clean):
    client, image = client_of("operator"), make_image(1)
    finished(client, image, "webp")
    aged(image)
    finished(client, image, "webp")

    assert clean("processed") == {"processed": 0}


def test_result_of_a_job_that_still_runs_stays(clean):
    client, image = client_of("operator"), make_image(1)
    finished(client, image, "webp")
    aged(image)
    submit(client, image, "webp", "avif")
    Operation.objects.filter(status="completed").update(finished_at=timezone.now() - timedelta(days=40))

    plan = retention.plan(retention.cutoffs(["processed"], days_old=30))["processed"]

    assert clean("processed") == {"processed": 0}
    assert plan.kept == {"belongs to an unfinished job": 1}


def test_file_that_another_result_uses_stays(clean):
    client, image = client_of("operator"), make_image(1)
    finished(client, image, "webp")
    old = Artifact.objects.get()
    Artifact.objects.create(**{**_facts(old), "cache_key": "f" * 64})
    Artifact.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=40))
    Operation.objects.update(finished_at=timezone.now() - timedelta(days=40))

    assert clean("processed") == {"processed": 1}

    assert exists(old.file)


def _facts(artifact: Artifact) -> dict:
    names = ("image", "role", "file", "sha256", "format", "byte_size", "width", "height")
    return {name: getattr(artifact, name) for name in names}


def test_thumbnails_go_and_their_image_stays(clean):
    image = aged(make_image(1))
    keys = list(image.renditions.values_list("file", flat=True))

    assert clean("thumbnails") == {"thumbnails": len(keys)}

    assert (status_of(image), image.renditions.count()) == ("ready", 0)
    assert not any(map(exists, keys))


def test_old_trash_goes_with_the_originals(clean, settings):
    settings.TRASH_DAYS = 30
    old, young = make_image(1), make_image(2)
    for image in (old, young):
        image_services.trash(image, actor=None)
    Image.objects.filter(pk=old.pk).update(deleted_at=timezone.now() - timedelta(days=31))

    assert clean("raw", days_old=1000) == {"raw": 0, "trash": 1}

    assert (status_of(old), status_of(young)) == ("purged", "trashed")


def test_image_that_gets_work_after_it_was_chosen_stays():
    image = aged(make_image(1))
    raw = file_classes.CLASSES["raw"]
    chosen = list(retention._removable(raw, timezone.now()).values_list("pk", flat=True))
    jobs.submit_job(kind="process", operations=[NewOperation("webp", {}, image_id=image.pk)])

    removed = retention._remove(raw, timezone.now(), chosen)

    assert (chosen, removed.count, status_of(image)) == ([image.pk], 0, "ready")


# --- retention ----------------------------------------------------------------------------------------


def test_retention_queues_a_cleanup_when_something_is_due(settings):
    settings.RETENTION_RAW_DAYS, settings.TRASH_DAYS = 30, 0
    old = aged(make_image(1))

    job = retention.apply_retention()

    assert job is not None
    assert (job.kind, job.source) == ("cleanup", "retention")
    assert retention.apply_retention() is None  # one is on its way
    run_until_idle()
    job.refresh_from_db()
    assert (job.status, status_of(old)) == ("completed", "purged")
    assert retention.apply_retention() is None  # nothing is due


def test_retention_of_0_days_keeps_for_ever(settings):
    settings.RETENTION_RAW_DAYS = settings.RETENTION_PROCESSED_DAYS = settings.TRASH_DAYS = 0
    aged(make_image(1), days=9999)

    assert retention.apply_retention() is None


def test_cancelled_cleanup_stops():
    image = aged(make_image(1))

    removed = retention.clean(retention.cutoffs(["raw"], days_old=30), is_wanted=lambda: False)

    assert (removed["raw"].count, status_of(image)) == (0, "ready")


# --- the command --------------------------------------------------------------------------------------


def cleanup(*args: str) -> str:
    out = StringIO()
    call_command("cleanup", *args, stdout=out)
    return out.getvalue()


def test_command_plans_and_cleans():
    image = aged(make_image(1))

    planned = cleanup("--days-old", "30", "--class", "raw", "--dry-run")
    assert "1 would be deleted" in planned
    assert status_of(image) == "ready"

    assert "raw: 1 deleted" in cleanup("--days-old", "30", "--class", "raw,processed")
    assert status_of(image) == "purged"
    assert "0 deleted in total (0\xa0bytes)." in cleanup("--days-old", "30")


@pytest.mark.parametrize(
    "args",
    [
        ("--days-old", "-1"),
        ("--days-old", "nan"),
        ("--days-old", "1e9"),
        ("--days-old", "3", "--class", "csv"),
    ],
)
def test_command_refuses_bad_values(args):
    with pytest.raises(CommandError, match="days_old|classes"):
        cleanup(*args)

"""The admin's home: today's numbers, at a constant price."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from batches.models import Batch
from pixproject.dashboard import dashboard, failed_badge
from processing.engine import jobs
from processing.engine.worker import run_until_idle
from processing.models import Operation, WorkerHeartbeat
from processing.states import OperationStatus
from tests.factories import make_rows
from tests.factories.admin import failed_job, waiting_job

pytestmark = pytest.mark.django_db


def heartbeat(name: str, *, seconds_ago: int) -> None:
    now = timezone.now()
    WorkerHeartbeat.objects.create(
        id=name,
        host="host",
        pid=1,
        queues=["default"],
        threads=4,
        started_at=now - timedelta(hours=1),
        seen_at=now - timedelta(seconds=seconds_ago),
    )


def test_numbers():
    failed_job()
    waiting_job("test-double", "test-double")
    heartbeat("a", seconds_ago=1)
    heartbeat("b", seconds_ago=50)
    make_rows(3)
    jobs.pause_queue("ml", reason="weights")

    found = dashboard()

    assert (found.completed_today, found.failed_today, found.waiting, found.running) == (1, 1, 2, 0)
    assert [(bar.of.name, bar.of.waiting, bar.of.paused, bar.share) for bar in found.queues] == [
        ("light", 0, False, 0),
        ("default", 2, False, 100),
        ("ml", 0, True, 0),
    ]
    assert [(bar.of["error_code"], bar.of["count"], bar.share) for bar in found.errors] == [
        ("damaged_image", 1, 100)
    ]
    assert ([worker.id for worker in found.workers_alive], found.workers_silent, found.threads) == (
        ["a"],
        1,
        4,
    )
    assert [(bar.of.label, bar.of.count, bar.of.byte_size) for bar in found.stored] == [
        ("Images", 3, 3003),
        ("In the trash", 0, 0),
        ("Results", 0, 0),
        ("Thumbnails", 0, 0),
    ]


def test_hours_hold_what_finished_in_them():
    job = waiting_job(*["test-double"] * 5)
    run_until_idle()
    this_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    first, second, third, fourth, fifth = job.operations.all()
    for operation, hours in ((first, 0), (second, 0), (third, 3), (fourth, 23), (fifth, 25)):
        Operation.objects.filter(pk=operation.pk).update(finished_at=this_hour - timedelta(hours=hours))

    hours = dashboard().hours

    assert len(hours) == 24
    assert [(24 - index - 1, hour.completed) for index, hour in enumerate(hours) if hour.completed] == [
        (23, 1),
        (3, 1),
        (0, 2),
    ]
    assert [hour.completed_share for hour in hours if hour.completed] == [50, 50, 100]


def test_durations_are_medians_of_what_was_computed():
    job = waiting_job(*["test-double"] * 4)
    run_until_idle()
    for operation, milliseconds in zip(job.operations.all(), (10, 20, 900, 5), strict=True):
        operation.duration_ms = milliseconds
        operation.cached = milliseconds == 5
        operation.save(update_fields=["duration_ms", "cached"])

    assert [(bar.of.name, bar.of.median_ms, bar.of.count) for bar in dashboard().durations] == [
        ("test-double", 20, 3)
    ]


def test_empty_library(administrator):
    page = administrator.get(reverse("admin:index")).content.decode()

    for sentence in ("No failed work.", "Nothing was measured yet.", "No jobs yet.", "Nothing finished"):
        assert sentence in page


def test_refresh_answers_the_same_fragment(administrator):
    whole = administrator.get(reverse("admin:index"))
    part = administrator.get(reverse("admin:index"), headers={"HX-Request": "true"})

    assert [template.name for template in part.templates][0] == "admin/_dashboard.html"
    assert "admin/_dashboard.html" in [template.name for template in whole.templates]
    assert b"<html" not in part.content


def test_batches_by_stage(administrator):
    made = {"work": 2, "validation": 1, "acceptance": 1, "approved": 3}
    for stage, count in made.items():
        for number in range(count):
            Batch.objects.create(batch_name=f"{stage} {number}", review_stage=stage)
    Batch.objects.create(batch_name="Old", review_stage="validation", status="archived")
    Batch.objects.create(batch_name="Gone", review_stage="validation", deleted_at=timezone.now())

    found = dashboard()

    assert {bar.of.name: bar.of.count for bar in found.stages} == made
    assert found.to_review == 2
    page = administrator.get(reverse("admin:index")).content.decode()
    link = "?review_stage__in=validation,acceptance"
    assert link in page
    rows = administrator.get(reverse("admin:batches_batch_changelist") + link).context["cl"].result_list
    assert {batch.review_stage for batch in rows} == {"validation", "acceptance"}


def test_constant_queries(administrator, django_assert_max_num_queries):
    for _ in range(3):
        failed_job()
    with django_assert_max_num_queries(20):
        administrator.get(reverse("admin:index"))
    for number in range(6):
        failed_job()
        heartbeat(str(number), seconds_ago=1)
    with django_assert_max_num_queries(20):
        administrator.get(reverse("admin:index"))


def test_badge_stops_counting():
    assert failed_badge() == ""
    job = waiting_job(*["test-double"] * 120)
    operations = job.operations.all()
    operations.filter(position__lt=99).update(status=OperationStatus.FAILED)
    assert failed_badge() == "99"
    operations.update(status=OperationStatus.FAILED)
    assert failed_badge() == "99+"

"""Failed work by error code, the queues' switches, the workers."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from api.models import AuditEvent
from processing.models import Operation, QueueControl, WorkerHeartbeat
from processing.states import OperationStatus
from tests.factories.admin import failed_job, said, waiting_job

pytestmark = pytest.mark.django_db


def fail(code: str, sentence: str, *, minutes_ago: int, name: str = "blur") -> Operation:
    operation = waiting_job().operations.get()
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.FAILED,
        name=name,
        error_code=code,
        error_detail=sentence,
        finished_at=timezone.now() - timedelta(minutes=minutes_ago),
    )
    return operation


def groups(client):
    found = client.get(reverse("admin:failed_work")).context["groups"]
    return [(g.error_code, g.operations, g.jobs, g.names, g.example.error_detail) for g in found]


def test_failed_work_is_grouped_with_its_newest_sentence(operator):
    fail("time_limit", "old", minutes_ago=9)
    fail("time_limit", "new", minutes_ago=1, name="avif")
    fail("", "said nothing", minutes_ago=3)

    assert groups(operator) == [
        ("time_limit", 2, 2, ["avif", "blur"], "new"),
        ("", 1, 1, ["blur"], "said nothing"),
    ]
    page = operator.get(reverse("admin:failed_work")).content.decode()
    assert "The operation took too long." in page
    assert "No error code" in page


def test_nothing_failed(operator):
    assert "Nothing has failed" in operator.get(reverse("admin:failed_work")).content.decode()


def test_failed_work_has_constant_queries(operator, django_assert_max_num_queries):
    for number in range(8):
        fail(f"code_{number}", "sentence", minutes_ago=number)

    with django_assert_max_num_queries(10):
        operator.get(reverse("admin:failed_work"))


def test_retry_all_of_one_error(operator):
    failed_job()
    failed_job()
    other = fail("time_limit", "slow", minutes_ago=1)

    response = operator.post(reverse("admin:failed_work"), {"error_code": "damaged_image"})

    assert said(response) == ["2 operations with the error “damaged_image” queued again."]
    assert list(Operation.objects.filter(status="failed").values_list("pk", flat=True)) == [other.pk]
    event = AuditEvent.objects.get()
    assert (event.action, event.actor, event.detail["operations"]) == (
        "operation.retry_failed",
        operator.user,
        2,
    )


def test_retry_of_an_error_that_is_gone(operator):
    response = operator.post(reverse("admin:failed_work"), {"error_code": "damaged_image"})

    assert said(response) == [
        "No failed operations with the error “damaged_image” were found. Nothing was changed."
    ]
    assert not AuditEvent.objects.exists()


def test_retry_without_a_code(operator):
    fail("", "said nothing", minutes_ago=1)

    assert said(operator.post(reverse("admin:failed_work"), {})) == [
        "Choose the error code whose operations should be retried."
    ]
    assert Operation.objects.get().status == OperationStatus.FAILED


def test_pause_and_resume(administrator):
    url = reverse("admin:queues")

    paused = administrator.post(url, {"queue": "default", "turn": "pause", "reason": " lunch "})

    assert said(paused) == ["The queue “default” is paused. Operations that are already running will finish."]
    control = QueueControl.objects.get(name="default")
    assert (control.paused, control.reason, control.paused_by) == (True, "lunch", administrator.user)
    page = administrator.get(url).content.decode()
    assert "lunch" in page
    resumed = administrator.post(url, {"queue": "default", "turn": "resume"})
    assert said(resumed)[-1] == "The queue “default” was resumed."
    assert not QueueControl.objects.get(name="default").paused
    assert list(AuditEvent.objects.order_by("pk").values_list("action", "target_id")) == [
        ("queue.pause", "default"),
        ("queue.resume", "default"),
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"queue": "default", "turn": "pause", "reason": "  "}, "Enter a reason"),
        ({"queue": "fast", "turn": "pause", "reason": "x"}, "queue: Select a valid choice. fast"),
        ({"queue": "default", "turn": "stop", "reason": "x"}, "turn: Select a valid choice. stop"),
        ({"queue": "default", "turn": "pause", "reason": "x" * 201}, "at most 200 characters (it has 201)"),
        ({}, "queue: This field is required."),
    ],
)
def test_bad_switch_says_why(administrator, data, sentence):
    response = administrator.post(reverse("admin:queues"), data)

    assert any(sentence in message for message in said(response))
    assert not QueueControl.objects.filter(paused=True).exists()


def test_queues_show_depth_and_age(operator):
    waiting_job("test-double", "test-double")
    Operation.objects.update(available_at=timezone.now() - timedelta(seconds=90))

    page = operator.get(reverse("admin:queues")).content.decode()

    assert "1 min 30 s" in page
    assert "none alive" in page
    assert "Pause" not in page.replace("Paused", "")  # switching needs the scope admin


def test_workers_are_alive_or_silent(operator):
    now = timezone.now()
    for name, seconds in (("awake", 2), ("asleep", 45)):
        WorkerHeartbeat.objects.create(
            id=name,
            host="host",
            pid=7,
            queues=["light", "ml"],
            started_at=now - timedelta(hours=1),
            seen_at=now - timedelta(seconds=seconds),
        )

    rows = operator.get(reverse("admin:processing_workerheartbeat_changelist"))

    admin = rows.context["cl"].model_admin
    assert [(worker.pk, admin.state(worker)) for worker in rows.context["cl"].result_list] == [
        ("awake", "alive"),
        ("asleep", "silent"),
    ]

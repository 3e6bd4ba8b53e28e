"""Retry and cancel all the work of a batch."""

import pytest

from api.models import AuditEvent
from batches import services
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories import make_client, make_user
from tests.factories.admin import failed_job, waiting_job
from tests.processing.engine import handlers

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    handlers.install()
    return services.create_batch("Shoes", owner=make_user("process", username="anna"))


def put_into(batch, *jobs):
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(batch=batch)


def statuses(job):
    return list(job.operations.order_by("pk").values_list("status", flat=True))


def post(client, batch, action, body=None):
    return client.post(f"/api/batches/{batch.pk}/jobs/{action}/", body or {}, format="json")


def test_failed_operations_run_again_and_cancelled_ones_stay(batch):
    failed, cancelled = failed_job(), waiting_job()
    put_into(batch, failed, cancelled)
    client = make_client("process")

    assert post(client, batch, "cancel").json() == {"jobs": 1, "operations": 1}
    assert post(client, batch, "retry", {"only": "failed"}).json() == {"jobs": 1, "operations": 1}

    assert statuses(failed) == ["completed", "queued"]
    assert statuses(cancelled) == ["cancelled"]
    run_until_idle()
    assert statuses(failed) == ["completed", "failed"]
    done = AuditEvent.objects.filter(action__in=["batch.cancel", "batch.retry_failed"]).order_by("pk")
    assert list(done.values_list("action", "detail__operations")) == [
        ("batch.cancel", 1),
        ("batch.retry_failed", 1),
    ]


def test_retry_takes_cancelled_operations_too_unless_told_otherwise(batch):
    job = waiting_job()
    put_into(batch, job)
    client = make_client("process")
    post(client, batch, "cancel")

    assert post(client, batch, "retry").json() == {"jobs": 1, "operations": 1}
    assert statuses(job) == ["queued"]


def test_second_call_changes_nothing(batch):
    put_into(batch, waiting_job())
    client = make_client("process")
    post(client, batch, "cancel")

    assert post(client, batch, "cancel").json() == {"jobs": 0, "operations": 0}
    assert post(client, batch, "retry", {"only": "failed"}).json() == {"jobs": 0, "operations": 0}


def test_wrong_fields_are_refused(batch):
    client = make_client("process")

    wrong = post(client, batch, "retry", {"only": "some"}).json()
    unknown = post(client, batch, "cancel", {"only": "failed"}).json()

    assert (wrong["code"], wrong["errors"][0]["field"]) == ("invalid_choice", "only")
    assert (unknown["code"], unknown["errors"][0]["field"]) == ("unknown_field", "only")


def test_reviewers_may_not(batch):
    assert post(make_client("write"), batch, "retry").status_code == 403


def test_archived_batch_is_refused(batch):
    services.archive(batch, actor=batch.owner)

    assert post(make_client("process"), batch, "retry").status_code == 409

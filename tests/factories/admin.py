"""What the admin's tests share: clients, work that is waiting, done or failed, and what a page said."""

from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from api.models import AuditEvent
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories import make_user

JOBS = "admin:processing_job_changelist"
IMAGES = "admin:images_image_changelist"


def client_of(scope: str, **fields: Any) -> Client:
    """A signed-in client; its user is the attribute `user`."""
    client = Client()
    client.user = make_user(scope, password=None, **fields)  # type: ignore[attr-defined]  # hashing is slow
    client.force_login(client.user)  # type: ignore[attr-defined]
    return client


def waiting_job(*names: str, **fields: Any) -> Job:
    operations = [NewOperation(name, {"value": 2}) for name in names or ("test-double",)]
    return jobs.submit_job(kind="process", operations=operations, **fields)


def failed_job(*, reference: str = "") -> Job:
    """One operation that completed and one that failed."""
    job = waiting_job("test-double", "test-refused", reference=reference)
    run_until_idle()
    job.refresh_from_db()
    return job


def act(client: Client, url: str, name: str, *targets: Any, query: str = "", **fields: Any) -> Any:
    """Run an action on some rows, as the list's form does."""
    data = {
        "action": name,
        "_selected_action": [str(target.pk) for target in targets],
        "index": "0",
        **fields,
    }
    return client.post(reverse(url) + query, data)


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def audited() -> list[tuple[str, str]]:
    """(action, id of its target), the oldest first."""
    return list(AuditEvent.objects.order_by("pk").values_list("action", "target_id"))

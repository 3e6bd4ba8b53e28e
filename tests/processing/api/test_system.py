"""Operations, queues, workers and clean-up over REST."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from api.models import AuditEvent
from images.models import Image
from processing.algorithms.operations.table import OPERATIONS
from processing.engine.worker import Worker, forget_lost_workers, run_until_idle
from processing.models import Job, WorkerHeartbeat
from tests.factories.rest import client_of, finished, make_image, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> APIClient:
    return client_of("admin")


@pytest.fixture
def client() -> APIClient:
    return client_of("operator")


def test_operations_are_the_table(client):
    listed = client.get("/api/operations/").json()

    assert [one["name"] for one in listed] == list(OPERATIONS)
    resize = client.get("/api/operations/resize").json()
    assert resize["schema"]["properties"]["width"]["maximum"] == 16384
    assert (resize["available"], resize["why_not"], resize["queue"]) == (True, "", "default")
    unknown = client.get("/api/operations/nope/")
    assert unknown.status_code == 404
    assert "resize" in unknown.json()["detail"]


def test_queues_say_what_waits(client):
    image = make_image(1)
    submit(client, image, "webp", "blur")

    queues = {queue["name"]: queue for queue in client.get("/api/queues/").json()}

    assert set(queues) == {"light", "default", "ml"}
    assert (queues["default"]["waiting"], queues["default"]["running"]) == (2, 0)
    assert queues["default"]["oldest_waiting_seconds"] >= 0
    assert queues["light"]["oldest_waiting_seconds"] is None


def test_paused_queue_hands_out_nothing(admin):
    image = make_image(1)
    paused = admin.patch("/api/queues/default/", {"paused": True, "reason": "maintenance"})
    job = submit(admin, image, "webp")

    run_until_idle()

    assert (paused.json()["paused"], paused.json()["reason"]) == (True, "maintenance")
    assert Job.objects.get(pk=job["id"]).status == "queued"
    assert admin.patch("/api/queues/default/", {"paused": False}).json()["paused"] is False
    run_until_idle()
    assert Job.objects.get(pk=job["id"]).status == "completed"
    assert list(AuditEvent.objects.filter(action__startswith="queue").values_list("action", flat=True)) == [
        "queue.resume",
        "queue.pause",
    ]


@pytest.mark.parametrize(
    "body", [{}, {"paused": "yes"}, {"paused": True, "reason": "x" * 201}, {"paused": True, "depth": 3}, []]
)
def test_queue_refuses_bad_values(admin, body):
    assert admin.patch("/api/queues/default/", body).status_code == 400


def test_queues_change_by_admins_only(client, admin):
    assert client.patch("/api/queues/default/", {"paused": True}).status_code == 403
    assert admin.patch("/api/queues/nope/", {"paused": True}).status_code == 404
    assert client.get("/api/queues/nope/").status_code == 404


def test_workers_are_those_seen_lately(client):
    now = timezone.now()
    facts = {"host": "h", "pid": 1, "queues": ["light"], "threads": 2, "started_at": now}
    WorkerHeartbeat.objects.create(id="alive", seen_at=now, **facts)
    WorkerHeartbeat.objects.create(id="lost", seen_at=now - timedelta(minutes=5), **facts)

    assert [worker["id"] for worker in client.get("/api/workers/").json()] == ["alive"]


def test_a_worker_whose_clock_is_wrong_is_alive(monkeypatch):
    wrong = timezone.now() - timedelta(hours=1)
    monkeypatch.setattr(timezone, "now", lambda: wrong)
    Worker({"light": 1})._beat()

    [worker] = client_of("viewer").get("/api/workers/").json()

    assert worker["threads"] == 1
    assert forget_lost_workers() == 0


def test_cleanup_plans_and_removes(admin):
    image = make_image(1)
    finished(admin, image, "webp")

    plan = admin.post("/api/cleanup/", {"days_old": 0, "classes": ["processed"], "dry_run": True})
    job = admin.post("/api/cleanup/", {"days_old": 0, "classes": ["processed"]})
    run_until_idle()

    assert (plan.status_code, plan.json()["count"]) == (200, 1)
    assert plan.json()["classes"]["processed"]["byte_size"] == plan.json()["byte_size"] > 0
    assert (job.status_code, job.json()["kind"]) == (202, "cleanup")
    done = admin.get(job["Location"]).json()
    assert (done["status"], done["operations"][0]["result"]["count"]) == ("completed", 1)
    assert Image.objects.get(pk=image.pk).status == "ready"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "days_old"),
        ({"days_old": -1}, "days_old"),
        ({"days_old": 1.5}, "days_old"),
        ({"days_old": True}, "days_old"),
        ({"days_old": "soon"}, "days_old"),
        ({"days_old": None}, "days_old"),
        ({"days_old": 36501}, "days_old"),
        ({"days_old": 10**30}, "days_old"),
        ({"days_old": 30, "classes": []}, "classes"),
        ({"days_old": 30, "classes": None}, "classes"),
        ({"days_old": 30, "classes": ["trash"]}, "classes.0"),
        ({"days_old": 30, "classes": "raw"}, "classes"),
        ({"days_old": 30, "classes": [["raw"]]}, "classes.0"),
        ({"days_old": 30, "dry_run": "yes"}, "dry_run"),
        ({"days_old": 30, "folder": "raw"}, "folder"),
    ],
)
def test_cleanup_refuses_bad_values(admin, body, field):
    response = admin.post("/api/cleanup/", body)

    assert response.status_code == 400, response.json()
    assert response.json()["errors"][0]["field"] == field


def test_cleanup_refuses_not_a_number(admin):
    body = '{"days_old": NaN}'

    assert admin.post("/api/cleanup/", body, content_type="application/json").status_code == 400


def test_cleanup_is_for_admins(client):
    response = client.post("/api/cleanup/", {"days_old": 30})

    assert response.status_code == 403
    assert "admin" in response.json()["detail"]

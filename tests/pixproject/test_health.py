"""Health, readiness and metrics: the truth, quickly, whatever hangs."""

import resource
import threading
import time
from datetime import timedelta

import psutil
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from pixproject import health
from processing.engine import jobs
from processing.models import WorkerHeartbeat
from tests.factories.rest import client_of, finished, make_image, submit

pytestmark = pytest.mark.django_db
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _forget_readiness():
    health._ready = (0.0, False)
    yield
    health._ready = (0.0, False)


def test_deep_check_tells_each_part_with_its_time():
    response = client_of("viewer").get("/api/health/")

    body = response.json()
    assert response.status_code == 200, body
    assert set(body["checks"]) == {"database", "redis", "storage", "queues", "workers", "disk", "models"}
    assert all(
        check["ms"] >= 0 and check["status"] in ("ok", "degraded") for check in body["checks"].values()
    )
    assert {name for name, check in body["checks"].items() if check["status"] == "ok"} >= {
        "database",
        "redis",
        "storage",
        "queues",
        "disk",
        "models",
    }
    running_s = time.time() - psutil.Process().create_time()
    assert running_s - 5 < body["uptime_seconds"] < running_s + 1
    assert body["version"]


def test_no_worker_is_said_and_is_no_reason_for_503():
    body = client_of("viewer").get("/api/health").json()

    assert body["checks"]["workers"]["status"] == "degraded"
    assert "No worker is serving: light, default, ml" in body["checks"]["workers"]["detail"]
    assert body["status"] == "degraded"


def test_redis_away_is_503_and_says_that_submissions_still_work(settings):
    settings.REDIS_URL = NOWHERE

    response = client_of("viewer").get("/api/health/")

    assert (response.status_code, response.json()["status"]) == (503, "degraded")
    assert "still accepted" in response.json()["checks"]["redis"]["detail"]


def test_storage_that_cannot_write_is_503(settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    storages = {**settings.STORAGES}
    storages["default"] = {
        **storages["default"],
        "OPTIONS": {"location": tmp_path / "file", "base_url": None},
    }
    settings.STORAGES = storages

    deep, ready = client_of("viewer").get("/api/health/"), APIClient().get("/api/health/ready/")

    assert (deep.status_code, deep.json()["checks"]["storage"]["status"]) == (503, "failed")
    assert (ready.status_code, ready.json()) == (503, {"status": "failed"})


def test_full_disk_is_503(settings):
    settings.MIN_FREE_DISK_BYTES = 2**62

    response = client_of("viewer").get("/api/health/")

    assert (response.status_code, response.json()["checks"]["disk"]["status"]) == (503, "failed")


def test_a_check_that_hangs_delays_nothing_and_has_one_thread(monkeypatch):
    released, calls = threading.Event(), []

    def hangs():
        calls.append(1)
        released.wait(30)
        return health.OK, "", {}

    monkeypatch.setitem(health.CHECKS, "storage", hangs)
    started = time.monotonic()
    try:
        found = [health.examine(deadline_s=0.2) for _ in range(3)]
    finally:
        released.set()

    print(f"three answers after {time.monotonic() - started:.2f} s")
    assert [one.checks["storage"].status for one in found] == ["failed"] * 3
    assert "No response within 0.2 s" in found[0].checks["storage"].detail
    assert found[0].checks["database"].status == "ok"
    assert len(calls) == 1


def test_live_and_ready_are_open_and_tell_one_word():
    nobody = APIClient()

    for path in ("/api/health/live/", "/api/health/live", "/api/health/ready/", "/api/health/ready"):
        assert (nobody.get(path).status_code, nobody.get(path).json()) == (200, {"status": "ok"})


def test_short_addresses_redirect():
    for path, target in (("/health", "/api/health/"), ("/docs", "/api/docs/")):
        assert {APIClient().get(path + end)["Location"] for end in ("", "/")} == {target}


def test_metrics_count_queues_jobs_and_durations():
    client, image = client_of("operator"), make_image(1)
    finished(client, image, "webp")
    submit(client, image, "avif")
    now = timezone.now()
    facts = {"host": "h", "pid": 1, "threads": 2, "started_at": now}
    WorkerHeartbeat.objects.create(id="a", queues=["default"], seen_at=now, **facts)
    WorkerHeartbeat.objects.create(id="b", queues=["default"], seen_at=now - timedelta(minutes=9), **facts)

    response = client.get("/metrics")

    text = response.content.decode()
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    assert 'pix_queue_waiting{queue="default"} 1.0' in text
    assert 'pix_queue_workers{queue="default"} 1.0' in text
    assert 'pix_jobs{status="completed"} 2.0' in text
    assert 'pix_operations{queue="default",status="queued"} 1.0' in text
    assert 'pix_operation_duration_seconds{name="webp",quantile="0.5"}' in text
    assert "pix_disk_free_bytes" in text


def test_metrics_can_be_turned_off(settings):
    settings.METRICS_ENABLED = False

    assert client_of("admin").get("/metrics").status_code == 404


def test_database_away_is_said_to_anybody_before_it_is_asked_who_is_calling(monkeypatch):
    def away():
        raise ConnectionError("no server")

    monkeypatch.setitem(health.CHECKS, "database", away)

    deep, ready = APIClient().get("/api/health/"), APIClient().get("/api/health/ready/")

    assert (deep.status_code, deep.json()["code"], deep["Retry-After"]) == (503, "unavailable", "5")
    assert (ready.status_code, ready.json()) == (503, {"status": "failed"})


@pytest.mark.parametrize("probe", ["/api/health/live/", "/api/health/live", "/api/health/ready/"])
def test_probes_answer_whatever_host_they_ask_for(settings, probe):
    settings.ALLOWED_HOSTS = ["pix.example.com"]
    client = APIClient(raise_request_exception=False)

    assert client.get(probe, HTTP_HOST="10.0.3.7:8000").status_code == 200
    others = [client.get(path, HTTP_HOST="10.0.3.7:8000") for path in ("/api/health/", "/api/images/")]
    assert [answer.status_code for answer in others] == [400, 400]


def test_a_paused_queue_is_told_with_its_reason():
    jobs.pause_queue("ml", reason="new weights")

    status, detail, _ = health.check_queues()

    assert (status, detail) == ("degraded", "The queue “ml” is paused: new weights.")
    jobs.resume_queue("ml")
    assert health.check_queues()[:2] == ("ok", "")


def test_storage_check_leaves_nothing_behind_where_it_cannot_write(own_storage, settings):
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (0, usual[1])
    )  # as on a full disk: files can be made, but not filled
    try:
        with pytest.raises(OSError, match="File too large"):
            health.check_storage()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)

    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []

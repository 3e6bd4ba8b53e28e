"""Too many requests are refused with Retry-After; without Redis all pass."""

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from api.access import throttling
from tests.factories import make_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def rates(settings, monkeypatch):
    """Three requests an hour for each; the window of a minute could end within the test."""
    cache.clear()
    monkeypatch.setattr(throttling, "_away_until", 0.0)
    rates = {"anon": "3/hour", "key": "3/hour"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


def test_the_fourth_request_of_three(rates):
    client = make_client("read")

    answers = [client.get("/api/me/") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json()["code"] == "throttled"
    assert 0 < int(answers[3]["Retry-After"]) <= 3600


def test_each_key_has_its_own_count(rates):
    first, second = make_client("read"), make_client("read")
    for _ in range(3):
        first.get("/api/me/")

    assert (first.get("/api/me/").status_code, second.get("/api/me/").status_code) == (429, 200)


def test_without_redis_requests_pass(rates, settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    client = make_client("read")

    assert [client.get("/api/me/").status_code for _ in range(5)] == [200] * 5


def test_health_is_never_throttled(rates):
    assert {APIClient().get("/api/health/live/").status_code for _ in range(5)} == {200}

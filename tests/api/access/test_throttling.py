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


@pytest.mark.parametrize("path", ["/api/me/", "/metrics", "/api/nothing/", "/api/images/"])
@pytest.mark.parametrize("header", [{}, {"HTTP_AUTHORIZATION": "Api-Key aaaaaaaa.invented"}])
def test_strangers_are_counted_although_they_are_refused(rates, path, header):
    answers = [APIClient().get(path, **header) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 0 < int(answers[4]["Retry-After"]) <= 3600
    elsewhere = APIClient().get(path, REMOTE_ADDR="192.0.2.9", **header)
    assert elsewhere.status_code == 401
    assert make_client("read").get("/api/me/").status_code == 200


def test_two_strangers_behind_a_proxy_have_their_own_counts(rates, settings):
    settings.TRUSTED_PROXIES = ["10.0.3.4"]

    def ask(client: str) -> int:
        headers = {"REMOTE_ADDR": "10.0.3.4", "HTTP_X_FORWARDED_FOR": client}
        return APIClient().get("/api/me/", **headers).status_code

    assert [ask("192.0.2.1") for _ in range(4)] == [401, 401, 401, 429]
    assert ask("192.0.2.2") == 401
    assert [ask(f"2001:db8::{number}") for number in range(1, 5)] == [401, 401, 401, 429]

"""A poll that the web worker offers to put aside is counted and logged once; without an offer it holds a thread."""

import logging

import pytest

from pixproject.web.base import parking
from processing import services
from processing.services import finished_jobs
from tests.factories import make_client
from tests.factories.rest import make_image, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return make_client("process")


@pytest.fixture
def queued(client):
    return submit(client, make_image(), "webp")["id"]


def test_poll_takes_the_offer_and_is_counted_and_logged_when_it_is_answered(client, queued, settings, caplog):
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_THROTTLE_RATES": {"anon": "1/hour", "key": "1/hour"},
    }
    path, wishes = f"/api/jobs/{queued}/", []

    with caplog.at_level(logging.INFO, logger="pix.request"):
        client.get(path, HTTP_PREFER="wait=7", **{parking.OFFER: wishes.append})
        answer = client.get(path, HTTP_PREFER="wait=7", **{parking.WAS_PARKED: True})

    assert wishes == [parking.Wish(queued, finished_jobs, 7)]
    assert (answer.status_code, answer["Preference-Applied"]) == (200, "wait=7")
    assert [record.getMessage() for record in caplog.records] == [f"GET {path} 200"]


def test_polls_beyond_a_quarter_of_the_threads_do_not_wait(client, queued):
    for _ in range(2):
        assert services._may_wait.acquire(blocking=False)
    try:
        answer = client.get(f"/api/jobs/{queued}/", HTTP_PREFER="wait=20")
    finally:
        services._may_wait.release(2)

    assert (answer.status_code, answer["Preference-Applied"]) == (200, "wait=0")


def test_gone_jobs_count_as_finished(queued):
    other = "00000000-0000-0000-0000-000000000000"

    assert finished_jobs([queued, other]) == {other}

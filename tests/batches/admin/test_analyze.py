"""Analyze… in the admin: parameters, what it takes, confirm."""

import pytest
from django.urls import reverse

from api.models import AuditEvent
from batches import services
from batches.models import ClusterRun
from processing.engine.worker import run_until_idle
from tests.batches.admin.test_actions import text_of
from tests.batches.admin.test_batches import BATCHES, page_url
from tests.factories.admin import act, said
from tests.factories.analyzed import MODEL, batch_of, heaps, with_vectors
from tests.images.admin.test_process import inputs

pytestmark = pytest.mark.django_db

FIELDS = {
    "mode": "full",
    "activate": "auto",
    "model": MODEL,
    "min_cluster_size": "5",
    "min_samples": "2",
    "metric": "euclidean",
    "cluster_selection_method": "leaf",
    "cluster_selection_epsilon": "0",
}


def start(client, *batches, query="", **fields):
    question = act(client, BATCHES, "analyze", *batches, query=query, stage="estimate", **FIELDS | fields)
    hidden = inputs(question)
    assert hidden.get("stage") == "start", text_of(question)[-3000:]
    chosen = [str(batch.pk) for batch in batches]
    return question, client.post(reverse(BATCHES) + query, {**hidden, "_selected_action": chosen})


def test_analyze_through_its_pages(operator):
    batch = batch_of(with_vectors(heaps(8, 12, noise=4)))
    form = text_of(act(operator, BATCHES, "analyze", batch))

    question, response = start(operator, batch, min_cluster_size="6", min_samples="")
    page = text_of(question)

    assert 'name="min_cluster_size" value="5"' in form
    assert ("1 batch with 24 images" in page, "Total time" in page) == (True, True)
    assert said(response) == ["1 of 1 batch queued for analysis."]
    run = ClusterRun.objects.get()
    assert (run.parameters["min_cluster_size"], run.parameters["min_samples"]) == (6, None)
    assert (run.created_by, run.job.source) == (operator.user, "admin")
    assert AuditEvent.objects.filter(action="batch.analyze", target_id=str(batch.pk)).count() == 1
    run_until_idle()
    shown = text_of(operator.get(page_url(batch)))
    assert "24 images in 2 groups" in shown
    assert ">active<" in shown.replace("\n", "").replace(" ", "")


def test_a_single_batch_is_asked_as_the_last_time(operator):
    batch = batch_of(with_vectors(heaps(8)))
    start(operator, batch, min_cluster_size="4")

    assert 'name="min_cluster_size" value="4"' in text_of(act(operator, BATCHES, "analyze", batch))


def test_batches_that_cannot_be_analysed_are_named(operator):
    batch, busy, old = (batch_of(with_vectors(heaps(6, seed=seed)), f"Heap {seed}") for seed in range(3))
    start(operator, busy)
    services.archive(old, actor=operator.user)

    question, response = start(operator, batch, busy, old, query="?shelf=all")

    assert "is archived. Unarchive it to make changes" in text_of(question)
    assert said(response)[-3:][0] == "1 of 3 batches queued for analysis."
    assert ClusterRun.objects.filter(batch=batch).count() == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"min_cluster_size": "1"}, "Enter a whole number from 2 to 10000."),
        ({"min_cluster_size": "many"}, "Enter a whole number from 2 to 10000."),
        ({"min_samples": "-1"}, "Enter a whole number from 1 to 10000."),
        ({"cluster_selection_epsilon": "nan"}, "Enter a number of at least 0."),
        ({"model": "oracle"}, "'oracle' is not a valid choice."),
        ({"mode": "half"}, "half is not one of the available choices"),
    ],
)
def test_wrong_parameters_say_why(operator, fields, sentence):
    batch = batch_of(with_vectors(heaps(6)))

    response = act(operator, BATCHES, "analyze", batch, stage="estimate", **FIELDS | fields)

    assert sentence in text_of(response)
    assert 'value="estimate"' in text_of(response)
    assert not ClusterRun.objects.exists()


def test_who_may_not_process_starts_nothing(onlooker):
    batch = batch_of(with_vectors(heaps(6)))

    act(onlooker, BATCHES, "analyze", batch, stage="start", confirmed="yes", **FIELDS)

    assert not ClusterRun.objects.exists()

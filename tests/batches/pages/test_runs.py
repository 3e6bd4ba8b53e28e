"""The pages of a batch's runs and of work on it: estimate, start, grid, comparison, taking over."""

import re

import pytest
from django.urls import reverse

from batches import services
from batches.clustering import service as analysis
from batches.groups import operations as grouping
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.factories import make_image, make_rows, pictures
from tests.factories.analyzed import analysed, batch_of, heaps, with_vectors
from tests.factories.markup import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return batch_of(with_vectors(heaps(8, 12, noise=4)))


def at(name: str, batch, **more) -> str:
    return reverse(name, kwargs={"batch_id": batch.pk, **more})


def test_estimate_stands_before_the_start(operator, viewer, batch):
    page = text_of(operator.get(at("batch", batch)))
    part = text_of(
        operator.get(at("batch-analyze-estimate", batch), {"min_cluster_size": "30", "shown": "1"})
    )
    wrong = text_of(operator.get(at("batch-analyze-estimate", batch), {"min_cluster_size": "one"}))

    assert "<b>24 images</b>, all of them already embedded." in page
    assert "24 images are not enough for a group of at least 30" in part
    assert "<html" not in part
    assert "Smallest group: Enter a whole number" in wrong
    assert "start-run" not in text_of(viewer.get(at("batch", batch)))
    assert viewer.get(at("batch-analyze-estimate", batch)).status_code == 403


def test_run_from_the_form_to_its_groups(operator, batch):
    form = {"mode": "full", "min_cluster_size": "5", "min_samples": "2", "shown": "1"}

    started = text_of(operator.post(at("batch-analyze", batch), form, follow=True))
    second = text_of(operator.post(at("batch-analyze", batch), form, follow=True))
    running = text_of(operator.get(at("batch-analysis", batch)))
    run_until_idle()
    over = text_of(operator.get(at("batch-analysis", batch)))

    assert "Run 1 has started." in started
    assert "Wait for it to finish or cancel it" in second
    assert "hx-trigger" in running
    assert "cancel-run" in running
    assert "<b>2 groups</b>, 4 images unassigned" in over
    assert over.count('hx-swap-oob="true"') == 6
    assert "24 images · 2 groups, 0 done · 4 unassigned" in over


def test_cancelled_run_says_so(operator, batch):
    operator.post(at("batch-analyze", batch), {"mode": "full"})
    run = batch.runs.get()

    operator.post(f"/jobs/{run.job_id}/cancel/", {"next": at("batch", batch)})

    assert "Run 1 was cancelled." in text_of(operator.get(at("batch", batch)))


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"mode": "dance"}, "mode"),
        (
            {"mode": "full", "min_cluster_size": "1"},
            "Smallest group: Enter a whole number from 2 to 10000.",
        ),
        ({"mode": "full", "model": "oracle"}, "Embedding model: &#x27;oracle&#x27; is not a valid choice"),
        ({"mode": "incremental"}, "has no active run"),
        ({"mode": "sweep", "sizes": "3, x"}, "Smallest groups in the grid: Enter"),
    ],
)
def test_wrong_start_is_said(operator, batch, form, sentence):
    page = text_of(operator.post(at("batch-analyze", batch), form, follow=True))

    assert sentence in page
    assert not batch.runs.exists()


def test_grid_is_shown_and_a_pair_is_adopted(operator, batch):
    operator.post(at("batch-analyze", batch), {"mode": "sweep", "sizes": "4 6", "samples": "1,3"})
    run_until_idle()

    page = text_of(operator.get(at("batch", batch)))
    operator.post(at("batch-adopt", batch, run_number=1), {"cell": "6,3"})
    run_until_idle()
    wrong = text_of(operator.post(at("batch-adopt", batch, run_number=1), {"cell": "so"}, follow=True))

    assert page.count('name="cell"') == 4
    assert 'value="6,3"' in page
    run = batch.runs.get(number=2)
    assert (run.mode, run.parameters["min_cluster_size"], run.parameters["min_samples"]) == ("full", 6, 3)
    assert "Smallest group: Enter a whole number" in wrong


def test_new_pictures_are_offered_to_be_placed(operator, batch):
    analysed(batch)
    services.add_images(batch, [row.pk for row in make_rows(3)], actor=operator.user)

    page = text_of(operator.get(at("batch", batch)))

    assert "3 new images." in page
    assert re.search("nothing else moves. Takes [a-z0-9]", page)  # how long, before it starts


def test_grid_says_how_long_it_takes(operator, batch):
    part = text_of(operator.get(at("batch-analyze-estimate", batch), {"mode": "sweep"}))
    wrong = text_of(operator.get(at("batch-analyze-estimate", batch), {"mode": "dance"}))

    assert "Takes " in part
    assert "error-text" in wrong


def test_pictures_load_again_once_a_run_is_over(operator, batch):
    operator.post(at("batch-analyze", batch), {"mode": "full"})
    running = operator.get(at("batch-analysis", batch))
    run_until_idle()

    assert "HX-Trigger" not in running
    assert operator.get(at("batch-analysis", batch))["HX-Trigger"] == "pictures-changed"
    assert 'hx-trigger="pictures-changed from:body"' in text_of(operator.get(at("batch", batch)))


def test_comparison_and_taking_over_one_group(operator, viewer, batch):
    analysed(batch)
    group = batch.groups.order_by("label").first()
    keys = list(batch.batch_images.filter(group=group).values_list("image", flat=True))
    grouping.delete_group(batch, group.label, actor=operator.user)
    batch.batch_images.update(assigned_by="")
    run = analysed(batch, activate="never")

    page = text_of(viewer.get(at("batch-compare", batch), {"run": run.number}))
    mine = operator.get(at("batch-compare", batch), {"run": run.number})
    new = next(item for item in mine.context["diff"].items if item.kind == "new")
    form = {"item": new.key, "which": "chosen", "version": mine.context["diff"].version}
    none = text_of(
        operator.post(at("batch-take-over", batch, run_number=run.number), {"which": "chosen"}, follow=True)
    )
    stale = text_of(
        operator.post(
            at("batch-take-over", batch, run_number=run.number), {**form, "version": "1"}, follow=True
        )
    )
    done = text_of(operator.post(at("batch-take-over", batch, run_number=run.number), form, follow=True))

    assert "Apply all" not in page
    assert new.gains == len(keys)
    assert "Accept at least one item" in none
    assert "Reload it and try again." in stale
    assert f"Applied run {run.number}: 1 group" in done
    assert batch.batch_images.exclude(group=None).count() == 20


def test_comparison_without_a_run_or_with_a_grid(operator, batch):
    assert operator.get(at("batch-compare", batch)).status_code == 404
    assert operator.get(at("batch-compare", batch), {"run": "7"}).status_code == 404
    analysis.submit_analysis(
        batch, parameters=analysis.parse_parameters({}), mode="sweep", actor=operator.user
    )

    page = text_of(operator.get(at("batch-compare", batch), {"run": "1"}, follow=True))

    assert "Run 1 is queued" in page


def test_work_is_estimated_then_started(operator):
    batch = batch_of([make_image(pictures.png(seed=81)), make_image(pictures.jpeg(seed=82))])
    form = {"operation": "png", "group": "", "decision": ""}

    none = text_of(operator.post(at("batch-process-estimate", batch), {}))
    estimate = text_of(operator.post(at("batch-process-estimate", batch), form))
    started = operator.post(at("batch-process", batch), form)

    assert "2 images chosen. Choose at least one operation." in none
    assert "1 image, 1 result" in estimate
    assert "1 image left out" in estimate
    job = Job.objects.get(kind="process")
    assert (job.batch, started.url) == (batch, f"/jobs/{job.pk}/")
    assert str(job.pk) in text_of(operator.get(at("batch", batch)))


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({}, "Choose at least one operation"),
        ({"operation": "explode"}, "explode"),
        ({"operation": "webp", "group": "9"}, "This batch has no group"),
        (
            {"operation": "webp", "min_quality": "much"},
            "Minimum grade: &#x27;much&#x27; is not a number from 0 to 100",
        ),
        ({"operation": "webp", "priority": "soon"}, "is not a valid choice. Choose one of: urgent"),
    ],
)
def test_wrong_work_is_said(operator, form, sentence):
    batch = batch_of([make_image(pictures.png(seed=83))])

    assert sentence in text_of(operator.post(at("batch-process", batch), form), 400)
    assert not Job.objects.filter(kind="process").exists()

"""Groupings as jobs: what goes in, what comes out, and what happens where that is odd."""

import numpy as np
import pytest
from django.utils import timezone

from api.core.errors import ApiError
from batches.clustering import service as analysis
from batches.clustering.times import analysis_seconds
from batches.groups import operations as grouping
from batches.history import changes
from batches.models import BatchImage
from batches.services import add_images
from processing.models import Operation
from tests.factories import make_rows, make_user
from tests.factories.analyzed import MODEL, analysed, batch_of, groups_of, heaps, with_vectors

pytestmark = pytest.mark.django_db


def test_a_full_run_groups_the_heaps_and_leaves_noise_alone():
    batch = batch_of(with_vectors(heaps(8, 12, noise=4)))

    run = analysed(batch)

    assert groups_of(batch) == {"1": list(range(9, 21)), "2": list(range(1, 9)), "": [21, 22, 23, 24]}
    assert (run.number, run.status, run.n_images, run.n_groups, run.n_noise) == (1, "completed", 24, 2, 4)
    assert (batch.status, batch.active_run_id, batch.version) == ("complete", run.pk, 2)
    change = batch.changes.get(kind="apply_run")
    assert change.summary == "applied run 1: 2 groups, 20 images moved, 4 unassigned"
    assert [told["size"] for told in sorted(run.groups, key=lambda told: told["label"])] in ([8, 12], [12, 8])
    assert {str(group.pk) for group in batch.groups.all()} == {told["group"] for told in run.groups}
    assert {str(group.cover_id) for group in batch.groups.all()} == {told["medoid"] for told in run.groups}
    assert all(told["cohesion"] > 0.9 for told in run.groups)
    assert run.assignments.count() == 24
    assert len(run.projection) == 3 * 384 * 4
    assert len(run.centroids) == 2 * 384 * 4
    assert run.library_versions.keys() == {"hdbscan", "numpy", "scikit-learn", "scipy"}
    assert run.validity > 0.5
    assert run.duration_ms is not None
    member = batch.batch_images.order_by("position")[0]
    assert (member.assigned_by, member.probability > 0.5) == ("auto", True)


def test_the_same_images_give_the_same_groups_in_every_order():
    images = with_vectors(heaps(9, 7, 11, noise=9))
    first, second = batch_of(images), batch_of([images[i] for i in np.random.default_rng(1).permutation(36)])

    runs = [analysed(first), analysed(second)]

    said = [
        sorted(run.assignments.values_list("image_id", "label", "probability", "outlier_score", "x", "y"))
        for run in runs
    ]
    assert said[0] == said[1]
    labels = [dict(batch.batch_images.values_list("image_id", "group__label")) for batch in (first, second)]
    assert labels[0] == labels[1]
    assert runs[0].image_set_sha256 == runs[1].image_set_sha256
    assert bytes(runs[0].centroids) == bytes(runs[1].centroids)
    assert bytes(runs[0].projection) == bytes(runs[1].projection)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_images_are_a_completed_run_with_a_plain_note(count):
    batch = batch_of(with_vectors(heaps(count)))

    run = analysed(batch)

    are = "image is" if count == 1 else "images are"
    note = f"{count} {are} too few for a group of at least 5; all remain ungrouped."
    assert run.notes == [note if count else "There are no images to group."]
    assert (run.status, run.n_images, run.n_groups, batch.status) == ("completed", count, 0, "complete")
    assert batch.active_run_id == run.pk
    assert batch.groups.count() == 0


def test_equal_vectors_are_a_valid_answer():
    batch = batch_of(with_vectors(np.repeat(heaps(1), 12, axis=0)))

    run = analysed(batch)

    assert (run.status, run.n_images) == ("completed", 12)
    assert run.n_groups in (0, 1)


def test_images_without_a_vector_stay_out_and_are_named():
    images = with_vectors(heaps(6, 6))
    damaged = make_rows(1, status="damaged")
    batch = batch_of([*images, *damaged])

    run = analysed(batch)

    assert run.notes == ["1 of 13 images has no vector: picture-00000.jpg."]
    assert (run.n_images, run.n_groups) == (12, 2)
    assert not Operation.objects.filter(name="embedding").exists()


def test_missing_vectors_are_asked_for_first_and_a_failed_one_is_told():
    images = with_vectors(heaps(6, 6))
    without = make_rows(1)  # its file is not there, so its embedding fails
    batch = batch_of([*images, *without])

    run = analysed(batch)

    run.job.refresh_from_db()
    names = list(run.job.operations.values_list("name", "status"))
    assert names == [("embedding", "failed"), ("analyze", "completed")]
    assert run.job.status == "completed_with_errors"
    assert run.notes == ["1 of 13 images has no vector: picture-00000.jpg."]
    assert batch.status == "complete"


def test_rejected_and_trashed_images_stay_out():
    images = with_vectors(heaps(8, 8))
    batch = batch_of(images)
    grouping.decide(batch, [images[0].pk], decision="rejected", actor=None)
    type(images[1]).objects.filter(pk=images[1].pk).update(status="trashed")

    run = analysed(batch)

    assert (run.n_images, run.notes) == (14, [])
    assert not run.assignments.filter(image__in=images[:2]).exists()


def test_one_run_at_a_time():
    batch = batch_of(with_vectors(heaps(6)))
    parameters = analysis.parse_parameters({"model": MODEL})
    run = analysis.submit_analysis(batch, parameters=parameters)

    with pytest.raises(ApiError, match=f"Run 1 of this batch is queued .job {run.job_id}") as refused:
        analysis.submit_analysis(batch, parameters=parameters)

    assert refused.value.status == 409
    assert batch.runs.count() == 1
    assert (batch.status, batch.parameters["analysis"]) == ("queued", parameters)


def test_a_closed_batch_is_not_analysed():
    batch = batch_of(with_vectors(heaps(6)))
    type(batch).objects.filter(pk=batch.pk).update(review_stage="approved")

    with pytest.raises(ApiError, match="approved"):
        analysis.submit_analysis(batch, parameters=analysis.parse_parameters({}))


def test_a_model_that_is_not_installed_is_refused():
    batch = batch_of(with_vectors(heaps(6)))

    with pytest.raises(ApiError) as refused:
        analysis.submit_analysis(batch, parameters=analysis.parse_parameters({"model": "dinov2"}))

    assert refused.value.code == "model_unavailable"


def test_a_second_run_waits_for_people_who_have_placed_something():
    images = with_vectors(heaps(8, 8, noise=2))
    batch = batch_of(images)
    analysed(batch)
    grouping.edit_group(batch, "1", values={"name": "shoes"}, actor=None)

    run = analysed(batch, min_cluster_size=3)

    assert run.activated_at is None
    assert "are not in use yet" in run.notes[-1]
    assert batch.active_run.number == 1
    assert batch.status == "complete"


def test_a_sweep_tries_a_grid_and_changes_nothing():
    batch = batch_of(with_vectors(heaps(8, 12, noise=4)))

    run = analysed(batch, mode="sweep", sizes=[3, 5, 15], samples=[1, None])

    assert [(cell["min_cluster_size"], cell["min_samples"]) for cell in run.grid] == [
        (3, 1),
        (3, None),
        (5, 1),
        (5, None),
        (15, 1),
        (15, None),
    ]
    assert run.grid[2]["groups"] == 2
    assert (run.n_groups, run.assignments.count(), batch.groups.count()) == (0, 0, 0)
    assert (batch.status, batch.active_run, batch.version) == ("draft", None, 1)


def test_undo_takes_a_run_back_and_redo_brings_it_again():
    batch = batch_of(with_vectors(heaps(8, 12, noise=4)))
    run = analysed(batch)
    before = groups_of(batch)

    changes.undo(batch, actor=None)
    batch.refresh_from_db()
    assert (groups_of(batch), batch.active_run) == ({"": list(range(1, 25))}, None)

    changes.redo(batch, actor=None)
    batch.refresh_from_db()
    assert (groups_of(batch), batch.active_run) == (before, run)


def test_an_image_that_left_meanwhile_does_no_harm():
    from batches.membership import remove_images

    images = with_vectors(heaps(8, 8))
    batch = batch_of(images)
    run = analysed(batch, activate="never")
    remove_images(batch, [images[0].pk], actor=None)

    from batches.clustering import activation

    activation.activate(batch, run, actor=None)

    assert batch.batch_images.filter(group__isnull=False).count() == 15


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"min_cluster_size": 1}, "min_cluster_size"),
        ({"min_cluster_size": "many"}, "min_cluster_size"),
        ({"min_cluster_size": 10_001}, "min_cluster_size"),
        ({"min_cluster_size": None}, "min_cluster_size"),
        ({"min_samples": 0}, "min_samples"),
        ({"min_samples": 2.5}, "min_samples"),
        ({"metric": "manhattan"}, "metric"),
        ({"metric": ["cosine"]}, "metric"),
        ({"cluster_selection_method": "best"}, "cluster_selection_method"),
        ({"cluster_selection_epsilon": -1}, "cluster_selection_epsilon"),
        ({"cluster_selection_epsilon": "nan"}, "cluster_selection_epsilon"),
        ({"allow_single_cluster": "perhaps"}, "allow_single_cluster"),
        ({"model": "alexnet"}, "model"),
        ({"algorithm": "best"}, "algorithm"),
    ],
)
def test_wrong_parameters_are_named(asked, field):
    with pytest.raises(ApiError) as refused:
        analysis.parse_parameters(asked)

    assert refused.value.status == 400
    assert [error.field for error in refused.value.errors] == [field]


def test_parameters_come_from_text_the_batch_and_the_defaults():
    stored = {"min_cluster_size": 9, "metric": "cosine", "min_samples": "nonsense", "strange": 1}

    found = analysis.parse_parameters({"min_samples": "", "allow_single_cluster": "on"}, fallback=stored)

    assert found == analysis.DEFAULTS | {
        "min_cluster_size": 9,
        "metric": "cosine",
        "min_samples": None,
        "allow_single_cluster": True,
    }


@pytest.mark.parametrize(
    ("grid", "match"),
    [
        ({"sizes": []}, "at least one value"),
        ({"sizes": [1]}, "whole number from 2"),
        ({"samples": ["x"]}, "whole number from 1"),
        ({"sizes": list(range(2, 35)), "samples": [1, 2]}, "The grid has 66 combinations"),
    ],
)
def test_a_wrong_grid_is_refused(grid, match):
    batch = batch_of(with_vectors(heaps(6)))

    with pytest.raises(ApiError, match=match):
        analysis.submit_analysis(batch, parameters=analysis.parse_parameters({}), mode="sweep", **grid)

    assert batch.runs.count() == 0


def test_the_estimate_counts_what_is_missing_and_a_quick_one_is_known():
    images = with_vectors(heaps(6, 6))
    batch = batch_of(images)
    parameters = analysis.parse_parameters({"model": MODEL})
    assert analysis.is_quick(batch, parameters)
    add_images(batch, [row.pk for row in [*make_rows(2), *make_rows(1, status="damaged")]], actor=None)

    estimate = analysis.estimate_analysis(batch, parameters=parameters)

    assert (estimate["images"], estimate["to_embed"], estimate["unusable"]) == (15, 2, 1)
    assert estimate["notes"] == ["1 damaged image is left out."]
    assert 0 < estimate["seconds"]["p50"] <= estimate["seconds"]["p90"]
    assert not analysis.is_quick(batch, parameters)


@pytest.mark.parametrize(("done", "asked"), [((0, 1, 3), 5000), ((5000,), 10)])
def test_few_images_do_not_foretell_hours(done, asked):
    batch = batch_of(with_vectors(heaps(6)))
    for number, count in enumerate(done, start=1):
        batch.runs.create(
            number=number, status="completed", n_images=count, duration_ms=900, finished_at=timezone.now()
        )

    found = analysis_seconds("full", asked)

    assert 0.05 < found.p50 <= found.p90 < 10
    assert found.based_on == len(done)


def test_who_asked_stands_in_the_history():
    anna = make_user("process", username="anna")
    batch = batch_of(with_vectors(heaps(6, 6)))

    run = analysed(batch, actor=anna)

    assert (run.created_by, run.job.requested_by) == (anna, anna)
    assert batch.changes.get(kind="apply_run").actor_name == "anna"
    assert BatchImage.objects.filter(batch=batch, assigned_by="auto").count() == 12

"""Splitting a group automatically, through the engine."""

import pytest
from django.db import transaction

from api.core.errors import ApiError
from batches.groups import operations as grouping
from batches.groups import splitting
from batches.history import changes
from batches.history.changes import ExpectedVersion
from images.models import Embedding
from processing.engine.registry import Claim
from processing.engine.worker import run_until_idle
from tests.batches.history.random_changes import state
from tests.factories import make_user
from tests.factories.with_vectors import blobs, group_rows, keys_of, make_batch, unit_rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def batch():
    """One group of three gatherings: 12, 9 and 8 images."""
    batch = make_batch(blobs(12, 9, 8))
    group_rows(batch, shoes=range(29))
    return batch


def split(batch, **asked):
    """The result of a split that nobody disturbs."""
    job = splitting.submit_split(batch, "1", actor=None, **asked)
    return finished(job)


def finished(job):
    run_until_idle()
    operation = job.operations.get()
    assert operation.status == "completed", operation.error_detail
    return operation.result


def groups_of(batch):
    return list(batch.batch_images.order_by("position").values_list("group__label", flat=True))


def test_a_group_is_split_into_its_parts_as_one_step(batch):
    anna = make_user("write", username="anna")
    before = state(batch)

    job = splitting.submit_split(batch, "1", actor=anna)
    result = finished(job)

    assert (job.kind, job.batch_id, job.requested_by) == ("split", batch.pk, anna)
    assert job.operations.get().queue == "ml"
    assert result == {
        "groups": ["2", "3"],
        "moved": 17,
        "notes": ["29 images were split into 3 parts."],
    }
    assert groups_of(batch) == ["1"] * 12 + ["2"] * 9 + ["3"] * 8
    change = changes.history(batch)[0]
    assert (change.kind, change.actor) == ("split", anna)
    assert change.summary == "split shoes (29 images) into 3 groups"

    changes.undo(batch, actor=anna)
    assert state(batch) == before
    changes.redo(batch, actor=anna)
    assert groups_of(batch) == ["1"] * 12 + ["2"] * 9 + ["3"] * 8


def test_what_is_locked_or_rejected_stays(batch):
    keys = keys_of(batch)
    grouping.lock(batch, keys[12:14], locked=True, actor=None)
    grouping.decide(batch, keys[21:22], decision="rejected", actor=None)

    result = split(batch)

    assert groups_of(batch) == ["1"] * 14 + ["2"] * 7 + ["1"] + ["3"] * 7
    assert result["notes"][1] == "3 images stayed in the group because of a lock or a rejection."


def test_images_that_left_meanwhile_are_left_alone(batch):
    job = splitting.submit_split(batch, "1", actor=None)
    other = grouping.create_group(batch, name="boots", actor=None).group
    grouping.move(batch, keys_of(batch)[12:21], to=other.label, actor=None)

    result = finished(job)

    assert (result["groups"], result["moved"]) == (["3"], 8)
    assert groups_of(batch) == ["1"] * 12 + ["2"] * 9 + ["3"] * 8


def disturbed(job, meanwhile):
    """The result where something happens between the computing and the writing; by the engine's own steps."""
    handler = splitting.HANDLERS[0]
    operation = job.operations.get()
    claim = Claim(
        operation_id=operation.pk,
        token=None,
        job_id=job.pk,
        name=operation.name,
        parameters=operation.parameters,
        image_id=None,
        cache_key="",
        position=0,
        attempts=0,
        max_attempts=3,
        run_alone=False,
        request_id="",
        output_folder="",
        filename_prefix="",
    )
    parts = handler.compute(*handler.load(claim, None))
    meanwhile()
    with transaction.atomic():
        return handler.save(claim, parts)


@pytest.mark.parametrize("places", [range(12), range(12, 21)])
def test_images_that_leave_while_it_computes_are_left_alone(batch, places):
    job = splitting.submit_split(batch, "1", actor=None)
    keys = [keys_of(batch)[place] for place in places]
    result = disturbed(job, lambda: grouping.move(batch, keys, to=None, actor=None))

    assert f"{len(keys)} images left the group in the meantime and stayed where they are." in result["notes"]
    assert [groups_of(batch)[place] for place in places] == [None] * len(keys)
    assert len(result["groups"]) == 1


@pytest.mark.parametrize(
    ("meanwhile", "told"),
    [
        (lambda batch: grouping.delete_group(batch, "1", actor=None), "was dissolved in the meantime"),
        (
            lambda batch: grouping.edit_group(batch, "1", values={"status": "confirmed"}, actor=None),
            "was confirmed in the meantime",
        ),
        (
            lambda batch: grouping.move(batch, keys_of(batch)[12:], to=None, actor=None),
            "Nothing was split",
        ),
        (
            lambda batch: type(batch).objects.filter(pk=batch.pk).update(review_stage="approved"),
            "is approved",
        ),
        (lambda batch: batch.delete(), "was deleted in the meantime"),
    ],
)
def test_what_happened_while_it_computed_is_told_and_nothing_lost(batch, meanwhile, told):
    job = splitting.submit_split(batch, "1", actor=None)
    after = {}

    def disturb():
        meanwhile(batch)
        after.update(state(batch) if batch.pk else {})

    result = disturbed(job, disturb)

    assert (result["groups"], result["moved"]) == ([], 0)
    assert told in " ".join(result["notes"])
    assert not batch.pk or state(batch) == after


def test_a_group_that_is_dissolved_before_it_starts_fails_with_a_sentence(batch):
    job = splitting.submit_split(batch, "1", actor=None)
    grouping.delete_group(batch, "1", actor=None)
    before = state(batch)

    run_until_idle()

    operation = job.operations.get()
    assert (operation.status, operation.error_code) == ("failed", "gone")
    assert "was dissolved or emptied in the meantime" in operation.error_detail
    assert state(batch) == before


def test_a_group_of_equal_images_stays_whole():
    batch = make_batch(unit_rows(blobs(1)[[0] * 6]))
    group_rows(batch, same=range(6))
    version = batch.version

    result = split(batch)

    assert result == {
        "groups": [],
        "moved": 0,
        "notes": ["All 6 images have the same vector; there is nothing to split them by."],
    }
    batch.refresh_from_db()
    assert batch.version == version


def test_a_second_request_answers_the_running_job(batch):
    first = splitting.submit_split(batch, "1", actor=None)

    assert splitting.submit_split(batch, "1", actor=None) == first


def test_images_without_vectors_stay_and_are_told(batch):
    Embedding.objects.filter(image__in=keys_of(batch)[19:21]).delete()

    result = split(batch)

    assert groups_of(batch) == ["1"] * 12 + ["3"] * 7 + ["1"] * 2 + ["2"] * 8
    assert "2 images stayed in the group: without a vector, or added later." in result["notes"]


def test_bad_requests_are_refused(batch):
    before, version = state(batch), batch.version

    def refusal(status, match, label="1", **asked):
        with pytest.raises(ApiError, match=match) as refused:
            splitting.submit_split(batch, label, actor=None, **asked)
        assert refused.value.status == status

    refusal(400, "no group “none”", label="none")
    refusal(412, "Reload it and try again", expected_version=ExpectedVersion(version - 1))
    Embedding.objects.all().delete()
    refusal(409, "shoes has vectors for 0 of 29 images. Analyze the batch first")
    grouping.edit_group(batch, "1", values={"status": "confirmed"}, actor=None)
    refusal(409, "is confirmed")
    changes.undo(batch, actor=None)
    single = grouping.create_group(batch, actor=None).group
    refusal(409, "has 0 images", label=single.label)
    changes.undo(batch, actor=None)

    assert state(batch) == before
    assert not batch.jobs.exists()

"""The near-duplicates of a batch: sets, their originals, and decisions that stay decided."""

import uuid

import numpy as np
import pytest

from api.core.errors import ApiError
from batches.duplicates import pairs as near_pairs
from batches.duplicates import resolve as near_resolving
from batches.duplicates import sets as near_sets
from batches.groups import operations as grouping
from batches.history import changes
from batches.history.changes import ExpectedVersion
from batches.membership import add_images
from batches.models import Batch
from batches.services import create_batch
from images.models import DuplicatePair, Image
from tests.batches.history.random_changes import state
from tests.factories import make_rows, make_user
from tests.factories.with_vectors import give_vectors, keys_of, unit_rows

pytestmark = pytest.mark.django_db

FAR = 0x0F0F_3333_5555_0FF0  # 32 bits, and many from each of the others


def bits(*places):
    return sum(1 << place for place in places)


# Three sorts of the same picture (0 to 2), two of another (3, 4), one that is alone, one without a hash.
HASHES = [0, bits(1), bits(1, 2), FAR, FAR ^ bits(0, 1, 2, 3), -1, None]


@pytest.fixture
def batch():
    return make(HASHES)


def make(hashes, name="Near"):
    batch = create_batch(name, owner=None)
    rows = make_rows(len(hashes))
    for row, phash in zip(rows, hashes, strict=True):
        row.phash = phash
    Image.objects.bulk_update(rows, ["phash"])
    add_images(batch, [row.pk for row in rows], actor=None)
    return batch


def whole(batch):
    """All that a decision can alter, of the batch and of the pairs."""
    pairs = DuplicatePair.objects.exclude(verdict="pending").order_by("pk")
    return state(batch), list(pairs.values_list("a", "b", "kind", "verdict", "decided_by", "decided_at"))


def places(batch, near):
    keys = keys_of(batch)
    return sorted(keys.index(image.image_id) for image in near.images)


def resolve(batch, keep, *others, verdict="duplicate", **asked):
    keys = keys_of(batch)
    decision = {"keep": keys[keep], "others": [keys[place] for place in others]}
    return near_sets.resolve(batch, decisions=[decision], verdict=verdict, actor=None, **asked)


def test_sets_hold_the_same_pictures_with_the_original_first(batch):
    keys = keys_of(batch)
    batch.images.filter(pk=keys[1]).update(width=1280, height=960)

    first, second = near_sets.sets(batch)

    assert (places(batch, first), places(batch, second)) == ([0, 1, 2], [3, 4])
    assert first.original == first.images[0].image_id == keys[1]
    assert "larger: 1280 × 960 against 640 × 480" in first.reasons
    assert [(image.image_id, image.bits, image.distance) for image in first.images] == [
        (keys[1], 0, 0.0),
        (keys[0], 1, None),
        (keys[2], 1, None),
    ]
    assert sorted(first.pairs) == sorted(
        [(keys[0], keys[1], 1, None), (keys[1], keys[2], 1, None), (keys[0], keys[2], 2, None)]
    )
    assert not first.is_decided
    assert [near.key for near in near_sets.sets(batch)] == [first.key, second.key]


def test_a_strict_threshold_finds_fewer(batch):
    assert near_sets.sets(batch, 0.0) == []
    assert [places(batch, near) for near in near_sets.sets(batch, 0.2)] == [[0, 1, 2]]


def test_counts_are_those_of_the_sets(batch):
    found = near_sets.counts(batch)

    assert [threshold for threshold, _, _ in found] == list(near_sets.THRESHOLDS)
    for threshold, sets, images in found:
        here = near_sets.sets(batch, threshold)
        assert (sets, images) == (len(here), sum(len(near.images) for near in here))
    assert not near_sets.is_cut(batch)


def test_vectors_find_what_hashes_alone_do_not():
    batch = make([0, bits(*range(15)), bits(*range(30, 45))])
    assert near_sets.sets(batch) == []

    give_vectors(keys_of(batch), unit_rows(np.array([[1, 0], [1, 0.1], [0, 1]])))

    (near,) = near_sets.sets(batch)
    assert places(batch, near) == [0, 1]
    assert near.images[1].bits == 15
    assert near.images[1].distance == pytest.approx(1 - 1 / np.sqrt(1.01), abs=1e-6)


def test_images_in_the_trash_are_in_no_set(batch):
    batch.images.filter(pk=keys_of(batch)[3]).update(status="trashed")

    assert [places(batch, near) for near in near_sets.sets(batch)] == [[0, 1, 2]]


def test_candidates_are_kept_until_something_differs(batch, django_assert_num_queries):
    near_pairs.pairs_of(batch)
    with django_assert_num_queries(3):  # whose vectors, which images, what is decided
        near_pairs.pairs_of(batch)

    give_vectors(keys_of(batch)[:5], unit_rows(np.eye(5)))
    assert [places(batch, near) for near in near_sets.sets(batch)] == [[0, 1, 2], [3, 4]]


def test_resolve_rejects_the_others_and_undo_takes_it_back(batch):
    anna = make_user("write", username="anna")
    keys = keys_of(batch)
    before = whole(batch)
    decisions = [{"keep": keys[0], "others": [keys[1], keys[2]]}, {"keep": keys[3], "others": [keys[4]]}]

    assert near_sets.preview(batch, decisions=decisions, verdict="duplicate") == near_sets.Preview(2, 3, 3)
    assert whole(batch) == before
    assert not DuplicatePair.objects.exists()
    change = near_sets.resolve(batch, decisions=decisions, verdict="duplicate", actor=anna)

    assert change.kind == "resolve_duplicates"
    assert change.summary == "kept one image from each of 2 sets, rejected 3 images as near-duplicates"
    rows = batch.batch_images.order_by("position").values_list("decision", "reject_reason")
    name = batch.images.get(pk=keys[0]).original_filename
    assert list(rows)[:3] == [("pending", "")] + [("rejected", f"near-duplicate of {name}")] * 2
    decided = DuplicatePair.objects.filter(verdict="duplicate", decided_by=anna)
    assert sorted(pair.hash_distance for pair in decided) == [1, 2, 4]
    assert [near.is_decided for near in near_sets.sets(batch)] == [True, True]
    after = whole(batch)

    changes.undo(batch, actor=anna)
    assert whole(batch) == before
    assert [near.is_decided for near in near_sets.sets(batch)] == [False, False]
    changes.redo(batch, actor=anna)
    assert whole(batch) == after


def test_all_sets_are_decided_by_their_suggested_originals(batch):
    decisions = near_sets.all_decisions(batch)
    assert near_sets.preview(batch, decisions=decisions, verdict="duplicate").rejected == 3

    near_sets.resolve(batch, decisions=decisions, verdict="duplicate", actor=None)

    assert batch.batch_images.filter(decision="rejected").count() == 3
    assert near_sets.all_decisions(batch) == []
    assert near_sets.counts(batch)[10] == (0.5, 0, 0)


def test_a_decision_stays_decided_at_every_threshold_and_for_new_images(batch):
    resolve(batch, 2, 0, 1)

    for threshold in (0.0, 0.5, 1.0):
        near = near_sets.sets(batch, threshold)[-1]
        assert (places(batch, near), near.is_decided) == ([0, 1, 2], True)
        assert (near.original, near.reasons) == (keys_of(batch)[2], near_sets.KEPT)

    row = make_rows(1, phash=bits(1, 2))[0]
    add_images(batch, [row.pk], actor=None)
    near = near_sets.sets(batch)[0]
    assert (places(batch, near), near.is_decided) == ([0, 1, 2, 7], False)
    assert near.original in (keys_of(batch)[2], row.pk)  # not one that is rejected


def test_different_pictures_join_no_set_again(batch):
    change = resolve(batch, 0, 1, 2, verdict="not_duplicate")

    assert change.summary == "marked 3 images as different"
    assert [places(batch, near) for near in near_sets.sets(batch, 0.5)] == [[3, 4]]
    assert not batch.batch_images.filter(decision="rejected").exists()
    other = make([], name="Other")
    add_images(other, keys_of(batch)[:3], actor=None)
    assert near_sets.sets(other) == []  # the verdict is about the pictures

    changes.undo(batch, actor=None)
    assert [places(batch, near) for near in near_sets.sets(batch)] == [[0, 1, 2], [3, 4]]


def test_one_that_differs_leaves_the_rest_together(batch):
    resolve(batch, 0, 2, verdict="not_duplicate")
    resolve(batch, 1, 2, verdict="not_duplicate")

    assert [places(batch, near) for near in near_sets.sets(batch)] == [[0, 1], [3, 4]]


def test_pairs_that_the_library_knows_get_the_verdict(batch):
    keys = keys_of(batch)
    known = [
        DuplicatePair(a_id=a, b_id=b, kind=kind, distance=0, hash_distance=1)
        for (a, b), kind in zip(
            [sorted(keys[:2]), sorted(keys[:2]), sorted(keys[1:3])], ["near", "pixels", "near"], strict=True
        )
    ]
    DuplicatePair.objects.bulk_create(known)

    resolve(batch, 0, 1, 2)

    assert DuplicatePair.objects.filter(verdict="duplicate").count() == 4
    assert not DuplicatePair.objects.filter(verdict="pending").exists()


def test_what_was_rejected_before_keeps_its_reason(batch):
    grouping.decide(batch, keys_of(batch)[1:2], decision="rejected", reason="blurred", actor=None)

    resolve(batch, 0, 1, 2)

    reasons = dict(batch.batch_images.values_list("image", "reject_reason"))
    assert reasons[keys_of(batch)[1]] == "blurred"
    assert resolve(batch, 0, 1, 2) is None  # nothing differs


def test_a_pair_that_was_decided_otherwise_is_a_conflict(batch):
    resolve(batch, 0, 1, verdict="not_duplicate")
    before = whole(batch)

    with pytest.raises(ApiError, match="already marked as different images") as refused:
        resolve(batch, 0, 1)

    assert refused.value.status == 409
    assert whole(batch) == before


def test_a_rejected_image_is_not_kept_while_others_go(batch):
    grouping.decide(batch, keys_of(batch)[:1], decision="rejected", actor=None)

    with pytest.raises(ApiError, match="is rejected") as refused:
        resolve(batch, 0, 1)

    assert refused.value.status == 409
    assert near_sets.sets(batch)[0].original != keys_of(batch)[0]


def test_a_stale_version_is_refused(batch):
    before = whole(batch)

    with pytest.raises(ApiError) as refused:
        resolve(batch, 0, 1, expected_version=ExpectedVersion(batch.version - 1, is_header=False))

    assert refused.value.status == 409
    assert whole(batch) == before
    assert not DuplicatePair.objects.exists()


@pytest.mark.parametrize(
    ("decide", "verdict"),
    [
        (lambda keys: [], "duplicate"),
        (lambda keys: [{"keep": keys[0], "others": []}], "duplicate"),
        (lambda keys: [{"keep": keys[0], "others": [keys[0], keys[1]]}], "duplicate"),
        (lambda keys: [{"keep": uuid.uuid4(), "others": [keys[1]]}], "duplicate"),
        (lambda keys: [{"keep": keys[0], "others": [uuid.uuid4()]}], "not_duplicate"),
        (lambda keys: [{"keep": keys[0], "others": [make_rows(1)[0].pk]}], "duplicate"),
        (
            lambda keys: [
                {"keep": keys[0], "others": [keys[1]]},
                {"keep": keys[3], "others": [keys[1]]},
            ],
            "duplicate",
        ),
        (lambda keys: [{"keep": keys[0], "others": [keys[1]]}], "perhaps"),
        (lambda keys: [{"keep": keys[0], "others": [keys[1]]}], "pending"),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(batch, decide, verdict):
    before, version = whole(batch), Batch.objects.get(pk=batch.pk).version
    decisions = decide(keys_of(batch))

    for call in (near_sets.resolve, near_sets.preview):
        more = {"actor": None} if call is near_sets.resolve else {}
        with pytest.raises(ApiError) as refused:
            call(batch, decisions=decisions, verdict=verdict, **more)
        assert refused.value.status == 400

    assert (whole(batch), Batch.objects.get(pk=batch.pk).version) == (before, version)
    assert not DuplicatePair.objects.exists()


def test_more_pairs_than_one_step_takes_are_refused(batch, monkeypatch):
    monkeypatch.setattr(near_resolving, "MAX_PAIRS", 2)

    with pytest.raises(ApiError, match="would decide 3 pairs. The limit is 2"):
        resolve(batch, 0, 1, 2, verdict="not_duplicate")

    assert not DuplicatePair.objects.exists()


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_outside_is_refused(batch, threshold):
    with pytest.raises(ApiError, match="from 0 .strict. to 1") as refused:
        near_sets.sets(batch, threshold)

    assert (refused.value.status, refused.value.errors[0].field) == (400, "threshold")


@pytest.mark.parametrize("hashes", [[], [None], [0], [None, None, None]])
def test_small_and_odd_batches_have_no_sets(hashes):
    batch = make(hashes)

    assert near_sets.sets(batch) == []
    assert {counted[1:] for counted in near_sets.counts(batch)} == {(0, 0)}


def test_all_the_same_are_one_set():
    (near,) = near_sets.sets(make([0] * 30))

    assert len(near.images) == 30

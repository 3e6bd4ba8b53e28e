"""What a run would change, and what it changes: names go along, nothing that a person fixed moves."""

import pytest

from api.core.errors import ApiError
from batches.clustering import activation
from batches.clustering import service as analysis
from batches.groups import operations as grouping
from batches.history import changes
from batches.history.changes import ExpectedVersion
from batches.models import BatchImage, ClusterRun
from batches.services import add_images
from processing.engine.worker import run_until_idle
from tests.batches.history.random_changes import state
from tests.factories import make_rows
from tests.factories.analyzed import analysed, batch_of, groups_of, heaps, with_vectors

pytestmark = pytest.mark.django_db


def keys(batch):
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


def said(batch, *labels, **fields):
    """A completed run that says these labels of the batch's images, in their order; None for none of it."""
    images = keys(batch)
    count = max((label for label in labels if label is not None), default=-1) + 1
    told = [
        {
            "label": label,
            "size": labels.count(label),
            "medoid": str(images[labels.index(label)]),
            "group": None,
        }
        for label in range(count)
    ]
    run = ClusterRun.objects.create(
        batch=batch,
        number=batch.runs.count() + 1,
        status="completed",
        model="pix_small",
        groups=told,
        n_groups=count,
        **fields,
    )
    run.assignments.bulk_create(
        run.assignments.model(run=run, image_id=image, label=label, probability=0.5, outlier_score=0.25)
        for image, label in zip(images, labels, strict=True)
        if label is not None
    )
    return run


@pytest.fixture
def batch():
    return batch_of(make_rows(8))


def test_the_first_groups_are_numbered_by_size(batch):
    run = said(batch, 0, 0, 1, 1, 1, 2, 2, -1)

    change = activation.activate(batch, run, actor=None)

    assert groups_of(batch) == {"1": [3, 4, 5], "2": [1, 2], "3": [6, 7], "": [8]}
    assert change.summary == "applied run 1: 3 groups, 7 images moved, 1 unassigned"
    assert [member.outlier_score for member in batch.batch_images.order_by("position")] == [0.25] * 8
    assert batch.groups.get(label="1").cover_id == keys(batch)[2]


def test_names_are_carried_over_by_overlap_and_the_diff_says_what_changes(batch):
    activation.activate(batch, said(batch, 0, 0, 0, 1, 1, 1, -1, -1), actor=None)
    grouping.edit_group(batch, "1", values={"name": "shoes", "colour": "#e11d48"}, actor=None)
    second = said(batch, 1, 1, 1, 1, 0, 0, 2, 2)

    diff = activation.plan(batch, second)

    told = {item.key: (item.kind, item.title, item.keeps, item.gains, item.loses) for item in diff.items}
    assert told == {
        "r1": ("changed", "shoes", 3, 1, 0),
        "r0": ("changed", "Group 2", 2, 0, 1),
        "r2": ("new", "New group 3", 0, 2, 0),
    }
    assert (diff.kept, diff.changed, diff.new, diff.dissolved) == (0, 2, 1, 0)
    assert (diff.moved, diff.joined, diff.left, diff.held, diff.version) == (1, 2, 0, 0, batch.version)
    sources = {item.key: dict(item.sources) for item in diff.items}
    assert sources == {"r1": {"Group 2": 1}, "r0": {}, "r2": {"no group": 2}}

    activation.activate(batch, second, actor=None)
    assert groups_of(batch) == {"1": [1, 2, 3, 4], "2": [5, 6], "3": [7, 8]}
    shoes = batch.groups.get(label="1")
    assert (shoes.name, shoes.colour) == ("shoes", "#e11d48")


def test_items_are_accepted_one_by_one(batch):
    activation.activate(batch, said(batch, 0, 0, 0, 1, 1, 1, -1, -1), actor=None)
    second = said(batch, 0, 0, -1, 0, 1, 1, 2, 2)

    activation.activate(batch, second, actor=None, items=["r2"])
    assert groups_of(batch) == {"1": [1, 2, 3], "2": [4, 5, 6], "3": [7, 8]}

    activation.activate(batch, second, actor=None, items=["r0"])
    assert groups_of(batch) == {"1": [1, 2, 4], "2": [5, 6], "3": [7, 8], "": [3]}

    with pytest.raises(ApiError, match="nothing left to apply"):
        activation.activate(batch, second, actor=None)


def test_a_dissolved_group_goes_when_its_item_is_accepted(batch):
    activation.activate(batch, said(batch, 0, 0, 0, 0, 1, 1, -1, -1), actor=None)
    second = said(batch, 0, 0, 0, 0, -1, -1, -1, -1)

    diff = activation.plan(batch, second)
    assert [
        (item.key, item.kind, item.loses, item.sources) for item in diff.items if item.kind != "kept"
    ] == [("g2", "dissolved", 2, [("no group", 2)])]

    activation.activate(batch, second, actor=None, items=["r0"])
    assert groups_of(batch)["2"] == [5, 6]
    activation.activate(batch, second, actor=None, items=["g2"])
    assert groups_of(batch) == {"1": [1, 2, 3, 4], "": [5, 6, 7, 8]}
    assert list(batch.groups.values_list("label", flat=True)) == ["1"]


def test_what_a_person_fixed_stays(batch):
    activation.activate(batch, said(batch, 0, 0, 0, 1, 1, 1, -1, -1), actor=None)
    images = keys(batch)
    grouping.move(batch, images[:1], to="2", actor=None)
    grouping.lock(batch, images[1:2], locked=True, actor=None)
    grouping.move(batch, images[4:5], to=None, actor=None)
    grouping.decide(batch, images[5:6], decision="rejected", actor=None)
    second = said(batch, 0, 1, 1, 0, 0, 0, 1, 1)
    before = {m.image_id: (m.group_id, m.assigned_by) for m in batch.batch_images.fixed()}

    diff = activation.plan(batch, second)
    activation.activate(batch, second, actor=None)

    after = {m.image_id: (m.group_id, m.assigned_by) for m in BatchImage.objects.filter(image__in=before)}
    assert len(before) == 4
    assert after == before
    assert diff.held > 0


def test_confirmed_groups_keep_their_images_and_named_ones_stay_when_emptied(batch):
    activation.activate(batch, said(batch, 0, 0, 1, 1, 1, 1, -1, -1), actor=None)
    two, four = batch.groups.get(label="2"), batch.groups.get(label="1")
    grouping.edit_group(batch, two.label, values={"status": "confirmed"}, actor=None)
    grouping.edit_group(batch, four.label, values={"name": "boots"}, actor=None)
    nothing = said(batch, -1, -1, -1, -1, -1, -1, -1, -1)

    activation.activate(batch, nothing, actor=None)

    assert groups_of(batch) == {"2": [1, 2], "": [3, 4, 5, 6, 7, 8]}
    assert set(batch.groups.values_list("label", flat=True)) == {"1", "2"}


def test_images_that_the_run_does_not_know_stay(batch):
    activation.activate(batch, said(batch, 0, 0, 0, 0, 1, 1, 1, 1), actor=None)

    activation.activate(batch, said(batch, None, 0, 0, 0, None, None, None, None), actor=None)

    assert groups_of(batch) == {"1": [1, 2, 3, 4], "2": [5, 6, 7, 8]}


def test_an_activation_is_one_step_that_undo_takes_back(batch):
    activation.activate(batch, said(batch, 0, 0, 0, 1, 1, 1, -1, -1), actor=None)
    before = state(batch)
    activation.activate(batch, said(batch, 0, 1, 2, 0, 1, 2, 2, 2), actor=None)
    assert state(batch) != before

    changes.undo(batch, actor=None)

    assert state(batch) == before


def test_runs_that_have_no_groups_to_give_are_refused(batch):
    other = batch_of(make_rows(8), "Other")
    cases = [
        (said(other, *[0] * 8), "another batch", 404),
        (said(batch, *[0] * 8, mode="sweep"), "only tried parameters", 409),
    ]
    queued = said(batch, *[0] * 8)
    queued.status = "queued"
    cases.append((queued, "is queued", 409))

    for run, match, status in cases:
        for call in (activation.plan, lambda b, r: activation.activate(b, r, actor=None)):
            with pytest.raises(ApiError, match=match) as refused:
                call(batch, run)
            assert refused.value.status == status
    assert batch.groups.count() == 0


@pytest.mark.parametrize(
    ("items", "match"), [([], "at least one"), (["r0", "r7"], "longer has an item 'r7'")]
)
def test_wrong_items_change_nothing(batch, items, match):
    run = said(batch, *[0] * 8)

    with pytest.raises(ApiError, match=match) as refused:
        activation.activate(batch, run, actor=None, items=items)

    assert refused.value.status == 400
    assert batch.groups.count() == 0


def test_a_stale_version_is_refused(batch):
    run = said(batch, *[0] * 8)

    with pytest.raises(ApiError) as refused:
        activation.activate(batch, run, actor=None, expected_version=ExpectedVersion(0))

    assert refused.value.status == 412


# Incremental


def grown(*, first, later):
    """A batch of an analysed part and later images, with the vectors of both."""
    batch = batch_of(with_vectors(first))
    analysed(batch)
    add_images(batch, [row.pk for row in with_vectors(later)], actor=None)
    return batch


def test_new_images_join_inside_the_radius_and_nothing_else_moves():
    vectors = heaps(20, 20, noise=5)
    batch = grown(first=vectors[5:], later=vectors[:5])
    grouping.edit_group(batch, "1", values={"name": "shoes", "status": "confirmed"}, actor=None)
    before = groups_of(batch)

    run = analysed(batch, mode="incremental")

    after = groups_of(batch)
    new = set(range(41, 46))
    assert {label: set(places) - new for label, places in after.items()} == {
        label: set(places) - new for label, places in before.items()
    }
    joined = batch.batch_images.filter(assigned_by="propagated")
    assert joined.count() >= 3
    assert set(joined.values_list("group", flat=True)) == {batch.groups.get(label="2").pk}
    assert run.notes == [] or "wait" in run.notes[0]
    assert (run.assignments.count(), batch.active_run_id) == (45, run.pk)
    assert run.parameters["base_run"] == 1
    summary = batch.changes.get(kind="apply_run", sequence__gt=2).summary
    assert summary == f"applied run 2: {joined.count()} images joined 1 group"


def test_the_rest_waits_until_there_are_enough_for_groups_of_their_own():
    late = heaps(0, 0, 9, 8, spread=0.01)
    batch = grown(first=heaps(20, 20), later=late[:5])

    run = analysed(batch, mode="incremental")
    assert run.notes == [
        "5 new images stay unassigned: outside the radius of every group. A new group needs at least 10 such images."
    ]
    assert groups_of(batch)[""] == [41, 42, 43, 44, 45]
    told = batch.changes.filter(kind="apply_run").latest("sequence").summary
    assert told == "applied run 2: no image joined a group"

    add_images(batch, [row.pk for row in with_vectors(late[5:])], actor=None)
    run = analysed(batch, mode="incremental")

    assert run.parameters["base_run"] == 1
    assert [groups_of(batch)[label] for label in "34"] == [list(range(41, 50)), list(range(50, 58))]
    assert batch.changes.filter(kind="apply_run").latest("sequence").summary == (
        "applied run 3: 17 images joined 2 groups, 2 of them new"
    )
    assert len(run.groups) == 4


def test_new_images_that_are_all_alike_become_one_group():
    batch = grown(first=heaps(20, 20), later=heaps(0, 0, 12, spread=0.01))

    run = analysed(batch, mode="incremental")

    assert len(groups_of(batch)["3"]) >= 10
    assert run.n_groups == 3


def test_an_incremental_run_keeps_the_map():
    vectors = heaps(20, 20)
    batch = grown(first=vectors[2:], later=vectors[:2])
    first = batch.active_run

    second = analysed(batch, mode="incremental")

    points = {image: (x, y) for image, x, y in first.assignments.values_list("image", "x", "y")}
    for image, x, y in second.assignments.values_list("image", "x", "y"):
        if image in points:
            assert (x, y) == pytest.approx(points[image], abs=1e-5)
    assert bytes(second.projection) == bytes(first.projection)


def test_a_batch_that_was_analysed_empty_grows():
    batch = grown(first=heaps(0), later=heaps(8, 12))

    run = analysed(batch, mode="incremental")

    assert groups_of(batch) == {"1": list(range(9, 21)), "2": list(range(1, 9))}
    assert len(set(run.assignments.values_list("x", flat=True))) == 20


def test_an_active_run_that_was_taken_back_meanwhile_is_told():
    batch = batch_of(with_vectors(heaps(8, 8)))
    analysed(batch)
    parameters = analysis.parse_parameters({"model": "pix_small"})
    run = analysis.submit_analysis(batch, parameters=parameters, mode="incremental")
    changes.undo(batch, actor=None)

    run_until_idle()

    operation = run.job.operations.get(name="analyze")
    assert (operation.status, operation.error_code) == ("failed", "conflict")
    assert "active run changed in the meantime" in operation.error_detail


def test_incremental_needs_a_run_of_the_same_model_and_weights():
    batch = batch_of(with_vectors(heaps(8)))
    with pytest.raises(ApiError, match="no active run"):
        analysed(batch, mode="incremental")

    run = analysed(batch)
    ClusterRun.objects.filter(pk=run.pk).update(weights_sha256="0" * 64)
    batch.refresh_from_db()
    with pytest.raises(ApiError, match="different .* weights") as refused:
        analysed(batch, mode="incremental")
    assert refused.value.status == 409


def test_an_incremental_run_without_new_images_changes_nothing():
    batch = batch_of(with_vectors(heaps(8, 8, noise=3)))
    analysed(batch)
    before = groups_of(batch)

    run = analysed(batch, mode="incremental")

    assert groups_of(batch) == before
    assert (run.status, run.notes) == ("completed", [])


def test_nobody_s_placement_moves_in_an_incremental_run():
    vectors = heaps(20, 20)
    batch = grown(first=vectors[4:], later=vectors[:4])
    late = keys(batch)[-4:]
    grouping.move(batch, late[:2], to="1", actor=None)
    grouping.move(batch, late[:2], to=None, actor=None)
    grouping.lock(batch, late[2:3], locked=True, actor=None)

    analysed(batch, mode="incremental")

    assert batch.batch_images.filter(image__in=late[:3], group=None).count() == 3

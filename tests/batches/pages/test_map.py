"""The map of a batch: its page, and what the points say."""

from uuid import UUID

import numpy as np
import pytest

from api.core.errors import ApiError
from batches.clustering import projection
from batches.groups import operations as grouping
from batches.membership import add_images
from batches.models import Batch
from batches.services import create_batch
from images.models import Embedding
from tests.factories import make_rows
from tests.factories.markup import squeezed
from tests.factories.with_map import give_run, mapped_batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    return mapped_batch(make_rows(12), groups=3, noise=3)


def page_of(client, batch, query="", status=200):
    response = client.get(f"/batches/{batch.pk}/map/{query}")
    assert response.status_code == status
    return squeezed(response.content.decode())


def test_the_page_names_the_groups_and_the_run(reviewer, batch):
    page = page_of(reviewer, batch)
    assert 'data-run="1"' in page
    assert "data-may-edit" in page
    assert '<th scope="row" class="break">Sort 2</th><td class="num">3</td>' in page
    assert '<th scope="row">Unassigned</th><td class="num">3</td>' in page


def test_who_may_only_look_gets_no_controls(viewer, batch):
    page = page_of(viewer, batch)
    assert "data-may-edit" not in page
    assert 'data-act="move"' not in page


def test_an_approved_batch_is_only_looked_at(reviewer, batch):
    Batch.objects.filter(pk=batch.pk).update(review_stage="approved")
    page = page_of(reviewer, batch)
    assert "and cannot be changed" in page
    assert "data-may-edit" not in page


def test_before_the_first_run_the_page_says_what_to_do(reviewer):
    assert "No map yet" in page_of(reviewer, create_batch("Empty", owner=None))


@pytest.mark.parametrize("asked", ["9", "x", "-1", "99999999999999999999", "²"])
def test_an_unknown_run_is_said_and_the_usual_one_shown(reviewer, batch, asked):
    page = page_of(reviewer, batch, f"?run={asked}", status=404)
    assert "has no run" in page
    assert 'data-run="1"' in page


def test_an_earlier_run_can_be_chosen(reviewer, batch):
    give_run(batch, list(batch.images.all()), groups=0)
    assert 'data-run="2"' in page_of(reviewer, batch)
    assert 'data-run="1"' in page_of(reviewer, batch, "?run=1")


def test_a_deleted_batch_has_no_map(reviewer, batch):
    Batch.objects.filter(pk=batch.pk).update(deleted_at=batch.created_at)
    page_of(reviewer, batch, status=404)


def test_queries_do_not_grow_with_the_batch(reviewer, batch, django_assert_max_num_queries):
    large = mapped_batch(make_rows(300), groups=40)
    for one in (batch, large):
        with django_assert_max_num_queries(5):
            projection.points(one)


# --- the points ---------------------------------------------------------------------------------------


def test_every_image_is_a_point_of_its_group(batch):
    drawn = projection.points(batch)
    assert (drawn.run, len(drawn.points), drawn.unplaced) == (1, 12, 0)
    assert [point.group_label for point in drawn.points] == [*"123" * 3, None, None, None]
    assert [point.run_label for point in drawn.points] == [*[0, 1, 2] * 3, -1, -1, -1]
    assert [group.title for group in drawn.groups] == ["Group 1", "Sort 2", "Group 3"]
    assert [group.title for group in drawn.proposed] == ["Proposed 1", "Proposed 2", "Proposed 3"]
    assert [group.colour for group in drawn.proposed] == [group.colour for group in drawn.groups]


def test_a_moved_image_keeps_its_place_and_changes_its_group(batch):
    before = projection.points(batch).points[0]
    grouping.move(batch, [UUID(before.image)], to="2", actor=None)
    after = projection.points(batch).points[0]
    assert (after.x, after.y, after.group_label, after.run_label) == (before.x, before.y, "2", 0)


def test_packed_points_are_the_same_in_the_same_order(batch):
    drawn = projection.points(batch)
    rows = np.frombuffer(projection.packed(batch), "<f4").reshape(-1, 5)
    assert rows[:, 0] == pytest.approx([point.x for point in drawn.points])
    assert rows[:, 2].tolist() == [*[0, 1, 2] * 3, -1, -1, -1]
    assert np.isnan(rows[:, 3]).all()  # no grade was measured


def test_a_later_image_is_placed_by_its_vector_or_counted_as_unplaced(batch):
    dice = np.random.default_rng(1)
    mean, x_axis, y_axis = (dice.normal(size=384).astype("<f4") for _ in range(3))
    run = batch.active_run
    run.projection = np.concatenate([mean, x_axis, y_axis]).tobytes()
    run.save()
    with_vector, without = make_rows(2)
    add_images(batch, [with_vector.pk, without.pk], actor=None)
    vector = dice.normal(size=384).astype("<f4")
    Embedding.objects.create(
        image=with_vector, model="pix_small", weights_sha256="0" * 64, dim=384, vector=vector
    )

    drawn = projection.points(batch)

    assert drawn.unplaced == 1
    (point,) = [point for point in drawn.points if point.image == str(with_vector.pk)]
    expected = [float((vector - mean) @ x_axis), float((vector - mean) @ y_axis)]
    assert [point.x, point.y] == pytest.approx(expected, rel=1e-4)
    assert point.run_label is None


def test_runs_without_a_map_are_refused(batch):
    with pytest.raises(ApiError) as unknown:
        projection.points(batch, 7)
    assert unknown.value.status == 404
    batch.runs.create(number=2, mode="sweep", status="completed", model="pix_small")
    with pytest.raises(ApiError, match="has no map") as sweep:
        projection.points(batch, 2)
    assert sweep.value.status == 409


def test_colours_are_steady_and_those_of_neighbours_differ():
    assert projection.colour_of("boots") == projection.colour_of("boots")
    assert len({projection.colour_of(str(number)) for number in range(1, 40)}) == 39

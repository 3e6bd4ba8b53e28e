"""The page of a batch's near-duplicates."""

import uuid

import pytest

from batches.history import changes
from batches.membership import add_images
from batches.models import Batch
from batches.services import create_batch
from images.models import Image
from tests.factories import make_rows
from tests.factories.markup import squeezed

pytestmark = pytest.mark.django_db
FAR = 0x0F0F_3333_5555_0FF0


@pytest.fixture
def batch():
    """A set of three, a set of two, one that is alone; the first of each has the most pixels."""
    rows = make_rows(6)
    for row, phash in zip(rows, [0, 1, 3, FAR, FAR ^ 1, -1], strict=True):
        row.phash = phash
    for row in (rows[0], rows[3]):
        row.width, row.height = 1280, 960
    Image.objects.bulk_update(rows, ["phash", "width", "height"])
    batch = create_batch("Copies", owner=None)
    add_images(batch, [row.pk for row in rows], actor=None)
    return batch


def keys_of(batch):
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


def decisions(batch):
    return list(batch.batch_images.order_by("position").values_list("decision", flat=True))


def page_of(client, batch, query="", status=200):
    response = client.get(f"/batches/{batch.pk}/near-duplicates/{query}")
    assert response.status_code == status
    return squeezed(response.content.decode())


def post(client, batch, **form):
    response = client.post(f"/batches/{batch.pk}/near-duplicates/resolve/", form, follow=True)
    return squeezed(response.content.decode())


def test_sets_are_shown_with_the_suggested_one_and_why(reviewer, batch):
    page = page_of(reviewer, batch)
    assert "2 sets of 5 images to decide" in page
    assert page.count("data-set=") == 2
    assert page.count('<span class="badge ok">Suggested</span>') == 2
    assert "larger: 1280 × 960 against 640 × 480" in page
    assert f'name="keep" value="{keys_of(batch)[0]}" checked' in page


def test_keeping_one_rejects_the_others_and_undo_takes_it_back(reviewer, batch):
    first, second, third, *_ = keys_of(batch)
    form = {"keep": second, "image": [first, second, third], "verdict": "duplicate", "version": batch.version}
    page = post(reviewer, batch, **form)
    assert "1 set of 2 images to decide" in page
    assert "1 decided set" in page
    assert decisions(batch) == ["rejected", "pending", "rejected", "pending", "pending", "pending"]

    changes.undo(Batch.objects.get(pk=batch.pk), actor=None)
    assert decisions(batch) == ["pending"] * 6
    assert "2 sets of 5 images" in page_of(reviewer, batch)


def test_different_pictures_are_in_no_set_any_more(reviewer, batch):
    *_, fourth, fifth, _ = keys_of(batch)
    page = post(reviewer, batch, keep=fourth, image=[fourth, fifth], verdict="not_duplicate")
    assert "1 set of 3 images to decide" in page
    assert decisions(batch) == ["pending"] * 6


def test_all_are_resolved_after_a_preview(reviewer, batch):
    preview = page_of(reviewer, batch, "?preview=1")
    assert "Resolve 2 sets?" in preview
    assert "Reject 3 images" in preview
    page = post(reviewer, batch, all="1", threshold="0.5", version=batch.version)
    assert "Every set at this threshold has been decided" in page
    assert decisions(batch) == ["pending", "rejected", "rejected", "pending", "rejected", "pending"]


def test_an_old_page_changes_nothing(reviewer, batch):
    version = batch.version
    first, second, third, *_ = keys_of(batch)
    add_images(batch, [make_rows(1)[0].pk], actor=None)
    form = {"keep": first, "image": [first, second, third], "verdict": "duplicate", "version": version}
    assert f"not {version}" in post(reviewer, batch, **form)
    assert set(decisions(batch)) == {"pending"}


@pytest.mark.parametrize(
    "form",
    [
        {"keep": "x", "image": ["x"]},
        {"keep": "", "image": []},
        {"keep": str(uuid.uuid4()), "image": [str(uuid.uuid4())]},
        {"verdict": "maybe", "all": "1"},
        {},
    ],
)
def test_bad_forms_are_answered_with_a_sentence(reviewer, batch, form):
    page = post(reviewer, batch, **{"verdict": "duplicate", **form})
    assert 'class="notice error"' in page
    assert set(decisions(batch)) == {"pending"}


@pytest.mark.parametrize("threshold", ["2", "-1", "x", "nan"])
def test_a_wrong_threshold_is_said(reviewer, batch, threshold):
    assert "must be a number from 0 (strict) to 1 (loose)" in page_of(
        reviewer, batch, f"?threshold={threshold}", status=400
    )


def test_the_strictest_threshold_shows_fewer(reviewer, batch):
    assert "Nothing to decide" in page_of(reviewer, batch, "?threshold=0")


def test_who_may_only_look_decides_nothing(viewer, batch):
    page = page_of(viewer, batch)
    assert "reject the other" not in page
    assert viewer.post(f"/batches/{batch.pk}/near-duplicates/resolve/", {}).status_code == 403


def test_an_empty_batch_has_a_plain_page(reviewer):
    assert "Nothing to decide" in page_of(reviewer, create_batch("Empty", owner=None))

"""Operations on a batch: what is chosen, what it costs, one job."""

import io
import uuid
import zipfile

import pytest

from api.core.errors import ApiError
from batches import processing, services
from batches.groups import operations as grouping
from batches.membership import add_images
from batches.models import Batch
from images.models import Image
from images.services import trash_many
from processing.engine.worker import run_until_idle
from processing.models import OperationArtifact
from processing.services import Delivery, parse_work
from processing.states import Priority
from processing.storage.archive import archive
from tests.factories import make_image, make_rows, make_user, pictures

pytestmark = pytest.mark.django_db

TO_WEBP = parse_work(operations=["webp"])


@pytest.fixture
def anna():
    return make_user("process", username="anna")


@pytest.fixture
def batch(anna):
    rows = make_rows(6)
    batch = services.create_batch("Shoes", owner=anna, priority=Priority.HIGH)
    add_images(batch, [row.pk for row in rows], actor=anna)
    other = services.create_batch("Other", owner=anna)
    add_images(other, [row.pk for row in reversed(rows)], actor=anna)
    return batch


def keys(batch):
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


def chosen(batch, **filters):
    return list(processing.chosen_images(batch, filters).values_list("pk", flat=True))


def test_all_but_the_rejected_and_trashed_images_are_chosen_in_order(batch, anna):
    first = keys(batch)
    grouping.decide(batch, first[1:2], decision="rejected", actor=anna)
    trash_many(first[2:3], actor=anna)

    assert chosen(batch) == [first[0], *first[3:]]
    assert chosen(batch, decision="rejected") == [first[1]]
    assert chosen(batch, decision="any") == [first[0], first[1], *first[3:]]


def test_filters_choose_by_group_ids_quality_and_issue(batch, anna):
    first = keys(batch)
    red = grouping.create_group(batch, name="red", image_ids=first[:2], actor=anna).group
    Image.objects.filter(pk__in=first[1:4]).update(quality_grade=80, issues=[{"code": "blurred"}])

    assert chosen(batch, group=red.label) == first[:2]
    assert chosen(batch, group="unassigned") == first[2:]
    assert chosen(batch, image_ids=[str(first[3]), str(first[0])]) == [first[0], first[3]]
    assert chosen(batch, min_quality=80, group=red.label) == [first[1]]
    assert chosen(batch, issue="blurred") == chosen(batch, issue="any") == first[1:4]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"group": "nothing"}, "filter.group"),
        ({"decision": "maybe"}, "filter.decision"),
        ({"image_ids": []}, "filter.image_ids"),
        ({"image_ids": "all"}, "filter.image_ids"),
        ({"image_ids": ["x"]}, "filter.image_ids"),
        ({"image_ids": [str(uuid.uuid4())]}, "filter.image_ids"),
        ({"min_quality": 101}, "filter.min_quality"),
        ({"min_quality": "nan"}, "filter.min_quality"),
        ({"issue": "ugly"}, "filter.issue"),
        ({"colour": "red"}, "filter"),
    ],
)
def test_a_wrong_filter_is_named(batch, filters, field):
    with pytest.raises(ApiError) as refused:
        processing.process_batch(batch, TO_WEBP, filters=filters)

    assert (refused.value.status, refused.value.errors[0].field) == (400, field)
    assert batch.jobs.count() == 0


def test_one_job_with_the_batchs_priority_and_results_as_zip(anna):
    batch = services.create_batch("Shoes", owner=anna, priority=Priority.HIGH)
    images = [make_image(name="a.jpg"), make_image(name="b.jpg")]
    webp = make_image(pictures.webp(seed=5), name="c.webp")
    add_images(batch, [image.pk for image in [*images, webp]], actor=anna)
    run_until_idle()

    estimate = processing.estimate_batch(batch, TO_WEBP)
    job = processing.process_batch(batch, TO_WEBP, delivery=Delivery(requested_by=anna))
    run_until_idle()
    job.refresh_from_db()

    assert (estimate["images"], estimate["items"], estimate["cached"]) == (2, 2, 0)
    assert [(left["name"], left["code"]) for left in estimate["left_out"]] == [("c.webp", "same_format")]
    assert (job.status, job.operations_total, job.priority, job.batch) == ("completed", 2, 1, batch)
    assert "1 image skipped, for example c.webp" in job.events.get(code="images_left_out").message
    results = list(OperationArtifact.objects.filter(operation__job=job).order_by("operation__position"))
    names = zipfile.ZipFile(io.BytesIO(b"".join(archive(results)))).namelist()
    assert names == ["manifest.csv", "Shoes/a_webp.webp", "Shoes/b_webp.webp"]

    assert processing.estimate_batch(batch, TO_WEBP)["cached"] == 2
    again = processing.process_batch(batch, TO_WEBP, priority=Priority.LOW)
    assert (again.status, again.priority) == ("completed", Priority.LOW)


def test_nothing_that_fits_is_said_with_reasons(anna):
    batch = services.create_batch("Shoes", owner=anna)
    with pytest.raises(ApiError, match="The filter matches no images"):
        processing.process_batch(batch, TO_WEBP)

    add_images(batch, [make_image(pictures.webp(seed=6), name="c.webp").pk], actor=anna)
    with pytest.raises(ApiError, match=r"None of .* example c\.webp") as refused:
        processing.process_batch(batch, TO_WEBP)
    assert [error.code for error in refused.value.errors] == ["same_format"]


def test_more_than_a_job_holds_is_refused_with_both_numbers(batch, monkeypatch):
    monkeypatch.setattr(processing, "MAX_OPERATIONS", 11)

    with pytest.raises(ApiError, match=r"6 images with 2 operations each make 12 operations\. .* is 11"):
        processing.process_batch(batch, parse_work(operations=["webp", "avif"]))


def test_damaged_and_trashed_images_are_left_out_and_told(batch, anna):
    first = keys(batch)
    Image.objects.filter(pk=first[0]).update(status="damaged")
    trash_many(first[1:2], actor=anna)

    found = processing.applicable_images(batch, TO_WEBP)

    assert [image.pk for image in found.images] == first[2:]
    assert [left.code for left in found.left_out] == ["damaged", "trashed"]


@pytest.mark.parametrize(("close", "status"), [(services.delete_batch, 410), (services.archive, 409)])
def test_closed_batches_are_refused(batch, anna, close, status):
    close(batch, actor=anna)
    for call in (processing.estimate_batch, processing.process_batch):
        with pytest.raises(ApiError) as refused:
            call(Batch.objects.get(pk=batch.pk), TO_WEBP)
        assert refused.value.status == status


def test_an_approved_batch_is_worked_on(batch):
    Batch.objects.update(review_stage="approved")

    assert processing.process_batch(batch, TO_WEBP).operations_total == 6

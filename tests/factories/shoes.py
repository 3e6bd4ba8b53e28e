"""The batch that the tests of its API work on."""

from batches.groups import operations as grouping
from batches.models import Batch
from batches.services import create_batch


def shoes(rows):
    """Six images: three in the group a, two in b, one in none."""
    batch = create_batch("Shoes", owner=None, image_ids=keys(rows))
    grouping.create_group(batch, label="a", name="red shoes", image_ids=keys(rows[:3]), actor=None)
    grouping.create_group(batch, label="b", name="boots", image_ids=keys(rows[3:5]), actor=None)
    return batch


def keys(rows):
    return [row.pk for row in rows]


def ids(rows):
    return [str(row.pk) for row in rows]


def at(batch: Batch, part: str = "") -> str:
    return f"/api/batches/{batch.pk}/{part}"


def placed(batch):
    """The label of each image's group, in the batch's order."""
    return list(batch.batch_images.order_by("position").values_list("group__label", flat=True))

"""Batches of images that a test has."""

from collections.abc import Sequence

from batches.membership import add_images
from batches.models import Batch
from batches.services import create_batch
from images.models import Image


def make_batch(images: Sequence[Image], name: str = "Shoes") -> Batch:
    """A batch whose first change added these images."""
    batch = create_batch(name, owner=None)
    add_images(batch, [image.pk for image in images], actor=None)
    return batch

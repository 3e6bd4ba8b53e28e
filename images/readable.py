"""A row with a value that cannot be read is shown without that value: it must not take a whole page down."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.db import DataError
from django.db.models import Field, QuerySet

from images.models import Image

logger = logging.getLogger("pix.images")
# A date beyond Python's years, JSON nested deeper than Python follows it, …
UNREADABLE = (DataError, ValueError, TypeError, OverflowError, RecursionError)


SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "exif": lambda value: isinstance(value, dict),
    "metadata": lambda value: isinstance(value, dict),
    "gps": lambda value: value is None or isinstance(value, dict),
    "issues": lambda value: (
        isinstance(value, list)
        and all(isinstance(issue, dict) and {"code", "explanation"} <= issue.keys() for issue in value)
    ),
}


def readable(images: QuerySet[Image]) -> list[Image]:
    """The rows in their order; those with unreadable values have `unreadable_fields`, which are empty."""
    try:
        return [_checked(image) for image in images]
    except UNREADABLE:
        keys = list(images.values_list("pk", flat=True))
        return [image for key in keys if (image := readable_image(Image.objects.filter(pk=key))) is not None]


def readable_image(images: QuerySet[Image]) -> Image | None:
    """The one row, with its unreadable values left empty; None where there is no row."""
    try:
        image = images.first()
        return image and _checked(image)
    except UNREADABLE:
        logger.exception("A row of images cannot be read as a whole")
    image = images.select_related(None).only("pk").first()
    if image is None:
        return None
    rows, lost = Image.objects.filter(pk=image.pk), []
    for field in _fields().values():  # one value at a time
        try:
            setattr(image, field.attname, rows.values_list(field.attname, flat=True).get())
        except UNREADABLE:
            setattr(image, field.attname, _empty(field))
            lost.append(field.name)
    image.unreadable_fields = tuple(lost)
    return _checked(image)


def _checked(image: Image) -> Image:
    """What is stored in another shape than all that reads it expects is left out as well."""
    loaded = [name for name in SHAPES if name in image.__dict__]
    for name in [name for name in loaded if not SHAPES[name](image.__dict__[name])]:
        setattr(image, name, _empty(_fields()[name]))
        image.unreadable_fields += (name,)
    return image


def _fields() -> dict[str, Field]:
    return {field.name: field for field in Image._meta.concrete_fields if not field.primary_key}


def _empty(field: Field) -> Any:
    return field.get_default() if field.has_default() else None

"""Which images a job of measuring may name."""

from collections.abc import Iterable

from api.core.errors import ApiError, ErrorCode
from images import phrases
from images.models import Image
from processing.phrases import image_not_ready

MAX_IMAGES = 20_000


def ready_images(images: Iterable[Image], *, to_be: str) -> list[Image]:
    """The images of a request, all of them ready.

    Args:
        to_be: what is to be done with them, as a participle.

    Raises:
        ApiError: 409 where one is not ready, 400 for none or too many.
    """
    rows = list(images)
    if gone := [image for image in rows if image.status != Image.Status.READY]:
        detail = image_not_ready(gone[0].pk, gone[0].status, to_be)
        raise ApiError(ErrorCode.CONFLICT, detail)
    if not 1 <= len(rows) <= MAX_IMAGES:
        raise ApiError(ErrorCode.INVALID, phrases.wrong_number_for_job(len(rows), MAX_IMAGES))
    return rows

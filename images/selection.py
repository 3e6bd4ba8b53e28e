"""Which images a job may work on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from api.core.errors import ApiError, ErrorCode
from images import phrases
from images.models import Image
from processing import services
from processing.phrases import image_not_ready
from processing.services import Work

MAX_IMAGES = 20_000
MOST_UNCOUNTED = 100  # images that one act may be for without saying how many it expects


def check_expected(matched: int, expected: int | None) -> None:
    """Refuse an act on many images by somebody who does not know how many, or who saw another number.

    Raises:
        ApiError: 409 with the number as `matched`.
    """
    told = {"matched": matched}
    if expected is None and matched > MOST_UNCOUNTED:
        detail = phrases.expected_required(matched, MOST_UNCOUNTED)
        raise ApiError(ErrorCode.EXPECTED_REQUIRED, detail, extra=told)
    if expected is not None and expected != matched:
        raise ApiError(ErrorCode.COUNT_CHANGED, phrases.count_changed(matched, expected), extra=told)


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


@dataclass(frozen=True)
class SkippedImage:
    """A chosen image that the work does not fit, and why."""

    image: UUID
    name: str
    code: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        return {"image": str(self.image), "name": self.name, "code": self.code, "detail": self.detail}


@dataclass(frozen=True)
class ApplicableImages:
    """The chosen images that the work fits, in their order, and the others."""

    images: list[Image] = field(default_factory=list)
    left_out: list[SkippedImage] = field(default_factory=list)

    @property
    def reasons(self) -> str:
        """A sentence about what is left out; empty where nothing is."""
        if not self.left_out:
            return ""
        first = self.left_out[0]
        return phrases.skipped(len(self.left_out), first.name, first.detail)


def applicable_images(work: Work, images: Iterable[Image]) -> ApplicableImages:
    """Separate the images: one that is already in the target format must not hold up the others."""
    applicable = ApplicableImages()
    for image in images:
        if left_out := _rejection_reason(work, image):
            applicable.left_out.append(left_out)
        else:
            applicable.images.append(image)
    return applicable


def _rejection_reason(work: Work, image: Image) -> SkippedImage | None:
    name = image.original_filename
    if image.status == Image.Status.DAMAGED:
        return SkippedImage(
            image.pk, name, "damaged", "The stored file is missing or damaged. Upload it again."
        )
    if image.status != Image.Status.READY:
        return SkippedImage(image.pk, name, str(image.status), f"The image is {image.status}.")
    try:
        services.check_source(work, format=image.format, width=image.width, height=image.height)
    except ApiError as error:
        return SkippedImage(image.pk, name, str(error.code), error.detail)
    return None

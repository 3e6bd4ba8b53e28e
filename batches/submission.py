"""From a checked request for work to a job: take the files in, lock the images, store all of it at once.

Nothing stays behind when any part is refused: rows roll back with their transaction, files go with them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import ngettext

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from api.core.written_files import removed_on_error
from batches import phrases
from batches.models import Batch
from images import services as image_services
from images.models import Image
from processing import services
from processing.algorithms.errors import ProcessingError
from processing.models import Job


class _Undone(Exception):
    """Ends a dry run: everything that was tried is rolled back."""


@dataclass(frozen=True)
class Submission:
    """A request for work whose fields are all well-formed."""

    work: services.Work
    delivery: services.Delivery
    files: tuple[UploadedFile, ...] = ()
    image_ids: tuple[UUID, ...] = ()
    batch_id: UUID | None = None
    is_dry_run: bool = False


def submit(submission: Submission) -> Job:
    """Take the files in and store the job, all or nothing."""
    with _all_or_nothing():
        images = _sources(submission)
        return services.submit_work(
            submission.work, images, submission.delivery, batch_id=submission.batch_id
        )


def estimate(submission: Submission) -> dict[str, Any]:
    """What the job would cost. Files are examined like those of a real submission and then forgotten."""
    answer: dict[str, Any] = {}
    try:
        with _all_or_nothing():
            answer = services.estimate_work(submission.work, _sources(submission))
            raise _Undone
    except _Undone:
        return answer


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    with removed_on_error(), transaction.atomic():
        yield


def _sources(submission: Submission) -> list[Image]:
    """The images to work on. Files first: taking them in is slow, and nothing is locked meanwhile."""
    images = _ingested(submission)
    images = _known_images(submission.image_ids) + _batch_images(submission.batch_id) + images
    return list({image.pk: image for image in images}.values())


def _known_images(ids: Sequence[UUID]) -> list[Image]:
    """The named images, in the order of the request; locked, so that none is purged before its job exists."""
    field = "image" if len(ids) == 1 else "images"
    existing = {image.pk: image for image in _locked(pk__in=ids)}
    if missing := [pk for pk in ids if pk not in existing]:
        sentence = ngettext(
            "Image {} does not exist.", "{1} images do not exist, for example {0}.", len(missing)
        )
        detail = sentence.format(missing[0], len(missing))
        raise invalid_field(field, detail, code=ErrorCode.DOES_NOT_EXIST)
    images = [existing[pk] for pk in ids]
    _refuse_unusable(images, field)
    return images


def _batch_images(batch_id: UUID | None) -> list[Image]:
    if batch_id is None:
        return []
    if not Batch.objects.filter(pk=batch_id).exists():
        raise invalid_field("batch", phrases.no_batch(batch_id), code=ErrorCode.DOES_NOT_EXIST)
    ids = Batch.objects.filter(pk=batch_id).values("batch_images__image_id")
    usable = list(_locked(pk__in=ids, status=Image.Status.READY))
    if not usable:
        raise invalid_field("batch", f"Batch {batch_id} contains no images that can be processed.")
    return usable


def _locked(**conditions: Any) -> Iterable[Image]:
    rows = Image.objects.exclude(status=Image.Status.PURGED).filter(**conditions)
    return rows.select_for_update(no_key=True, of=("self",)).defer("exif", "exif_raw").order_by("pk")


def _refuse_unusable(images: Sequence[Image], field: str) -> None:
    for image in images:
        if image.status != Image.Status.READY:
            detail = f"Image {image.pk} is {image.status}. Only images that are ready can be processed."
            raise ApiError(ErrorCode.CONFLICT, detail, errors=[FieldError(field, ErrorCode.CONFLICT, detail)])


def _ingested(submission: Submission) -> list[Image]:
    if len(submission.files) > settings.MAX_FILES_PER_REQUEST:
        limit = settings.MAX_FILES_PER_REQUEST
        raise ApiError(
            ErrorCode.TOO_MANY_FILES, f"{len(submission.files)} files were sent. The limit is {limit}."
        )
    files = submission.files
    # In the order of their hashes: two requests with the same files, each in one transaction, cannot deadlock.
    order = sorted(range(len(files)), key=lambda index: getattr(files[index], "sha256", ""))
    taken = {index: _ingest(files[index], index, submission) for index in order}
    return [taken[index] for index in range(len(files))]


def _ingest(file: UploadedFile, index: int, submission: Submission) -> Image:
    """Take one file in; a refusal names the file, since several may have been sent."""
    delivery = submission.delivery
    try:
        taken = image_services.ingest(
            file, filename=file.name or "", uploaded_by=delivery.requested_by, source=delivery.source
        )
    except (ApiError, ProcessingError) as error:
        field = f"file[{index}]" if len(submission.files) > 1 else "file"
        detail = f"{file.name}: {error.detail}" if len(submission.files) > 1 else error.detail
        errors = [FieldError(field, error.code, error.detail)]
        if isinstance(error, ApiError):
            raise replace(error, detail=detail, errors=errors) from error
        raise ApiError(error.code, detail, errors=errors) from error
    _refuse_unusable([taken.image], "file")
    return taken.image

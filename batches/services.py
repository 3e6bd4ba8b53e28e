"""What every door calls to change batches."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from api import audit
from api.errors import ApiError, ErrorCode, FieldError, invalid_field
from api.text import has_unstorable_characters
from batches.models import Batch, BatchImage
from images.models import Image
from images.services import PRESENT
from processing.models import Job
from processing.states import JOB_TERMINAL

EDITABLE = ("batch_name", "note", "parameters")
MAX_NAME = 200


def listed(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    """With what each line of a list needs."""
    members = BatchImage.objects.filter(batch=OuterRef("pk")).order_by().values("batch")
    counted = Coalesce(Subquery(members.annotate(count=Count("pk")).values("count")), 0)
    return batches.select_related("owner").annotate(image_count=counted).order_by("-created_at", "-id")


def open_batch(key: Any, *, field: str) -> Batch:
    """The batch that a request names, which still takes images."""
    try:
        batch = Batch.objects.filter(pk=UUID(str(key))).first()
    except ValueError:
        batch = None
    if batch is None:
        raise invalid_field(field, f"there is no batch {str(key)[:50]!r}.", code=ErrorCode.DOES_NOT_EXIST)
    _check_open(batch)
    return batch


def _check_open(batch: Batch) -> None:
    if batch.status == Batch.Status.ARCHIVED:
        raise ApiError(
            ErrorCode.CONFLICT, f"The batch {batch.batch_name!r} is archived; it takes no changes."
        )


def create_batch(
    batch_name: str,
    *,
    owner: Any,
    note: str = "",
    parameters: Mapping[str, Any] | None = None,
    image_ids: Sequence[UUID] = (),
) -> Batch:
    """Make a batch, with images when some are named."""
    with transaction.atomic():
        batch = Batch.objects.create(
            batch_name=_checked_name(batch_name), owner=owner, note=note, parameters=dict(parameters or {})
        )
        audit.record("batch.create", batch, actor=owner, detail={"batch_name": batch.batch_name})
        add_images(batch, image_ids, actor=owner)
    return batch


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or has_unstorable_characters(name):
        raise invalid_field("batch_name", f"{len(name)} characters; 1 to {MAX_NAME} are allowed.")
    return name


def update_batch(batch: Batch, *, actor: Any, changes: Mapping[str, Any]) -> Batch:
    """Change a batch's name, note or parameters."""
    _check_open(batch)
    changes = {name: changes[name] for name in EDITABLE if name in changes}
    if "batch_name" in changes:
        changes["batch_name"] = _checked_name(changes["batch_name"])
    before = {name: getattr(batch, name) for name in changes}
    for name, value in changes.items():
        setattr(batch, name, value)
    with transaction.atomic():
        batch.save(update_fields=[*changes, "updated_at"])
        audit.record("batch.update", batch, actor=actor, detail={"before": before, "after": changes})
    return batch


def delete_batch(batch: Batch, *, actor: Any) -> None:
    """Delete a batch; its images stay.

    Raises:
        ApiError: 409 while a job works on it.
    """
    with transaction.atomic():
        Batch.objects.select_for_update().get(pk=batch.pk)
        if job := Job.objects.filter(batch=batch).exclude(status__in=JOB_TERMINAL).first():
            raise ApiError(ErrorCode.CONFLICT, f"The job {job.pk} works on this batch; it is {job.status}.")
        detail = {"batch_name": batch.batch_name, "images": batch.batch_images.count()}
        audit.record("batch.delete", batch, actor=actor, detail=detail)
        batch.delete()


def add_images(batch: Batch, image_ids: Sequence[UUID], *, actor: Any) -> int:
    """Put images at the end of a batch; answers how many were not in it yet.

    Raises:
        ApiError: 400 naming the images that do not exist or lie in the trash.
    """
    _check_open(batch)
    wanted = list(dict.fromkeys(image_ids))
    with transaction.atomic():
        # The images' rows first, as a purge does: an image cannot be purged while it enters a batch.
        images = Image.objects.select_for_update(no_key=True).filter(pk__in=wanted, status__in=PRESENT)
        _check_all_there(wanted, set(images.order_by("pk").values_list("pk", flat=True)))
        last = batch.batch_images.aggregate(last=Max("position"))["last"] or 0
        before = batch.batch_images.count()
        rows = [
            BatchImage(batch=batch, image_id=key, position=last + number, added_by=actor)
            for number, key in enumerate(wanted, start=1)
        ]
        BatchImage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
        added = batch.batch_images.count() - before
        if added:
            audit.record("batch.add_images", batch, actor=actor, detail={"added": added})
    return added


def _check_all_there(wanted: Sequence[UUID], found: set[UUID]) -> None:
    if missing := [key for key in wanted if key not in found]:
        errors = [
            FieldError("image_ids", ErrorCode.DOES_NOT_EXIST, f"There is no image {key}, or it is deleted.")
            for key in missing[:100]
        ]
        raise ApiError(ErrorCode.DOES_NOT_EXIST, f"image_ids: {errors[0].detail}", errors=errors)


def remove_images(batch: Batch, image_ids: Sequence[UUID], *, actor: Any) -> int:
    """Take images out of a batch; answers how many were in it."""
    _check_open(batch)
    with transaction.atomic():
        removed, _ = batch.batch_images.filter(image_id__in=image_ids).delete()
        if removed:
            audit.record("batch.remove_images", batch, actor=actor, detail={"removed": removed})
    return removed

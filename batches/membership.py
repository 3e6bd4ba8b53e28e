"""Which images are in a batch: put in, taken out, both with a way back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from api.access import audit
from api.core.errors import ApiError, ErrorCode, FieldError
from batches import phrases
from batches.history import changes, snapshots
from batches.history.changes import ExpectedVersion, Kind, Step
from batches.models import Batch, BatchImage, GroupingChange
from images.models import Image

UPLOADS_TOGETHER = 200
TOGETHER_FOR = timedelta(minutes=10)


def add_images(
    batch: Batch, image_ids: Sequence[UUID], *, actor: Any, expected_version: ExpectedVersion | None = None
) -> Step:
    """Put images at the end of a batch; the step counts those that were not in it yet.

    Raises:
        ApiError: 400 naming the images that do not exist or lie in the trash.
    """
    requested_ids = list(dict.fromkeys(image_ids))
    with transaction.atomic():
        # The images' rows first, as uploads and purges do: an image cannot be purged while it enters a batch.
        images = Image.objects.select_for_update(no_key=True).filter(
            pk__in=requested_ids, status__in=Image.PRESENT
        )
        there = set(images.order_by("pk").values_list("pk", flat=True))
        if missing := [key for key in requested_ids if key not in there]:
            details = [f"Image {key} does not exist or has been deleted." for key in missing[:100]]
            errors = [FieldError("image_ids", ErrorCode.DOES_NOT_EXIST, detail) for detail in details]
            raise ApiError(ErrorCode.DOES_NOT_EXIST, f"image_ids: {details[0]}", errors=errors)
        with changes.edit(
            batch, actor=actor, kind=Kind.ADD_IMAGES, expected_version=expected_version
        ) as edit:
            inside = set(batch.batch_images.filter(image__in=requested_ids).values_list("image", flat=True))
            new = [key for key in requested_ids if key not in inside]
            last = _last_position(batch)
            for number, key in enumerate(new, start=1):
                edit.add_image(key, position=last + number, by=actor)
            edit.summary = f"added {phrases.images(len(new))}"
        if new:
            audit.record("batch.add_images", batch, actor=actor, detail={"added": len(new)})
    return Step(change=edit.change, count=len(new))


def _last_position(batch: Batch) -> int:
    return int(batch.batch_images.aggregate(last=Max("position"))["last"] or 0)


def remove_images(
    batch: Batch, image_ids: Sequence[UUID], *, actor: Any, expected_version: ExpectedVersion | None = None
) -> Step:
    """Take images out of a batch; they stay in the library.

    Raises:
        ApiError: 400 naming an image that is not in the batch.
    """
    with changes.edit(batch, actor=actor, kind=Kind.REMOVE_IMAGES, expected_version=expected_version) as edit:
        inside = list(edit.members(list(dict.fromkeys(image_ids))))
        for key in inside:
            edit.drop_image(key)
        edit.summary = f"removed {phrases.images(len(inside))} from the batch"
        if inside:
            audit.record("batch.remove_images", batch, actor=actor, detail={"removed": len(inside)})
    return Step(change=edit.change, count=len(inside))


def add_upload(batch: Batch, image: Image, *, by: Any) -> None:
    """Put one uploaded image at the end. Uploads that follow each other are one step of the history.

    The version stays: a new image, which is in no group, takes nothing away from what a reviewer is looking at.
    """
    with transaction.atomic():
        locked = changes.lock(batch)
        changes.check_open(locked)
        if locked.batch_images.filter(image=image).exists():
            return
        row = BatchImage(
            batch=locked,
            image=image,
            position=_last_position(locked) + 1,
            added_by=by,
            added_at=timezone.now(),
        )
        row.save(force_insert=True)
        key, values = str(row.image_id), snapshots.values_of("images", row)
        last = locked.changes.order_by("-sequence").first()
        if last is None or not _is_same_upload(last, by):
            changes.record(
                locked,
                kind=Kind.UPLOAD,
                summary=f"uploaded {phrases.images(1)}",
                actor=by,
                bumps_version=False,
                forward={"images": {key: values}},
                inverse={"images": {key: None}},
            )
            return
        last.forward["images"][key], last.inverse["images"][key] = values, None
        last.image_count += 1
        last.summary = f"uploaded {phrases.images(last.image_count)}"
        last.save(update_fields=["forward", "inverse", "image_count", "summary"])


def _is_same_upload(change: GroupingChange, by: Any) -> bool:
    return (
        change.kind == Kind.UPLOAD
        and change.actor_id == (by.pk if by is not None else None)
        and not change.is_undone
        and change.image_count < UPLOADS_TOGETHER
        and timezone.now() - change.created_at < TOGETHER_FOR
    )

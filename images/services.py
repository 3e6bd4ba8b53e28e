"""What every interface calls to change images: take in, edit, trash, restore, purge, look up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from api.access import audit
from api.core import phrases as api_phrases
from api.core.errors import ApiError, ErrorCode, invalid_field
from images import phrases
from images.ingest.receive import MAX_TAGS, UploadMetadata, check_facts, cleaned_tags
from images.ingest.service import Ingested, ingest, submit_thumbnails
from images.models import DuplicatePair, Image, QualityScore
from images.quality import service as quality
from images.renditions import thumbnail
from processing import files
from processing.models import Artifact, Operation
from processing.states import BACKGROUND_KINDS, OPERATION_OPEN
from processing.storage import artifacts

__all__ = [
    "Ingested",
    "in_use",
    "ingest",
    "library",
    "purge",
    "restore",
    "restore_many",
    "submit_thumbnails",
    "thumbnail",
    "trash",
    "trash_many",
    "update",
]
EDITABLE = ("title", "note", "tags", "kind", "pinned", "reference", "metadata")
MAX_NOTE = 10_000
MAX_BULK = 10_000


def library(*, is_trash: bool = False) -> QuerySet[Image]:
    """The images of the library (or of its trash), newest first, ready to be listed."""
    statuses = (Image.Status.TRASHED,) if is_trash else Image.PRESENT
    return listed(Image.objects.filter(status__in=statuses))


def listed(images: QuerySet[Image]) -> QuerySet[Image]:
    """Without what no list shows, and with what each line needs."""
    return images.select_related("uploaded_by").defer("exif_raw")


def with_scores(images: QuerySet[Image]) -> QuerySet[Image]:
    """With the scores that an image's JSON shows, in one more query for all of them."""
    return images.prefetch_related(scores("quality_scores"))


def scores(lookup: str) -> Prefetch:
    """What `with_scores` prefetches, for queries that reach images by another way."""
    shown = QualityScore.objects.filter(metric__in=settings.QUALITY_METRICS).only("image", "metric", "value")
    return Prefetch(lookup, shown, to_attr="shown_scores")


def update(image: Image, *, actor: Any, changes: Mapping[str, Any]) -> Image:
    """Change what people say about an image.

    Raises:
        ApiError: 400 naming the field, 410 after a purge.
    """
    changes = {name: changes[name] for name in EDITABLE if name in changes}
    if "tags" in changes:
        changes["tags"] = list(cleaned_tags(changes["tags"]))
    if image.status == Image.Status.PURGED:
        raise ApiError(ErrorCode.GONE, "The image was purged and can no longer be changed.")
    if len(changes.get("note", "")) > MAX_NOTE:
        detail = api_phrases.too_long(len(changes["note"]), MAX_NOTE)
        raise invalid_field("note", detail, code=ErrorCode.TOO_LONG)
    facts = {name: changes[name] for name in ("reference", "metadata", "kind", "title") if name in changes}
    check_facts(UploadMetadata("", "", tags=tuple(changes.get("tags", ())), **facts))
    before = {name: getattr(image, name) for name in changes}
    for name, value in changes.items():
        setattr(image, name, value)
    with transaction.atomic():
        image.save(update_fields=[*changes, "updated_at"])
        audit.record("image.update", image, actor=actor, detail={"before": before, "after": changes})
        if before.get("kind") not in (None, image.kind):
            quality.kind_changed(image)
    return image


def trash(image: Image, *, actor: Any) -> bool:
    """Put an image into the trash; False when it is there already (or purged)."""
    return bool(trash_many([image.pk], actor=actor))


def trash_many(keys: Sequence[UUID], *, actor: Any) -> list[UUID]:
    """Put images into the trash; answers those that were not there yet."""
    with transaction.atomic():
        images = _locked(keys, Image.PRESENT)
        now = timezone.now()
        Image.objects.filter(pk__in=[image.pk for image in images]).update(
            status=Image.Status.TRASHED, deleted_at=now, updated_at=now
        )
        audit.record_many("image.trash", images, actor=actor)
    return [image.pk for image in images]


def restore(image: Image, *, actor: Any) -> bool:
    """Take an image out of the trash; False when it is not in there."""
    return bool(restore_many([image.pk], actor=actor))


def restore_many(keys: Sequence[UUID], *, actor: Any) -> list[UUID]:
    """Take images out of the trash; answers those that were in there."""
    with transaction.atomic():
        images = _locked(keys, (Image.Status.TRASHED,))
        for image in images:
            is_there = files.has_size(image.file, image.byte_size)
            image.status = Image.Status.READY if is_there else Image.Status.DAMAGED
            image.deleted_at, image.updated_at = None, timezone.now()
        Image.objects.bulk_update(images, ["status", "deleted_at", "updated_at"], batch_size=500)
        audit.record_many("image.restore", images, actor=actor)
    return [image.pk for image in images]


def _locked(keys: Sequence[UUID], statuses: Sequence[str]) -> list[Image]:
    """Always in one order, so that two such actions never wait for each other in a circle.

    Nor do they wait for new rows that refer to these images, in whatever order: the images' keys stay as they are.
    """
    images = Image.objects.select_for_update(no_key=True).defer(
        *("exif", "exif_raw", "gps", "metadata", "issues", "captured_at")  # unreadable ones are no obstacle
    )
    return list(images.filter(pk__in=keys, status__in=statuses).order_by("pk"))


def in_use(image: Image) -> str:
    """Why an image must not be purged now; empty when it may be."""
    open_operations = Operation.objects.filter(image=image, status__in=OPERATION_OPEN).exclude(
        job__kind__in=BACKGROUND_KINDS
    )
    if operation := open_operations.select_related("job").first():
        return f"It is used by job {operation.job_id}, which is {operation.job.status}."
    if member := image.batch_images.select_related("batch").first():
        return f"It belongs to the batch “{member.batch.batch_name}” ({member.batch_id})."
    return ""


def purge(image: Image, *, actor: Any, why: str = "purged on request") -> bool:
    """Remove an image's files for good: the original, thumbnails, results. Its row stays as a tombstone.

    Returns:
        False when it was purged already.

    Raises:
        ApiError: 409 `image_in_use` with the reason.
    """
    with transaction.atomic():
        # A job that is being submitted holds the row through its foreign key: whoever comes second sees the other.
        locked = Image.objects.select_for_update().get(pk=image.pk)
        if locked.status == Image.Status.PURGED:
            return False
        if reason := in_use(locked):
            raise ApiError(ErrorCode.IMAGE_IN_USE, f"The image cannot be purged. {reason}")
        thumbnails = locked.renditions.all()
        files.delete_after_commit([locked.file, *thumbnails.values_list("file", flat=True)])
        thumbnails.delete()
        artifacts.remove(list(Artifact.objects.select_for_update().filter(image=locked)), why=why)
        _make_tombstone(locked)
        audit.record("image.purge", locked, actor=actor, detail={"sha256": locked.sha256, "why": why})
    return True


def _make_tombstone(image: Image) -> None:
    """What was here, who sent it and when; nothing that the image or people said."""
    image.status, image.deleted_at = Image.Status.PURGED, image.deleted_at or timezone.now()
    image.file, image.title, image.note, image.tags = "", "", "", []
    image.exif, image.exif_raw, image.gps, image.metadata = {}, {}, None, {}
    image.phash, image.pixel_sha256 = None, ""
    image.quality_grade, image.issues, image.quality_profile = None, [], ""
    image.save()
    image.embeddings.all().delete()
    image.quality_scores.all().delete()
    DuplicatePair.objects.filter(Q(a=image) | Q(b=image)).delete()


@dataclass(frozen=True)
class BulkAction:
    """What is to be done with each image."""

    name: str
    tags: Sequence[str] = ()
    remove_tags: Sequence[str] = field(default_factory=tuple)


def check_bulk_size(count: int) -> int:
    """Refuse a selection that is too large for one request."""
    if count > MAX_BULK:
        raise ApiError(ErrorCode.INVALID, phrases.too_many_at_once(count, MAX_BULK))
    return count


def would_change(images: Iterable[Image], action: BulkAction) -> list[UUID]:
    """The images that the action would change, without changing them."""
    return [image.pk for image in images if _fits(image, action)]


def _fits(image: Image, action: BulkAction) -> bool:
    if action.name == "restore":
        return image.status == Image.Status.TRASHED
    if action.name == "tag":
        return image.status != Image.Status.PURGED and _tags_after(image, action) != image.tags
    return image.status in Image.PRESENT


def apply_action(images: Sequence[Image], action: BulkAction, *, actor: Any) -> list[UUID]:
    """Do it; answers the images that were changed."""
    keys = [image.pk for image in images]
    if action.name == "delete":
        return trash_many(keys, actor=actor)
    if action.name == "restore":
        return restore_many(keys, actor=actor)
    with transaction.atomic():
        locked = Image.objects.select_for_update().filter(pk__in=keys).order_by("pk")
        changed = [image for image in locked if _fits(image, action)]
        for image in changed:
            image.tags = _tags_after(image, action)
        Image.objects.bulk_update(changed, ["tags"], batch_size=500)
        detail = {"added": list(action.tags), "removed": list(action.remove_tags)}
        audit.record_many("image.tag", changed, actor=actor, detail=detail)
    return [image.pk for image in changed]


def _tags_after(image: Image, action: BulkAction) -> list[str]:
    removed = set(cleaned_tags(action.remove_tags))
    tags = [tag for tag in cleaned_tags([*image.tags, *action.tags]) if tag not in removed]
    if len(tags) > MAX_TAGS:
        raise ApiError(ErrorCode.TOO_LONG, phrases.too_many_tags(image.pk, len(tags), MAX_TAGS))
    return tags

"""The classes of files that images own: originals, the trash, thumbnails."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from images import damage, services
from images.models import Image, Rendition
from processing import files
from processing.models import Operation
from processing.states import BACKGROUND_KINDS, OPERATION_OPEN
from processing.storage.file_classes import FileClass, Removed, StoredFile

WITH_FILE = (*Image.PRESENT, Image.Status.TRASHED)


def old_originals(moment: datetime) -> QuerySet[Image]:
    return Image.objects.filter(status__in=Image.PRESENT, created_at__lt=moment)


def old_trash(moment: datetime) -> QuerySet[Image]:
    return Image.objects.filter(status=Image.Status.TRASHED, deleted_at__lt=moment)


def old_thumbnails(moment: datetime) -> QuerySet[Rendition]:
    return Rendition.objects.filter(created_at__lt=moment)


def _reasons(image: str, prefix: str) -> dict[str, Q]:
    """Why something of an image stays; `image` is the column with its id, `prefix` leads to its fields."""
    live = Operation.objects.filter(image=OuterRef(image), status__in=OPERATION_OPEN).exclude(
        job__kind__in=BACKGROUND_KINDS
    )
    in_batch = Image.objects.filter(pk=OuterRef(image), batch_images__isnull=False)
    return {
        "input of an unfinished job": Q(Exists(live)),
        "pinned": Q(**{f"{prefix}pinned": True}),
        "in a batch": Q(Exists(in_batch)),
    }


def keep_images() -> Mapping[str, Q]:
    return _reasons("pk", "")


def keep_thumbnails() -> Mapping[str, Q]:
    return _reasons("image_id", "image__")


def remove_images(images: Sequence[Image]) -> Removed:
    """Purge: the tombstone stays, the original, its thumbnails and results go."""
    gone = [image for image in images if services.purge(image, actor=None, why="retention")]
    return Removed(len(gone), sum(image.byte_size for image in gone))


def remove_thumbnails(thumbnails: Sequence[Rendition]) -> Removed:
    """They are made again when somebody looks."""
    files.delete_after_commit([thumbnail.file for thumbnail in thumbnails])
    Rendition.objects.filter(pk__in=[thumbnail.pk for thumbnail in thumbnails]).delete()
    return Removed(len(thumbnails), sum(thumbnail.byte_size for thumbnail in thumbnails))


def originals() -> Iterator[StoredFile]:
    rows = Image.objects.filter(status__in=WITH_FILE).only(
        "file", "byte_size", "sha256", "status", "original_filename"
    )
    for image in rows.order_by("pk").iterator(chunk_size=1000):
        label = f"image {image.pk} ({image.original_filename})"
        is_damaged = image.status == Image.Status.DAMAGED
        yield StoredFile(image.file, image, label, image.byte_size, image.sha256, is_damaged)


def thumbnails() -> Iterator[StoredFile]:
    for row in Rendition.objects.order_by("pk").iterator(chunk_size=1000):
        label = f"{row.size} px {row.format} thumbnail of image {row.image_id}"
        yield StoredFile(row.file, row, label, row.byte_size, row.sha256)


def known_originals(keys: Sequence[str]) -> set[str]:
    return set(Image.objects.filter(file__in=keys).values_list("file", flat=True))


def known_thumbnails(keys: Sequence[str]) -> set[str]:
    return set(Rendition.objects.filter(file__in=keys).values_list("file", flat=True))


def mark_damaged(file: StoredFile, problem: str) -> str:
    """An original cannot be made again: say so on its page until somebody uploads the same bytes."""
    image: Image = file.owner
    damage.mark(image, file=file.key, reason=problem)
    if image.status == Image.Status.TRASHED:
        return "in the trash; left there"
    return "image marked as damaged; upload the same file again to repair it"


def mark_ready(file: StoredFile) -> str:
    """The file is back, perhaps from a copy."""
    damaged = Image.objects.filter(pk=file.owner.pk, file=file.key, status=Image.Status.DAMAGED)
    damaged.update(status=Image.Status.READY)
    return "image is available again"


def remake(file: StoredFile, problem: str) -> str:
    """Forget the thumbnail and have the image's usual ones made again."""
    row: Rendition = file.owner
    if not Rendition.objects.filter(pk=row.pk, file=file.key).delete()[0]:
        return "replaced in the meantime"
    files.delete([file.key])
    if row.image.status == Image.Status.READY:
        services.submit_thumbnails([row.image], source="command")
        return "thumbnails are being regenerated"
    return "removed; its image is not ready"


CLASSES = (
    FileClass(
        name="raw",
        title="original images",
        model=Image,
        older_than=old_originals,
        keep=keep_images,
        remove=remove_images,
        prefix=settings.UPLOAD_DIR,
        files=originals,
        known=known_originals,
        mend=mark_damaged,
        recover=mark_ready,
    ),
    FileClass(
        name="trash",
        title="images in the trash",
        model=Image,
        older_than=old_trash,
        keep=keep_images,
        remove=remove_images,
        selectable=False,
    ),
    FileClass(
        name="thumbnails",
        title="thumbnails",
        model=Rendition,
        older_than=old_thumbnails,
        keep=keep_thumbnails,
        remove=remove_thumbnails,
        prefix=settings.THUMBNAIL_DIR,
        files=thumbnails,
        known=known_thumbnails,
        can_be_made_again=True,
        mend=remake,
    ),
)

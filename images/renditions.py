"""Thumbnails: made in the background for every image, and on the first request where one is missing."""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from api.core.disk import scratch_root
from api.core.errors import ApiError, ErrorCode, invalid_choice
from api.core.written_files import removed_on_error
from images import damage, phrases
from images.models import Image, Rendition
from processing import files
from processing.engine.subprocesses import run_isolated
from processing.handlers import input_limits
from processing.phrases import NO_ORIGINAL
from processing.tasks import operations as compute

FORMATS = ("webp", "jpg", "png")
BACKGROUND_FORMATS = ("webp", "jpg")
SIZES = (64, 128, 256, 512, 1024)

Spec = tuple[int, str]


def sizes() -> list[int]:
    """The sizes that may be asked for."""
    return sorted({*SIZES, *settings.DEFAULT_THUMBNAIL_SIZES})


def background_specs() -> list[Spec]:
    """What is made of every image without being asked for."""
    return [(size, form) for size in settings.DEFAULT_THUMBNAIL_SIZES for form in BACKGROUND_FORMATS]


def thumbnail(image: Image, *, size: int, format: str = "webp") -> Rendition:
    """The thumbnail of this size; made now, once, where it or its file is missing.

    Without its original an image is marked as damaged and shown by the nearest thumbnail that is there.

    Raises:
        ApiError: 400 for another size or format, 404 `file_missing`, 410 after a purge.
    """
    if size not in sizes():
        raise invalid_choice("size", size, sizes())
    if format not in FORMATS:
        raise invalid_choice("format", format, ("auto", *FORMATS))
    if image.status == Image.Status.PURGED:
        raise ApiError(ErrorCode.GONE, phrases.PURGED)
    if existing := _intact(image, size, format):
        return existing
    if files.has_size(image.file, image.byte_size):
        return _make_alone(image, size, format)
    damage.note(image)
    # In the same format before another, larger before smaller, then the closest size.
    others = sorted(
        image.renditions.all(),
        key=lambda row: (row.format != format, row.size < size, abs(row.size - size), row.format),
    )
    for other in others:
        if files.has_size(other.file, other.byte_size):
            return other
    raise ApiError(ErrorCode.FILE_MISSING, NO_ORIGINAL)


def _intact(image: Image, size: int, format: str) -> Rendition | None:
    rendition = image.renditions.filter(size=size, format=format).first()
    return rendition if rendition and files.has_size(rendition.file, rendition.byte_size) else None


def _make_alone(image: Image, size: int, format: str) -> Rendition:
    """Of many requests for one missing thumbnail the first makes it, the others wait and find it."""
    number = hashlib.sha256(f"thumbnail {image.pk} {size} {format}".encode()).digest()[:8]
    with removed_on_error(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(number, "big", signed=True)])
        if existing := _intact(image, size, format):
            return existing
        if not files.has_size(image.file, image.byte_size):
            raise ApiError(ErrorCode.FILE_MISSING, NO_ORIGINAL)
        with (
            files.local_copy(image.file) as path,
            tempfile.TemporaryDirectory(dir=scratch_root()) as folder,
        ):
            outputs = run_isolated(
                compute.make_thumbnails,
                path,
                [(size, format)],
                folder,
                input_limits(),
                timeout_s=settings.DECODE_TIMEOUT_SECONDS,
                memory_bytes=settings.DECODE_MEMORY_BYTES,
            )
            (spec,) = specs_of(outputs, [(size, format)])
            return save(image, *spec, key=store(outputs[0].path, format=format))


def store(path: str | Path, *, format: str) -> str:
    """Move a thumbnail into storage; answers its key."""
    return files.store(path, prefix=settings.THUMBNAIL_DIR, extension=format, survives_power_cut=False)


def specs_of(outputs: Iterable[compute.Output], specs: Iterable[Spec]) -> list[tuple[Spec, compute.Output]]:
    """Each output with the size and format that it was asked for."""
    return list(zip(specs, outputs, strict=True))


def save(image: Image, spec: Spec, output: compute.Output, *, key: str) -> Rendition:
    """The row of a stored thumbnail; a file that it replaces goes after commit."""
    size, format = spec
    old = Rendition.objects.select_for_update().filter(image=image, size=size, format=format).first()
    if old is not None:
        files.delete_after_commit([old.file])
    rendition, _ = Rendition.objects.update_or_create(
        image=image,
        size=size,
        format=format,
        defaults={
            "file": key,
            "width": output.width,
            "height": output.height,
            "byte_size": output.byte_size,
            "sha256": output.sha256,
        },
    )
    return rendition

"""An image comes in: received, hashed, proven whole, stored once."""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from api.access import audit
from api.core.disk import scratch_root
from api.core.errors import ApiError, ErrorCode
from api.core.written_files import removed_on_error
from images import renditions
from images.ingest import measure_on_upload
from images.ingest.filenames import safe_filename
from images.ingest.receive import Upload, UploadMetadata, check_facts, check_size, cleaned_tags, receive
from images.models import Image
from pixproject.web.base import request_id
from processing import files
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.engine.subprocesses import run_isolated
from processing.handlers import input_limits
from processing.models import Job
from processing.tasks import operations as compute

JOB_KIND = "ingest"
BYTES_ONCE = "image_bytes_once"


@dataclass(frozen=True)
class Ingested:
    """The image of a received file; `is_duplicate` when its bytes were known already."""

    image: Image
    is_duplicate: bool


def ingest(
    file: File | Path | str,
    *,
    filename: str,
    uploaded_by: Any,
    source: str,
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    kind: str = Image.Kind.PHOTO,
    tags: Iterable[str] = (),
    title: str = "",
    after: Callable[[Image], object] | None = None,
) -> Ingested:
    """Take a file in. Bytes that are known give the known image, whose own data stay as they are.

    The image is decoded once, in a subprocess, before this returns: what cannot be decoded leaves nothing behind.

    Args:
        after: called with the stored or known image within the same transaction.

    Raises:
        ApiError, ProcessingError: the file or a field is refused; 507 when the disk is nearly full.
    """
    facts = UploadMetadata(
        filename, source, uploaded_by, reference, metadata or {}, kind, cleaned_tags(tags), title, after
    )
    check_facts(facts)
    with receive(file) as upload:
        check_size(upload, name=filename)
        return _use_known(upload, facts) or _add(upload, facts)


def examine(file: File | Path | str, *, filename: str) -> tuple[str, bool]:
    """The SHA-256 of a file and whether it is known; checks it as `ingest` does and stores nothing.

    Raises:
        ApiError, ProcessingError: the file would be refused.
    """
    with receive(file) as upload:
        check_size(upload, name=filename)
        existing = Image.objects.filter(sha256=upload.sha256).exclude(status=Image.Status.PURGED)
        if existing.exists():
            return upload.sha256, True
        with tempfile.TemporaryDirectory(dir=scratch_root(), prefix="inspect-") as folder:
            _inspect(upload, folder)
        return upload.sha256, False


def _add(upload: Upload, facts: UploadMetadata) -> Ingested:
    with tempfile.TemporaryDirectory(dir=scratch_root(), prefix="inspect-") as folder:
        inspection = _inspect(upload, folder)
        try:
            with removed_on_error(), transaction.atomic():
                return Ingested(_create(upload, inspection, facts), is_duplicate=False)
        except IntegrityError as error:
            if not _is_same_bytes(error):
                raise
    existing = _use_known(upload, facts)  # another request with the same bytes was faster
    if existing is None:
        raise ApiError(
            ErrorCode.CONFLICT, "The same file was uploaded and purged at the same time; upload it again."
        )
    return existing


def _inspect(upload: Upload, folder: str) -> compute.Inspection:
    inspection: compute.Inspection = run_isolated(
        compute.inspect,
        str(upload.path),
        input_limits(),
        tuple(settings.DEFAULT_THUMBNAIL_SIZES[:1]),
        folder,
        timeout_s=settings.DECODE_TIMEOUT_SECONDS,
        memory_bytes=settings.DECODE_MEMORY_BYTES,
        is_patient=True,
    )
    return inspection


def _is_same_bytes(error: IntegrityError) -> bool:
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", "") == BYTES_ONCE


def _create(upload: Upload, inspection: compute.Inspection, facts: UploadMetadata) -> Image:
    """The row first: of several equal uploads one gets past the constraint, and only that one moves its file."""
    image = Image.objects.create(
        sha256=upload.sha256, **_given_values(facts, inspection), **measured(inspection)
    )
    image.file = _store(upload, image)
    image.save(update_fields=["file"])
    _first_thumbnails(image, inspection)
    if facts.after is not None:
        facts.after(image)
    audit.record("image.upload", image, actor=facts.uploaded_by, detail={"filename": image.original_filename})
    made = set(image.renditions.values_list("size", "format"))
    missing = [spec for spec in renditions.background_specs() if spec not in made]
    if missing:
        submit_thumbnails([image], specs=missing, requested_by=facts.uploaded_by, source=facts.source)
    measure_on_upload.measure(image, requested_by=facts.uploaded_by, source=facts.source)
    return image


def _given_values(facts: UploadMetadata, inspection: compute.Inspection) -> dict[str, Any]:
    return {
        "original_filename": safe_filename(facts.filename, format=inspection.info.format),
        "reference": facts.reference,
        "metadata": dict(facts.metadata),
        "kind": facts.kind,
        "tags": list(facts.tags),
        "title": facts.title,
        "source": facts.source,
        "uploaded_by": facts.uploaded_by,
    }


def measured(inspection: compute.Inspection) -> dict[str, Any]:
    """The fields of an image that come from its file."""
    info, metadata = inspection.info, inspection.metadata
    width, height = info.upright_size
    dpi_x, dpi_y = info.upright_dpi or (None, None)
    return {
        "format": info.format,
        "byte_size": info.byte_size,
        "width": width,
        "height": height,
        "mode": info.mode,
        "frame_count": info.frame_count,
        "orientation": info.orientation,
        "dpi_x": dpi_x,
        "dpi_y": dpi_y,
        "phash": inspection.phash,
        "pixel_sha256": inspection.pixel_sha256,
        "captured_at": _moment(metadata.exif.get("captured_at")),
        "exif": metadata.exif,
        "exif_raw": metadata.raw,
        "gps": metadata.gps,
    }


def _moment(text: str | None) -> datetime | None:
    """A camera's time in UTC; one without an offset counts as UTC. What a row could not give back is left out."""
    try:
        moment = parse_datetime(text) if text else None
        if moment is None:
            return None
        return (timezone.make_aware(moment) if timezone.is_naive(moment) else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _store(upload: Upload, image: Image) -> str:
    return files.store(upload.path, prefix=settings.UPLOAD_DIR, extension=image.format, stem=image.sha256)


def _first_thumbnails(image: Image, inspection: compute.Inspection) -> None:
    for size, output in zip(settings.DEFAULT_THUMBNAIL_SIZES, inspection.thumbnails, strict=False):
        key = renditions.store(output.path, format=output.format)
        renditions.save(image, (size, output.format), output, key=key)


def submit_thumbnails(
    images: Iterable[Image],
    *,
    specs: Sequence[renditions.Spec] = (),
    requested_by: Any = None,
    source: str = "api",
) -> Job:
    """Have thumbnails made in the background: the usual ones unless others are named."""
    rows = list(images)
    parameters = {"specs": [list(spec) for spec in specs or renditions.background_specs()]}
    return jobs.submit_job(
        kind=JOB_KIND,
        operations=[NewOperation("thumbnails", parameters, image_id=image.pk) for image in rows],
        image_id=rows[0].pk if len(rows) == 1 else None,
        requested_by=requested_by,
        source=source,
        request_id=request_id.current(),
    )


# --- bytes that are known -----------------------------------------------------------------------------


def _use_known(upload: Upload, facts: UploadMetadata) -> Ingested | None:
    """The image with these bytes, out of the trash and with its file mended where needed."""
    with removed_on_error(), transaction.atomic():
        images = Image.objects.select_for_update().filter(sha256=upload.sha256)
        image = images.exclude(status=Image.Status.PURGED).first()
        if image is None:
            return None
        changed = _mend(image, upload) + _bring_back(image, by=facts.uploaded_by)
        if changed:
            image.save(update_fields=[*changed, "updated_at"])
        if facts.after is not None:
            facts.after(image)
        return Ingested(image, is_duplicate=True)


def mend_original(file: File, by: Any) -> None:
    """Store the original of a known image again if it is missing or damaged; what is in the trash stays there."""
    with receive(file) as upload, removed_on_error(), transaction.atomic():
        images = Image.objects.select_for_update().filter(sha256=upload.sha256)
        image = images.exclude(status=Image.Status.PURGED).first()
        if image is None:
            return
        changed = _mend(image, upload)
        if image.status == Image.Status.DAMAGED:
            changed += _bring_back(image, by=by)
        if changed:
            image.save(update_fields=[*changed, "updated_at"])


def _mend(image: Image, upload: Upload) -> list[str]:
    """Store the file again when ours is missing or damaged: the bytes sent are the right ones."""
    if is_intact(image):
        return []
    files.delete_after_commit([image.file])
    image.file = _store(upload, image)
    return ["file"]


def _bring_back(image: Image, *, by: Any) -> list[str]:
    if image.status == Image.Status.READY:
        return []
    audit.record("image.restore", image, actor=by, detail={"from": image.status, "by": "upload"})
    image.status, image.deleted_at = Image.Status.READY, None
    return ["status", "deleted_at"]


def is_intact(image: Image) -> bool:
    """Whether the original's file is as it was stored. Of remote storage only the size is asked."""
    if not files.has_size(image.file, image.byte_size):
        return False
    return not files.is_local() or _sha256(image.file) == image.sha256


def _sha256(key: str) -> str:
    with default_storage.open(key, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()

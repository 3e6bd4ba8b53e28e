"""An original whose file is gone or cut: noticed when it is read, marked once, reported plainly."""

from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from api.access import audit
from images.models import Image
from processing import files

MISSING, CHANGED = "missing", "changed"


def problem(image: Image) -> str:
    """`missing`, `changed` (another size than was stored) or nothing.

    Storage that cannot be asked is no reason to call an image damaged: an outage would mark them all.
    """
    if files.has_size(image.file, image.byte_size):
        return ""
    try:
        if default_storage.exists(image.file):
            return CHANGED if default_storage.size(image.file) != image.byte_size else ""
    except Exception:  # each storage has its own word for "no answer"
        return ""
    # A folder that is not mounted is empty: then not even the folder of all originals is there.
    is_storage_there = not files.is_local() or Path(default_storage.path(settings.UPLOAD_DIR)).is_dir()
    return MISSING if is_storage_there else ""


def note(image: Image) -> str:
    """The problem of an image's original; an image that was ready is marked as damaged by whoever sees it first."""
    reason = problem(image)
    if reason and image.status == Image.Status.READY:
        mark(image, file=image.file, reason=reason)
    return reason


def mark(image: Image, *, file: str, reason: str) -> bool:
    """Mark an image that is ready as damaged; False when somebody else did, or mended it meanwhile."""
    with transaction.atomic():
        # The key: an upload of the same bytes may have mended the image since this row was read.
        ready = Image.objects.filter(pk=image.pk, file=file, status=Image.Status.READY)
        won = ready.update(status=Image.Status.DAMAGED, updated_at=timezone.now())
        if won:
            audit.record("image.damaged", image, detail={"file": file, "found": reason})
            image.status = Image.Status.DAMAGED
    return bool(won)

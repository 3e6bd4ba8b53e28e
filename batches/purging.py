"""Deleted batches do not stay for ever: after TRASH_DAYS they are removed for good, as images in the trash are."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from batches.services import purge_deleted

INTERVAL_S = 3600


def purge_old() -> int:
    """Remove batches that were deleted TRASH_DAYS ago (0: never); answers how many."""
    if settings.TRASH_DAYS <= 0:
        return 0
    return purge_deleted(older_than=timezone.now() - timedelta(days=settings.TRASH_DAYS))

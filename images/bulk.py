"""One action on many images at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from api.access import audit
from api.core.errors import ApiError, ErrorCode
from images import phrases
from images.ingest.receive import MAX_TAGS, cleaned_tags
from images.models import Image
from images.services import restore_many, trash_many

MAX_IMAGES = 10_000


@dataclass(frozen=True)
class Action:
    """What is to be done with each image."""

    name: str
    tags: Sequence[str] = ()
    remove_tags: Sequence[str] = field(default_factory=tuple)


def checked_size(count: int) -> int:
    """Refuse a selection that is too large for one request."""
    if count > MAX_IMAGES:
        raise ApiError(ErrorCode.INVALID, phrases.too_many_at_once(count, MAX_IMAGES))
    return count


def would_change(images: Iterable[Image], action: Action) -> list[UUID]:
    """The images that the action would change, without changing them."""
    return [image.pk for image in images if _fits(image, action)]


def _fits(image: Image, action: Action) -> bool:
    if action.name == "restore":
        return image.status == Image.Status.TRASHED
    if action.name == "tag":
        return image.status != Image.Status.PURGED and _tags_after(image, action) != image.tags
    return image.status in Image.PRESENT


def apply(images: Sequence[Image], action: Action, *, actor: Any) -> list[UUID]:
    """Do it; answers the images that were changed."""
    keys = [image.pk for image in images]
    if action.name == "delete":
        return trash_many(keys, actor=actor)
    if action.name == "restore":
        return restore_many(keys, actor=actor)
    return _tag(keys, action, actor=actor)


def _tag(keys: Sequence[UUID], action: Action, *, actor: Any) -> list[UUID]:
    with transaction.atomic():
        locked = Image.objects.select_for_update().filter(pk__in=keys).order_by("pk")
        changed = [image for image in locked if _fits(image, action)]
        for image in changed:
            image.tags = _tags_after(image, action)
        Image.objects.bulk_update(changed, ["tags"], batch_size=500)
        detail = {"added": list(action.tags), "removed": list(action.remove_tags)}
        audit.record_many("image.tag", changed, actor=actor, detail=detail)
    return [image.pk for image in changed]


def _tags_after(image: Image, action: Action) -> list[str]:
    removed = set(cleaned_tags(action.remove_tags))
    tags = [tag for tag in cleaned_tags([*image.tags, *action.tags]) if tag not in removed]
    if len(tags) > MAX_TAGS:
        raise ApiError(ErrorCode.TOO_LONG, phrases.too_many_tags(image.pk, len(tags), MAX_TAGS))
    return tags

"""The library as people browse it: filters of the API, pages by position instead of by number."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from api.core.errors import ApiError
from images.api.filters import ImageFilter
from images.models import Image
from images.readable import readable
from images.services import library, listed
from processing.algorithms.quality.causes import CAUSES

PAGE_SIZE = 48
CURSOR_TIME = "%Y%m%dT%H%M%S.%f"
FIELDS = ("search", "format", "kind", "status", "tag", "uploaded_by", "issue", "min_quality")
ISSUES = [("any", "Any problem"), *((cause.code, cause.fault.capitalize()) for cause in CAUSES.values())]
STATUSES = (Image.Status.READY, Image.Status.DAMAGED)


@dataclass(frozen=True)
class LibraryPage:
    """A screenful of images and where the next one begins."""

    images: list[Image]
    next_cursor: str
    errors: list[str]


def filters_of(data: QueryDict, *, is_trash: bool) -> tuple[dict[str, str], list[str]]:
    """The API's filters as the page's form names them, and sentences about wrong values."""
    filters = {name: text for name in FIELDS if (text := data.get(name, "").strip())}
    filters["deleted"] = "true" if is_trash else "false"
    errors = []
    for name, target, shift in (("from", "created_after", 0), ("to", "created_before", 1)):
        text = data.get(name, "").strip()
        if text:
            try:
                day = date.fromisoformat(text) + timedelta(days=shift)
            except (ValueError, OverflowError):
                errors.append(f"“{text[:20]}” is not a valid date. Enter a date such as 2025-12-31.")
                continue
            filters[target] = datetime(
                day.year, day.month, day.day, tzinfo=timezone.get_current_timezone()
            ).isoformat()
    return filters, errors


def is_filtered(data: Mapping[str, Any]) -> bool:
    return any(data.get(name) for name in (*FIELDS, "from", "to"))


def matching(
    request: HttpRequest, *, is_trash: bool, data: QueryDict | None = None
) -> tuple[QuerySet[Image], list[str]]:
    """What the filters of the address, or those of `data`, find; with a wrong one nothing, and a sentence about it."""
    filters, errors = filters_of(request.GET if data is None else data, is_trash=is_trash)
    filters.pop("status" if is_trash else "", None)
    image_filter = ImageFilter(filters, queryset=listed(Image.objects.all()), request=request)
    try:
        if image_filter.is_valid() and not errors:
            return image_filter.qs, []
    except ApiError as error:
        return Image.objects.none(), [str(error.detail)]
    errors += [f"{name}: {text}" for name, texts in image_filter.form.errors.items() for text in texts]
    return Image.objects.none(), errors


def page(request: HttpRequest, *, is_trash: bool) -> LibraryPage:
    images, errors = matching(request, is_trash=is_trash)
    moment, _, key = request.GET.get("after", "").partition("_")
    try:
        at, pk = datetime.strptime(moment, CURSOR_TIME).replace(tzinfo=UTC), uuid.UUID(key)
    except ValueError:  # none, or not one of ours: the first page
        pass
    else:
        images = images.filter(Q(created_at__lt=at) | Q(created_at=at, pk__lt=pk))
    # The newest first, the id deciding between equals: a page that is added to never repeats or skips a row.
    rows = readable(
        images.order_by("-created_at", "-id").defer("exif", "exif_raw", "gps", "metadata")[: PAGE_SIZE + 1]
    )
    next_cursor = ""
    if len(rows) > PAGE_SIZE:
        last = rows[PAGE_SIZE - 1]
        next_cursor = f"{last.created_at.astimezone(UTC).strftime(CURSOR_TIME)}_{last.pk.hex}"
    return LibraryPage(rows[:PAGE_SIZE], next_cursor, errors)


def formats_present() -> list[str]:
    """The formats that the library holds, for the filter."""
    return list(library().order_by("format").values_list("format", flat=True).distinct())


def selected(ids: list[uuid.UUID]) -> list[Image]:
    """The images that a form names, unknown ones left out."""
    # Only what an action needs: also an image that cannot be read as a whole can be put into the trash.
    images = (
        Image.objects.only("status", "title", "original_filename")
        .exclude(status=Image.Status.PURGED)
        .in_bulk(ids)
    )
    return [images[pk] for pk in ids if pk in images]

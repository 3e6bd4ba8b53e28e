"""Derived facts made again: thumbnails and what is read from the files."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, Q, QuerySet

from images import renditions
from images.models import Image
from images.services import PRESENT
from pixproject import request_id
from processing import jobs
from processing.jobs import NewOperation
from processing.models import Job
from processing.states import Priority

KINDS = ("thumbnails", "metadata")
PER_JOB = 5000


def selected(what: str, *, only_missing: bool, batch: Any = None) -> QuerySet[Image]:
    """The images whose thumbnails or metadata are to be made again."""
    images = Image.objects.filter(status__in=PRESENT).order_by("pk")
    if batch is not None:
        images = images.filter(batch_images__batch=batch)
    if only_missing:
        images = _without_thumbnails(images) if what == "thumbnails" else images.filter(phash=None)
    return images


def _without_thumbnails(images: QuerySet[Image]) -> QuerySet[Image]:
    wanted = Q()
    specs = renditions.background_specs()
    for size, format in specs:
        wanted |= Q(renditions__size=size, renditions__format=format)
    return images.annotate(made=Count("renditions", filter=wanted)).filter(made__lt=len(specs))


def submit(
    what: str, images: QuerySet[Image], *, requested_by: Any = None, source: str = "command"
) -> list[Job]:
    """Have workers make them, after everything that somebody waits for."""
    return [
        jobs.submit_job(
            kind="reprocess",
            operations=[NewOperation(what, _parameters(what), image_id=key) for key in keys],
            priority=Priority.LOW,
            parameters={"what": what},
            requested_by=requested_by,
            source=source,
            request_id=request_id.current(),
        )
        for keys in _chunks(images)
    ]


def _parameters(what: str) -> dict[str, Any]:
    if what == "thumbnails":
        return {"specs": [list(spec) for spec in renditions.background_specs()]}
    return {}


def _chunks(images: QuerySet[Image]) -> Iterator[list[Any]]:
    keys = list(images.values_list("pk", flat=True))
    yield from (keys[start : start + PER_JOB] for start in range(0, len(keys), PER_JOB))

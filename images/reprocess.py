"""Derived facts made again: thumbnails, what is read from the files, quality, embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.db.models import Count, Q, QuerySet

from images import renditions
from images.models import Image
from images.quality import service as quality
from images.vectors import embeddings
from pixproject.web.base import request_id
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job
from processing.states import Priority

JOB_KIND = "reprocess"
PER_JOB = 5000


class Which(Enum):
    """Of which images something is made again."""

    MISSING = "missing"  # those that have none of it
    STALE = "stale"  # those whose was made by another version, other weights or other settings
    ALL = "all"


@dataclass(frozen=True)
class _Kind:
    """One thing that can be made again; each function gets the embedder's name, which most do not need."""

    missing: Callable[[QuerySet[Image], str], QuerySet[Image]]
    stale: Callable[[QuerySet[Image], str], QuerySet[Image]]
    operations: Callable[[Sequence[Any], str], list[NewOperation]]


def _without_thumbnails(images: QuerySet[Image], _model: str) -> QuerySet[Image]:
    complete = Q()
    specs = renditions.background_specs()
    for size, format in specs:
        complete |= Q(renditions__size=size, renditions__format=format)
    return images.annotate(made=Count("renditions", filter=complete)).filter(made__lt=len(specs))


def _thumbnails(keys: Sequence[Any], _model: str) -> list[NewOperation]:
    parameters = {"specs": [list(spec) for spec in renditions.background_specs()]}
    return [NewOperation("thumbnails", parameters, image_id=key) for key in keys]


_KINDS = {
    # Settings that name other sizes leave images without some of the wanted ones: missing and stale are the same.
    "thumbnails": _Kind(_without_thumbnails, _without_thumbnails, _thumbnails),
    "metadata": _Kind(
        lambda images, _model: images.filter(phash=None),
        lambda images, _model: images.filter(phash__isnull=False, pixel_sha256=""),  # by an older version
        lambda keys, _model: [NewOperation("metadata", {}, image_id=key) for key in keys],
    ),
    "quality": _Kind(
        lambda images, _model: quality.missing(images),
        lambda images, _model: quality.stale(images),
        lambda keys, _model: quality.operations(keys),
    ),
    "embeddings": _Kind(
        embeddings.missing,
        embeddings.stale,
        lambda keys, model: embeddings.operations(keys, model=embeddings.usable(model)[0].name),
    ),
}
KINDS = tuple(_KINDS)


def selected(what: str, *, which: Which, batch: Any = None, model: str = embeddings.AUTO) -> QuerySet[Image]:
    """The images of which something is to be made again.

    Args:
        model: whose vectors, for embeddings.

    Raises:
        ApiError: 400 for an unknown embedder, 422 `model_unavailable` for one that is not installed.
    """
    images = Image.objects.filter(status__in=Image.PRESENT).order_by("pk")
    if batch is not None:
        images = images.filter(batch_images__batch=batch)
    if what == "embeddings":
        embeddings.usable(model)  # refused before anything is counted
    if which is Which.ALL:
        return images
    kind = _KINDS[what]
    return (kind.missing if which is Which.MISSING else kind.stale)(images, model)


def submit(
    what: str,
    images: QuerySet[Image],
    *,
    model: str = embeddings.AUTO,
    requested_by: Any = None,
    source: str = "command",
    on_chunk: Callable[[int], None] = lambda count: None,
) -> list[Job]:
    """Have workers make it, after everything that somebody waits for.

    Args:
        on_chunk: called with the number of images of each job once it is queued.
    """
    submitted = []
    all_keys = list(images.values_list("pk", flat=True))
    for first in range(0, len(all_keys), PER_JOB):
        keys = all_keys[first : first + PER_JOB]
        job = jobs.submit_job(
            kind=JOB_KIND,
            operations=_KINDS[what].operations(keys, model),
            priority=Priority.LOW,
            parameters={"what": what},
            requested_by=requested_by,
            source=source,
            request_id=request_id.current(),
        )
        submitted.append(job)
        on_chunk(len(keys))
    return submitted

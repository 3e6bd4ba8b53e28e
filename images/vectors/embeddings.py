"""Vectors of images: have them made, find what is missing or stale, look them up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from api.core.errors import ApiError, ErrorCode, invalid_choice
from images.models import Embedding, Image
from images.selection import ready_images
from pixproject.web.base import request_id
from processing import model_availability
from processing.algorithms.embedding.embedders import EMBEDDERS, EmbedderSpec
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job, Operation
from processing.states import OPERATION_OPEN, Priority

AUTO = "auto"
JOB_KIND = "embed"
OPERATION = "embedding"
# Which one `auto` means: the first that is installed.
PREFERRED = ("dinov2", "pix_small")


def default_embedder() -> str:
    """The embedder of DEFAULT_EMBEDDER; for `auto` DINOv2 where it is installed, else the one that comes with Pix."""
    if settings.DEFAULT_EMBEDDER != AUTO:
        return str(settings.DEFAULT_EMBEDDER)
    usable = (name for name in PREFERRED if model_availability.is_available(EMBEDDERS[name].weights))
    return next(usable, PREFERRED[-1])


def embedder(model: str = AUTO) -> EmbedderSpec:
    """The row of an embedder's name, or of the default one.

    Raises:
        ApiError: 400 for a name that does not exist.
    """
    name = default_embedder() if model in (AUTO, "") else model
    if name not in EMBEDDERS:
        raise invalid_choice("model", name, [AUTO, *EMBEDDERS])
    return EMBEDDERS[name]


def usable(model: str = AUTO) -> tuple[EmbedderSpec, str]:
    """An embedder and the hash of its installed weights.

    Raises:
        ApiError: 400 for an unknown name, 422 `model_unavailable` with the command that installs it.
    """
    spec = embedder(model)
    return spec, model_availability.installed_sha256(spec.weights)


def submit_embeddings(
    images: Sequence[Image] | QuerySet[Image],
    *,
    model: str = AUTO,
    priority: int = Priority.NORMAL,
    requested_by: Any = None,
    source: str = "api",
) -> Job:
    """Have images embedded by the model worker, again where it was done before.

    Raises:
        ApiError: 409 where an image is not ready, 422 `model_unavailable`.
    """
    spec, _ = usable(model)
    rows = ready_images(images, to_be="embedded")
    return jobs.submit_job(
        kind=JOB_KIND,
        operations=operations([image.pk for image in rows], model=spec.name),
        priority=priority,
        image_id=rows[0].pk if len(rows) == 1 else None,
        parameters={"model": spec.name},
        requested_by=requested_by,
        source=source,
        request_id=request_id.current(),
    )


def operations(keys: Iterable[Any], *, model: str) -> list[NewOperation]:
    """The operations that embed images by a model that is installed."""
    return [NewOperation(OPERATION, {"model": model}, image_id=key) for key in keys]


def of_model(model: str = AUTO) -> QuerySet[Embedding]:
    """The vectors of an embedder's installed weights: only these can be compared with each other.

    Raises:
        ApiError: 422 `model_unavailable`.
    """
    spec, sha256 = usable(model)
    return Embedding.objects.filter(model=spec.name, weights_sha256=sha256)


def missing(images: QuerySet[Image], model: str = AUTO) -> QuerySet[Image]:
    """Those images that have no vector of the installed weights."""
    return images.filter(~Exists(of_model(model).filter(image=OuterRef("pk"))))


def stale(images: QuerySet[Image], model: str = AUTO) -> QuerySet[Image]:
    """Those images whose vectors all come from weights that are not installed any more."""
    own = Embedding.objects.filter(image=OuterRef("pk"), model=embedder(model).name)
    return missing(images, model).filter(Exists(own))


@dataclass(frozen=True)
class MissingVector:
    """An image has no vector yet; with `is_waiting` it is being computed."""

    image_id: UUID
    title: str
    is_waiting: bool

    def as_error(self) -> ApiError:
        if self.is_waiting:
            detail = f"The {self.title} vector of this image is being computed. Try again in a few seconds."
            return ApiError(ErrorCode.CONFLICT, detail, headers={"Retry-After": "2"})
        detail = (
            f"This image has no {self.title} vector yet. Request it with POST /api/images/{self.image_id}/embed/, "
            "or for all images with manage.py reprocess --what embeddings --missing"
        )
        return ApiError(ErrorCode.CONFLICT, detail)


def find(image: Image, model: str = AUTO) -> Embedding | MissingVector:
    """An image's vector, or that there is none.

    Raises:
        ApiError: 422 `model_unavailable`.
    """
    if found := of_model(model).filter(image=image).first():
        return found
    spec = embedder(model)
    waiting = Operation.objects.filter(
        image=image, name=OPERATION, status__in=OPERATION_OPEN, parameters__model=spec.name
    )
    return MissingVector(image.pk, spec.title, waiting.exists())


def of_image(image: Image, model: str = AUTO) -> Embedding:
    """An image's vector.

    Raises:
        ApiError: 409 with the way to have it made; 422 `model_unavailable`.
    """
    found = find(image, model)
    if isinstance(found, MissingVector):
        raise found.as_error()
    return found


def numbers_of(embedding: Embedding) -> np.ndarray:
    """The vector of a row: float32 (dim,), little-endian, of length 1."""
    return np.asarray(embedding.vector, "<f4")


def is_current(embedding: Embedding) -> bool:
    """Whether it comes from the weights that are installed, and so can be compared."""
    spec = EMBEDDERS.get(embedding.model)
    return spec is not None and model_availability.state(spec.weights).sha256 == embedding.weights_sha256

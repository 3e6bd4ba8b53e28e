"""Images by a sentence: a model worker turns it into a vector, once; the web process never loads torch."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.core.cache import cache

from api.core import phrases as api_phrases
from api.core.errors import ApiError, ErrorCode, invalid_field
from images.vectors import embeddings, similarity
from images.vectors.similarity import MAX_LIMIT
from pixproject.web.base import request_id
from processing import model_availability
from processing.algorithms.embedding.embedders import TEXT_MODEL, TEXT_VOCABULARY
from processing.algorithms.embedding.ranking import cut_at_gap
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job, Operation
from processing.services import wait_until_finished
from processing.states import OPERATION_OPEN, OperationStatus, Priority

JOB_KIND = "search"
OPERATION = "embed_text"
MAX_TEXT = 200
CACHE_SECONDS = 86_400
WAIT_S = 10
OTHER_SEARCH = "you can still search file names, titles, tags and cameras (/api/images/?search=…)"


@dataclass(frozen=True)
class Hit:
    """An image and the cosine of its vector to that of the sentence."""

    image_id: UUID
    score: float


@dataclass(frozen=True)
class Answer:
    """What was found; `is_cut` where the rest lay clearly below."""

    hits: list[Hit]
    is_cut: bool


def is_available() -> bool:
    return model_availability.is_available(TEXT_MODEL) and model_availability.is_available(TEXT_VOCABULARY)


def require_models() -> None:
    """Refuse (422) where text search is not installed, with the commands and with what works without."""
    try:
        model_availability.require_model(TEXT_MODEL, TEXT_VOCABULARY)
    except ApiError as error:
        detail = f"Searching by description requires CLIP; {OTHER_SEARCH}. {error.detail}"
        raise ApiError(ErrorCode.MODEL_UNAVAILABLE, detail) from error


def search(vector: np.ndarray, *, limit: int) -> Answer:
    """The images that fit a sentence best, cut where the rest lies clearly below."""
    # More than are shown: the gap may lie just behind them.
    near = similarity.nearest(vector, embeddings.of_model(TEXT_MODEL), limit=MAX_LIMIT)
    hits = [Hit(neighbour.image_id, 1 - neighbour.distance) for neighbour in near]
    kept = cut_at_gap([hit.score for hit in hits])
    return Answer(hits[: min(kept, limit)], is_cut=kept < len(hits) and kept <= limit)


def vector_of(
    text: str, *, wait_s: float | None = None, requested_by: Any = None, source: str = "api"
) -> np.ndarray | Job:
    """The vector of a sentence, or the job that still makes it when the time is up.

    Raises:
        ApiError: 400 for a text that is empty or too long, 422 `model_unavailable`.
    """
    text = _checked(text)
    require_models()
    hashes = [model_availability.installed_sha256(name) for name in (TEXT_MODEL, TEXT_VOCABULARY)]
    key = hashlib.sha256("\n".join([*hashes, text]).encode()).hexdigest()
    if (cached := _cached(key)) is not None:
        return cached
    # Somebody may have asked the same a moment ago.
    waiting = Operation.objects.filter(name=OPERATION, cache_key=key, status__in=OPERATION_OPEN)
    asked = waiting.select_related("job").first()
    job = asked.job if asked else _submit(text, key, requested_by=requested_by, source=source)
    if not wait_until_finished(job.pk, WAIT_S if wait_s is None else wait_s).is_finished:
        return job
    if (made := _cached(key)) is not None:
        return made
    failed = job.operations.first()
    raise ApiError(
        failed.error_code if failed and failed.error_code else ErrorCode.UNAVAILABLE,
        failed.error_detail if failed and failed.error_detail else "The search text could not be processed.",
    )


def _checked(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise invalid_field("q", "Describe what the images should show.", code=ErrorCode.REQUIRED)
    if len(text) > MAX_TEXT:
        detail = api_phrases.too_long(len(text), MAX_TEXT)
        raise invalid_field("q", detail, code=ErrorCode.TOO_LONG)
    return text


def _cached(key: str) -> np.ndarray | None:
    """From the cache, or from a job that has made it (where the cache is away or was emptied)."""
    text = cache.get(f"text-vector:{key}")
    if text is None:
        done = Operation.objects.filter(name=OPERATION, cache_key=key, status=OperationStatus.COMPLETED)
        text = done.order_by("-finished_at").values_list("result__vector", flat=True).first()
        if text is None:
            return None
        cache.set(f"text-vector:{key}", text, CACHE_SECONDS)
    return np.frombuffer(base64.b64decode(text), "<f4")


def _submit(text: str, key: str, *, requested_by: Any, source: str) -> Job:
    return jobs.submit_job(
        kind=JOB_KIND,
        operations=[NewOperation(OPERATION, {"text": text}, cache_key=key)],
        priority=Priority.URGENT,
        parameters={"text": text},
        requested_by=requested_by,
        source=source,
        request_id=request_id.current(),
    )

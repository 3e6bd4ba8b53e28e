"""What is measured automatically, in the background, after an upload."""

import logging
from typing import Any

from django.conf import settings

from images.models import Image
from images.quality import service as quality
from images.vectors import embeddings
from pixproject.web.base import request_id
from processing import model_availability
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job
from processing.states import Priority

logger = logging.getLogger("pix.images")
JOB_KIND = "measure"
QUALITY, EMBEDDING = "quality", "embedding"
MEASURES = (QUALITY, EMBEDDING)


def measure(image: Image, *, requested_by: Any = None, source: str = "api") -> Job | None:
    """Have a new image measured after everything that somebody waits for; None when nothing is to be measured."""
    operations = _operations(image)
    if not operations:
        return None
    return jobs.submit_job(
        kind=JOB_KIND,
        operations=operations,
        priority=Priority.LOW,
        image_id=image.pk,
        requested_by=requested_by,
        source=source,
        request_id=request_id.current(),
    )


def _operations(image: Image) -> list[NewOperation]:
    operations = []
    if QUALITY in settings.MEASURE_ON_UPLOAD:
        operations += quality.operations([image.pk])
    if EMBEDDING in settings.MEASURE_ON_UPLOAD:
        spec = embeddings.embedder()
        if model_availability.is_available(spec.weights):
            operations += embeddings.operations([image.pk], model=spec.name)
        else:  # said in health, in the admin and on the image's page
            logger.info("Image %s was not embedded: %s is not installed", image.pk, spec.weights)
    return operations

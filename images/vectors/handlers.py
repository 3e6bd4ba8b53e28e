"""The engine's work on embeddings: several images at once as one tensor batch, and sentences."""

from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from images import duplicates, phrases
from images.handlers import image_id_of, source_file
from images.models import Embedding, Image
from images.vectors import compute as embedding_compute
from images.vectors.compute import Embedded
from processing.algorithms.embedding.embedders import BATCH
from processing.engine.registry import Claim, Handler
from processing.handlers import input_limits
from processing.states import Queue


def _load(claim: Claim, scratch: Path) -> tuple:
    model = str(claim.parameters["model"])
    return source_file(claim, scratch), model, str(settings.ML_MODELS_DIR), input_limits()


def _save(claim: Claim, embedded: Embedded) -> dict[str, Any]:
    """A purge takes the row's lock first: whichever comes second sees what the other has done."""
    image = Image.objects.select_for_update().only("status").get(pk=image_id_of(claim))
    if image.status == Image.Status.PURGED:
        return {"notes": [phrases.PURGED_MEANWHILE]}
    vector = np.frombuffer(embedded.vector, "<f4")
    facts = {"dim": len(vector), "vector": vector, "duration_ms": embedded.duration_ms}
    own = Embedding.objects.filter(image=image, model=embedded.model)
    own.exclude(weights_sha256=embedded.weights_sha256).delete()  # nothing can be compared with them any more
    own.update_or_create(
        image=image, model=embedded.model, weights_sha256=embedded.weights_sha256, defaults=facts
    )
    # Once it is committed: of two that are saved at the same time, the later one sees the other.
    transaction.on_commit(lambda: duplicates.record(image.pk), robust=True)
    return {
        "model": embedded.model,
        "dim": len(vector),
        "weights_sha256": embedded.weights_sha256,
        "precision": embedded.precision,
    }


def _load_text(claim: Claim, _scratch: Path) -> tuple:
    return str(claim.parameters["text"]), str(settings.ML_MODELS_DIR)


def _save_text(_claim: Claim, vector: str) -> dict[str, Any]:
    return {"vector": vector}


HANDLERS = (
    Handler("embedding", Queue.ML, embedding_compute.embed_files, load=_load, save=_save, batch_size=BATCH),
    Handler("embed_text", Queue.ML, embedding_compute.embed_text, load=_load_text, save=_save_text),
)

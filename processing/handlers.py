"""How the engine runs image operations: the file in, the pure function in a subprocess, the results as artifacts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from processing import files, phrases
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.errors import ProcessingError
from processing.algorithms.operations.table import OPERATIONS
from processing.engine.registry import Claim, Handler
from processing.models import Artifact, Operation, OperationArtifact, ResultSource
from processing.states import Queue
from processing.tasks import operations as compute

PIPELINE = "pipeline"


def image_model() -> Any:
    """The image model, through the foreign key that points up to it."""
    return Artifact._meta.get_field("image").related_model


def input_limits() -> Limits:
    """The limits of the settings, for the pure functions, which know no settings."""
    return Limits(
        max_bytes=settings.MAX_UPLOAD_BYTES,
        max_pixels=settings.MAX_IMAGE_PIXELS,
        max_side_px=settings.MAX_IMAGE_SIDE,
        max_frames=settings.MAX_FRAMES,
        formats=frozenset(settings.ALLOWED_EXTENSIONS),
    )


@dataclass(frozen=True)
class StoredOutput:
    """A result file in storage."""

    output: compute.Output
    key: str


def steps_of(name: str, parameters: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The steps of an operation: those of a pipeline, or itself."""
    if name == PIPELINE:
        return [(step["name"], step["parameters"]) for step in parameters["steps"]]
    return [(name, dict(parameters))]


def queue_of(name: str, parameters: Mapping[str, Any]) -> str:
    """Where an operation runs: a pipeline where its networks do, if it has any."""
    queues = {OPERATIONS[step].queue for step, _ in steps_of(name, parameters)}
    return Queue.ML if Queue.ML in queues else OPERATIONS[name].queue if name in OPERATIONS else Queue.DEFAULT


def _load(claim: Claim, scratch: Path) -> tuple:
    image = image_model().objects.filter(pk=claim.image_id).first()
    if image is None or image.status == "purged":
        raise ProcessingError(phrases.IMAGE_DELETED, code="gone")
    if not files.has_size(image.file, image.byte_size):
        raise ProcessingError(phrases.NO_ORIGINAL, code="file_missing")
    path = files.download(image.file, scratch)
    steps = steps_of(claim.name, claim.parameters)
    return path, steps, str(scratch), input_limits(), str(settings.ML_MODELS_DIR)


def _store(_claim: Claim, outputs: list[compute.Output]) -> list[StoredOutput]:
    return [
        StoredOutput(output, files.store(output.path, prefix=settings.PROCESSED_DIR, extension=output.format))
        for output in outputs
    ]


def _save(claim: Claim, results: list[StoredOutput]) -> dict[str, Any]:
    artifacts = [_artifact(claim, stored) for stored in results]
    image = image_model().objects.only("original_filename", "sha256").get(pk=claim.image_id)
    number = Operation.objects.values_list("name_number", flat=True).get(pk=claim.operation_id)
    links = OperationArtifact.named(
        artifacts,
        operation_id=claim.operation_id,
        operation=claim.name,
        source=ResultSource(image.original_filename, image.sha256, number),
        folder=claim.output_folder,
        prefix=claim.filename_prefix,
    )
    OperationArtifact.objects.bulk_create(links)
    facts = [stored.output.facts for stored in results if stored.output.facts]
    notes = [note for stored in results for note in stored.output.notes]
    return {"notes": notes} | ({"facts": facts[0]} if facts else {})


def _artifact(claim: Claim, stored: StoredOutput) -> Artifact:
    """The one artifact of this recipe: ours, or the one that another operation has stored meanwhile."""
    output = stored.output
    artifact, is_new = Artifact.objects.select_for_update().get_or_create(
        cache_key=claim.cache_key,
        role=output.role,
        defaults={
            "image_id": claim.image_id,
            "file": stored.key,
            "sha256": output.sha256,
            "format": output.format,
            "byte_size": output.byte_size,
            "width": output.width,
            "height": output.height,
            "notes": list(output.notes),
            "facts": dict(output.facts),
        },
    )
    if is_new:
        return artifact
    if files.has_size(artifact.file, artifact.byte_size):
        files.delete_after_commit([stored.key])
    else:
        artifact.file, artifact.sha256, artifact.byte_size = stored.key, output.sha256, output.byte_size
        artifact.save(update_fields=["file", "sha256", "byte_size"])
    return artifact


def _handler(name: str, queue: str) -> Handler:
    return Handler(name, queue, compute.run_steps, load=_load, store=_store, save=_save)


HANDLERS = (
    *(_handler(spec.name, spec.queue) for spec in OPERATIONS.values()),
    _handler(PIPELINE, Queue.DEFAULT),
)

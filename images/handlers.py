"""The engine's work on images themselves: thumbnails, and reading a file's facts again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from images import duplicates, phrases, renditions
from images.ingest import service as ingest
from images.models import Image
from images.renditions import Spec
from processing import files
from processing.algorithms.errors import ProcessingError
from processing.engine.registry import Claim, Handler
from processing.handlers import input_limits
from processing.phrases import NO_ORIGINAL
from processing.states import Queue
from processing.tasks import operations as compute

MEASURED_ELSEWHERE = {"byte_size"}


@dataclass(frozen=True)
class StoredThumbnail:
    spec: Spec
    output: compute.Output
    key: str


def image_id_of(claim: Claim) -> UUID:
    if claim.image_id is None:  # its row was removed outside of Pix
        raise ProcessingError("The image was deleted.", code="gone")
    return claim.image_id


def source_file(claim: Claim, scratch: Path) -> str:
    """A local path to the original of the claim's image."""
    image = Image.objects.filter(pk=image_id_of(claim)).exclude(status=Image.Status.PURGED).first()
    if image is None:
        raise ProcessingError("The image was deleted.", code="gone")
    if not files.has_size(image.file, image.byte_size):
        raise ProcessingError(NO_ORIGINAL, code="file_missing")
    return files.download(image.file, scratch)


def _specs(claim: Claim) -> list[Spec]:
    return [(int(size), str(format)) for size, format in claim.parameters["specs"]]


def _load_thumbnails(claim: Claim, scratch: Path) -> tuple:
    return source_file(claim, scratch), _specs(claim), str(scratch), input_limits()


def _store_thumbnails(claim: Claim, outputs: list[compute.Output]) -> list[StoredThumbnail]:
    return [
        StoredThumbnail(spec, output, renditions.store(output.path, format=output.format))
        for spec, output in renditions.specs_of(outputs, _specs(claim))
    ]


def _save_thumbnails(claim: Claim, thumbnails: list[StoredThumbnail]) -> dict[str, Any]:
    """A purge takes the row's lock first: whichever comes second sees what the other has done."""
    image = Image.objects.select_for_update().only("status").get(pk=image_id_of(claim))
    if image.status == Image.Status.PURGED:
        files.delete_after_commit([thumbnail.key for thumbnail in thumbnails])
        return {"notes": [phrases.PURGED_MEANWHILE]}
    for thumbnail in thumbnails:
        renditions.save(image, thumbnail.spec, thumbnail.output, key=thumbnail.key)
    # Every new image comes by here. Once it is committed: of two at the same time, the later one sees the other.
    transaction.on_commit(lambda: duplicates.record(image.pk), robust=True)
    return {"thumbnails": len(thumbnails)}


def _load_facts(claim: Claim, scratch: Path) -> tuple:
    return source_file(claim, scratch), input_limits(), (), str(scratch)


def _save_facts(claim: Claim, inspection: compute.Inspection) -> dict[str, Any]:
    facts = {
        name: value for name, value in ingest.measured(inspection).items() if name not in MEASURED_ELSEWHERE
    }
    Image.objects.filter(pk=image_id_of(claim)).exclude(status=Image.Status.PURGED).update(**facts)
    return {"format": inspection.info.format, "exif_fields": len(inspection.metadata.exif)}


HANDLERS = (
    Handler(
        "thumbnails",
        Queue.LIGHT,
        compute.make_thumbnails,
        load=_load_thumbnails,
        store=_store_thumbnails,
        save=_save_thumbnails,
    ),
    Handler("metadata", Queue.LIGHT, compute.inspect, load=_load_facts, save=_save_facts),
)

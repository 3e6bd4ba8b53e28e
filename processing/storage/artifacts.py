"""The class of stored results: artifacts, and what stays on record when they are removed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from processing import files, phrases
from processing.models import Artifact, JobEvent, Operation, OperationArtifact
from processing.states import JOB_TERMINAL
from processing.storage.file_classes import FileClass, Removed, StoredFile


def older_than(moment: datetime) -> QuerySet[Artifact]:
    """Results made before `moment` that no request has been given since; expired ones whatever their age."""
    links = OperationArtifact.objects.filter(artifact=OuterRef("pk"))
    given_since = Exists(links.filter(operation__finished_at__gte=moment))
    return Artifact.objects.filter(
        (Q(created_at__lt=moment) & ~given_since) | Q(expires_at__lt=timezone.now())
    )


def keep() -> Mapping[str, Q]:
    live = OperationArtifact.objects.filter(artifact=OuterRef("pk")).exclude(
        operation__job__status__in=JOB_TERMINAL
    )
    return {
        "belongs to an unfinished job": Q(Exists(live)),
        "belongs to a pinned image": Q(image__pinned=True),
        "belongs to an image in a batch": Q(Exists(_in_batch())),
    }


def _in_batch() -> QuerySet:
    """Batches stand above this app: their table is reached through the image's own relation."""
    image: Any = Artifact._meta.get_field("image").related_model
    images: QuerySet = image.objects.filter(pk=OuterRef("image_id"), batch_images__isnull=False)
    return images


def remove(artifacts: Sequence[Artifact], *, why: str = "retention") -> Removed:
    """Delete rows; each job that had them keeps a note, and files that no other row uses go after commit."""
    with transaction.atomic():
        _note_removal(artifacts, why)
        keys = {artifact.file for artifact in artifacts}
        to_delete = [artifact.pk for artifact in artifacts]
        Artifact.objects.filter(pk__in=to_delete).delete()
        keys -= known(list(keys))
        files.delete_after_commit(keys)
    return Removed(len(artifacts), sum(artifact.byte_size for artifact in artifacts))


def _note_removal(artifacts: Sequence[Artifact], why: str) -> None:
    links = OperationArtifact.objects.filter(artifact__in=artifacts).select_related("operation", "artifact")
    at = timezone.now().isoformat()
    notes: dict[Operation, list[dict[str, Any]]] = defaultdict(list)
    per_job: dict[Any, int] = defaultdict(int)
    for link in links:
        notes[link.operation].append(_note(link, at, why))
        per_job[link.operation.job_id] += 1
    for operation, removed in notes.items():
        operation.result = {**operation.result, "removed": [*operation.result.get("removed", []), *removed]}
    Operation.objects.bulk_update(notes, ["result"], batch_size=500)
    JobEvent.objects.bulk_create(
        JobEvent(
            job_id=job_id,
            level="warning",
            code="artifacts_removed",
            message=phrases.results_removed(count, why),
            data={"count": count, "why": why},
        )
        for job_id, count in per_job.items()
    )


def _note(link: OperationArtifact, at: str, why: str) -> dict[str, Any]:
    artifact = link.artifact
    return {
        "id": str(link.pk),
        "role": link.role,
        "format": artifact.format,
        "byte_size": artifact.byte_size,
        "width": artifact.width,
        "height": artifact.height,
        "sha256": artifact.sha256,
        "name": link.name,
        "folder": link.folder,
        "source_name": link.source_name,
        "source_sha256": link.source_sha256,
        "removed_at": at,
        "why": why,
    }


def stored_files() -> Iterator[StoredFile]:
    for artifact in Artifact.objects.order_by("pk").iterator(chunk_size=1000):
        yield StoredFile(
            artifact.file, artifact, f"result {artifact.pk}", artifact.byte_size, artifact.sha256
        )


def known(keys: Sequence[str]) -> set[str]:
    return set(Artifact.objects.filter(file__in=keys).values_list("file", flat=True))


def mend(file: StoredFile, problem: str) -> str:
    """A result can be computed again: forget it, so that the next request does so."""
    with transaction.atomic():
        locked = list(Artifact.objects.select_for_update().filter(pk=file.owner.pk))
        remove(locked, why=f"its file was {problem}")
    return "result removed; the next request computes it again"


PROCESSED = FileClass(
    name="processed",
    title="results of operations",
    model=Artifact,
    older_than=older_than,
    keep=keep,
    remove=remove,
    prefix=settings.PROCESSED_DIR,
    files=stored_files,
    known=known,
    can_be_made_again=True,
    mend=mend,
)

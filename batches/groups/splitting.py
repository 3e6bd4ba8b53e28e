"""Splitting a group automatically, as a job of the model worker that ends as one step of the history."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from api.core.errors import ApiError, ErrorCode, invalid_field
from batches import phrases
from batches.clustering import vectors
from batches.groups import operations as grouping
from batches.groups import split_task
from batches.groups.split_task import Parts
from batches.history import changes
from batches.history.changes import ExpectedVersion
from batches.models import Batch, BatchImage, Group
from batches.phrases import images
from pixproject.web.base import request_id
from processing.algorithms.clustering.split import LARGEST_COUNT
from processing.algorithms.errors import ProcessingError
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.engine.registry import Claim, Handler
from processing.models import Job
from processing.states import JOB_TERMINAL, Priority, Queue

JOB_KIND = "split"
OPERATION = "split_group"


def submit_split(
    batch: Batch,
    label: str,
    *,
    actor: Any,
    source: str = "api",
    expected_version: ExpectedVersion | None = None,
) -> Job:
    """Have a group split into its parts; the largest stays, each other becomes a group. Undone as one step.

    The operation's result: {"groups": labels of the new groups, "moved": how many images, "notes": [...]}. A second
    request while the first runs answers the first one's job.

    Raises:
        ApiError: 400 for an unknown label; 409 for a confirmed group, one with fewer than two images or too many,
            one whose images have no vectors, a closed batch, or a stale version (412 with `If-Match`).
    """
    with transaction.atomic():
        locked = changes.lock(batch)
        changes.check_open(locked)
        changes.check_version(locked, expected_version)
        group = locked.groups.filter(label=label).first()
        if group is None:
            raise invalid_field("label", phrases.no_group(label), code=ErrorCode.DOES_NOT_EXIST)
        running = locked.jobs.filter(kind=JOB_KIND, parameters__group=str(group.pk))
        job: Job | None = running.exclude(status__in=JOB_TERMINAL).first()
        if job is not None:
            return job
        _check_splittable(locked, group)
        parameters = {
            "batch": str(locked.pk),
            "group": str(group.pk),
            "actor": actor.pk if actor is not None else None,
        }
        return jobs.submit_job(
            kind=JOB_KIND,
            operations=[NewOperation(OPERATION, parameters)],
            priority=min(Priority.HIGH, locked.priority),  # somebody looks at the group and waits
            batch_id=locked.pk,
            parameters={"label": group.label, "group": str(group.pk)},
            requested_by=actor,
            source=source,
            request_id=request_id.current(),
        )


def _check_splittable(batch: Batch, group: Group) -> None:
    if group.is_confirmed:
        detail = f"{group.title} is confirmed. Reopen it to split it."
        raise ApiError(ErrorCode.CONFLICT, detail)
    count = group.members.present().count()
    if not 2 <= count <= LARGEST_COUNT:
        detail = (
            f"{group.title} has {images(count)}. Only groups of 2 to {LARGEST_COUNT} images can be split."
        )
        raise ApiError(ErrorCode.CONFLICT, detail)
    embedded = len(_members(batch, group)[0])
    if embedded < 2:
        detail = f"{group.title} has vectors for {embedded} of {images(count)}. Analyze the batch first."
        raise ApiError(ErrorCode.CONFLICT, detail)


def _members(batch: Batch, group: Group) -> tuple[list[UUID], bytes]:
    source = vectors.source_of(batch)
    if source is None:
        return [], b""
    keys, matrix = vectors.load(batch, source, group_id=group.pk)
    return keys, matrix.tobytes()


def _batch_and_group(claim: Claim) -> tuple[Batch | None, Group | None]:
    batch = Batch.objects.select_related("active_run").filter(pk=claim.parameters["batch"]).first()
    group = Group.objects.filter(pk=claim.parameters["group"], batch=batch).first() if batch else None
    return batch, group


def _load(claim: Claim, scratch: Path) -> tuple:
    batch, group = _batch_and_group(claim)
    keys, matrix = _members(batch, group) if batch and group else ([], b"")
    if not keys:
        raise ProcessingError(
            "The group was dissolved or emptied in the meantime. Nothing was split.", code="gone"
        )
    return tuple(str(key) for key in keys), matrix


def _save(claim: Claim, parts: Parts) -> dict[str, Any]:
    batch, _ = _batch_and_group(claim)
    if batch is None:
        return _nothing("The batch was deleted in the meantime. Nothing was split.")
    if max(parts.labels, default=0) == 0:
        return _nothing(parts.note)
    locked = changes.lock(batch)
    group = locked.groups.filter(pk=claim.parameters["group"]).first()
    if group is None:
        return _nothing(phrases.NOTHING_TO_SPLIT)
    if group.is_confirmed:
        return _nothing(f"{group.title} was confirmed in the meantime. Nothing was split.")
    kept, notes = _still_there(group, parts)
    if len(kept) < 2:
        return _nothing(*notes, "Nothing was split: the images that can still move form only one part.")
    key = claim.parameters["actor"]
    actor = None if key is None else get_user_model().objects.filter(pk=key).first()
    try:
        new, moved = grouping.split_into(locked, group.pk, kept, actor=actor)
    except ApiError as error:  # archived, approved or deleted meanwhile
        return _nothing(error.detail)
    return {"groups": [made.label for made in new], "moved": moved, "notes": [parts.note, *notes]}


def _nothing(*notes: str) -> dict[str, Any]:
    return {"groups": [], "moved": 0, "notes": list(notes)}


def _still_there(group: Group, parts: Parts) -> tuple[list[list[UUID]], list[str]]:
    """The parts as they can be made now, the one that stays first, and what is different from what was computed.

    Whoever asks for a split wants also those images moved that people have put there, but not the locked or rejected
    ones. Images that left the group stay where they are.
    """
    rows = group.members.present().values_list("image_id", "locked", "decision")
    is_kept = {
        key: is_locked or decision == BatchImage.Decision.REJECTED for key, is_locked, decision in rows
    }
    labels = {UUID(key): label for key, label in zip(parts.members, parts.labels, strict=True)}
    parts_left: list[list[UUID]] = [[] for _ in range(max(parts.labels) + 1)]
    for key, label in labels.items():
        if key in is_kept and not is_kept[key]:
            parts_left[label].append(key)
    stays = any(is_held or key not in labels for key, is_held in is_kept.items())
    first = [parts_left[0]] if parts_left[0] or stays else []
    left = sum(key not in is_kept for key in labels)
    stayed = sum(is_held and labels.get(key, 0) > 0 for key, is_held in is_kept.items())
    unknown = sum(key not in labels for key in is_kept)
    sentences = {
        f"{images(left)} left the group in the meantime and stayed where they are.": left,
        f"{images(stayed)} stayed in the group because of a lock or a rejection.": stayed,
        f"{images(unknown)} stayed in the group: without a vector, or added later.": unknown,
    }
    notes = [sentence for sentence, count in sentences.items() if count]
    return first + [part for part in parts_left[1:] if part], notes


HANDLERS = (Handler(OPERATION, Queue.ML, split_task.split, load=_load, save=_save),)

"""What every interface calls to make, describe, archive and delete batches."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from api.access import audit
from api.access.permissions import has_scope
from api.core.errors import ApiError, ErrorCode, invalid_choice, invalid_field
from api.core.phrases import UNSTORABLE
from batches import membership, phrases
from batches.clustering import parameters as analysis_parameters
from batches.history import changes
from batches.membership import remove_images
from batches.models import Batch, BatchImage, Group
from images.models import Image
from pixproject.web.base.text import has_unstorable_characters
from processing.engine import jobs
from processing.models import Job
from processing.states import JOB_TERMINAL, Priority

__all__ = ["add_images", "remove_images"]

EDITABLE = ("batch_name", "note", "parameters", "kind", "priority", "assignee", "reviewer")
PEOPLE = ("assignee", "reviewer")
MAX_NAME = 200
PURGE_INTERVAL_S = 3600
Status = Batch.Status

add_images = membership.add_images


def listed(batches: QuerySet[Batch]) -> QuerySet[Batch]:
    """With what each line of a list needs: numbers of images, of those in groups, of groups and confirmed ones."""
    inside = Q(image__status__in=Image.PRESENT)
    counted = batches.select_related("owner", "assignee", "reviewer", "active_run").annotate(
        image_count=_count(BatchImage.objects.filter(inside)),
        assigned_count=_count(BatchImage.objects.filter(inside, group__isnull=False)),
        rejected_count=_count(BatchImage.objects.filter(inside, decision=BatchImage.Decision.REJECTED)),
        group_count=_count(Group.objects.all()),
        confirmed_count=_count(Group.objects.filter(status=Group.Status.CONFIRMED)),
    )
    return counted.order_by("-created_at", "-id")


def _count(rows: QuerySet) -> Coalesce:
    mine = rows.filter(batch=OuterRef("pk")).order_by().values("batch")
    return Coalesce(Subquery(mine.annotate(count=Count("pk")).values("count")), 0)


def open_batch(key: Any, *, field: str) -> Batch:
    """The batch that a request names, which still takes images."""
    try:
        batch = Batch.objects.present().filter(pk=UUID(str(key))).first()
    except ValueError:
        batch = None
    if batch is None:
        raise invalid_field(field, phrases.no_batch(key), code=ErrorCode.DOES_NOT_EXIST)
    changes.check_open(batch)
    return batch


def create_batch(
    batch_name: str,
    *,
    owner: Any,
    image_ids: Sequence[UUID] = (),
    **described: Any,
) -> Batch:
    """Make a batch, with images when some are named.

    Args:
        described: any of note, parameters, kind, priority, assignee, reviewer.
    """
    with transaction.atomic():
        values = _checked({"batch_name": batch_name, **described})
        batch = Batch.objects.create(owner=owner, **values)
        audit.record("batch.create", batch, actor=owner, detail={"batch_name": batch.batch_name})
        add_images(batch, image_ids, actor=owner)
    return batch


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = {name: values[name] for name in EDITABLE if name in values}
    if "batch_name" in checked:
        name = checked["batch_name"] = checked["batch_name"].strip()
        if not 1 <= len(name) <= MAX_NAME:
            detail = f"The name must have 1 to {MAX_NAME} characters; this one has {len(name)}."
            raise invalid_field("batch_name", detail)
        if has_unstorable_characters(name):
            raise invalid_field("batch_name", UNSTORABLE)
    if "parameters" in checked:
        checked["parameters"] = dict(checked["parameters"] or {})
        analysis_parameters.check_described(checked["parameters"])
    for name in PEOPLE:
        if name in checked:
            checked[name] = _person(checked[name], field=name)
    return checked


def _person(who: Any, *, field: str) -> Any:
    """A user, by name or as they are; nobody for an empty name.

    Raises:
        ApiError: 400 for somebody who is not there or may not change groups.
    """
    if who in (None, ""):
        return None
    user = get_user_model().objects.filter(username=who).first() if isinstance(who, str) else who
    if user is None:
        raise invalid_field(field, f"User {who[:150]!r} does not exist.", code=ErrorCode.DOES_NOT_EXIST)
    if not has_scope(user, "write"):
        raise invalid_field(field, f"{user.get_username()!r} can view batches but not change them.")
    return user


def update_batch(
    batch: Batch,
    *,
    actor: Any,
    values: Mapping[str, Any],
    expected_version: changes.ExpectedVersion | None = None,
) -> Batch:
    """Change what describes a batch; a new priority is that of its unfinished jobs too."""
    values = _checked(values)
    with transaction.atomic():
        locked = changes.lock(batch)
        changes.check_open(locked, approved_ok=True)
        changes.check_version(locked, expected_version)
        before = {name: getattr(locked, name) for name in values}
        for name, value in values.items():
            setattr(locked, name, value)
        locked.save(update_fields=[*values, "updated_at"])
        detail = {"before": _audited(before), "after": _audited(values)}
        audit.record("batch.update", locked, actor=actor, detail=detail)
        if "priority" in values and values["priority"] != before["priority"]:
            for job in Job.objects.filter(batch=locked).exclude(status__in=JOB_TERMINAL):
                jobs.set_priority(job, values["priority"], actor=actor)
    return listed(Batch.objects.filter(pk=batch.pk)).get()


def _audited(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.get_username() if name in PEOPLE and value else value for name, value in values.items()
    }


def archive(batch: Batch, *, actor: Any) -> Batch:
    """Put a batch away; it takes no changes until it is taken out again."""
    with transaction.atomic():
        locked = changes.lock(batch)
        changes.check_open(locked, approved_ok=True)
        _check_idle(locked)
        locked.status, locked.archived_at = Status.ARCHIVED, timezone.now()
        locked.save(update_fields=["status", "archived_at", "updated_at"])
        audit.record("batch.archive", locked, actor=actor)
    return locked


def unarchive(batch: Batch, *, actor: Any) -> Batch:
    """Take an archived batch out again."""
    with transaction.atomic():
        locked = changes.lock(batch)
        if not locked.is_archived:
            raise ApiError(ErrorCode.CONFLICT, f"Batch “{locked.batch_name}” is not archived.")
        locked.status = Status.COMPLETE if locked.active_run_id else Status.DRAFT
        locked.archived_at = None
        locked.save(update_fields=["status", "archived_at", "updated_at"])
        audit.record("batch.unarchive", locked, actor=actor)
    return locked


def _check_idle(batch: Batch) -> None:
    if job := Job.objects.filter(batch=batch).exclude(status__in=JOB_TERMINAL).first():
        raise ApiError(
            ErrorCode.CONFLICT,
            f"Job {job.pk} of this batch is {job.status}. Wait for it to finish or cancel it.",
        )


def delete_batch(batch: Batch, *, actor: Any) -> None:
    """Put a batch among the deleted ones, from where it can be restored; its images stay in the library.

    Raises:
        ApiError: 409 while a job works on it.
    """
    with transaction.atomic():
        locked = changes.lock(batch)
        if locked.deleted_at is not None:
            return
        _check_idle(locked)
        locked.deleted_at = timezone.now()
        locked.save(update_fields=["deleted_at", "updated_at"])
        detail = {"batch_name": locked.batch_name, "images": locked.batch_images.count()}
        audit.record("batch.delete", locked, actor=actor, detail=detail)


def restore_batch(batch: Batch, *, actor: Any) -> Batch:
    """Bring a deleted batch back, with its groups and its history."""
    with transaction.atomic():
        locked = changes.lock(batch)
        if locked.deleted_at is None:
            raise ApiError(ErrorCode.CONFLICT, f"Batch “{locked.batch_name}” is not deleted.")
        locked.deleted_at = None
        locked.save(update_fields=["deleted_at", "updated_at"])
        audit.record("batch.restore", locked, actor=actor)
    return locked


def purge_old() -> int:
    """Remove batches for good that were deleted TRASH_DAYS ago (0: never), as trashed images are; answers how many."""
    if settings.TRASH_DAYS <= 0:
        return 0
    older_than, count = timezone.now() - timedelta(days=settings.TRASH_DAYS), 0
    for key in Batch.objects.filter(deleted_at__lt=older_than).values_list("pk", flat=True):
        with transaction.atomic():
            # Looked up again under its lock: somebody may have restored it, or another sweeper removed it.
            expired = Batch.objects.select_for_update().filter(pk=key, deleted_at__lt=older_than).first()
            if expired is not None:
                audit.record("batch.purge", expired, detail={"batch_name": expired.batch_name})
                expired.delete()
                count += 1
    return count


def priority_of(word: Any, *, field: str = "priority") -> int:
    """A priority by its word or number."""
    words: dict[str, int] = {label: value for value, label in Priority.choices}
    words |= {str(value): value for value in Priority.values}
    if str(word) not in words:
        raise invalid_choice(field, word, Priority.labels)
    return words[str(word)]

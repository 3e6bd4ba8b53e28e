"""Operations on the images of a batch: which images, what it would cost, one job for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from api.access import audit
from api.core.errors import ApiError, ErrorCode, FieldError, invalid_choice, invalid_field
from batches import phrases
from batches.clustering import run_status
from batches.groups.queries import in_group
from batches.history import changes
from batches.models import Batch, BatchImage
from images import selection
from images.models import Image
from images.quality.service import ISSUE_CODES
from images.selection import ApplicableImages
from processing import services
from processing.engine import jobs
from processing.models import Job, JobEvent
from processing.services import MAX_OPERATIONS, Delivery, Work
from processing.states import OPERATION_OPEN, OperationStatus

Decision = BatchImage.Decision
FILTERS = ("group", "decision", "image_ids", "min_quality", "issue")
ANY = "any"
NEEDED = ("id", "original_filename", "format", "width", "height", "sha256", "byte_size", "status", "file")
LISTED = 100


def chosen_images(batch: Batch, filters: Mapping[str, Any] | None = None) -> QuerySet[Image]:
    """The images of a batch that are in the library and that filters let through, in the batch's order.

    Args:
        filters: `group` (a label, or "unassigned"), `decision` (pending, accepted, rejected or any; without it all
            except rejected ones), `image_ids`, `min_quality` (0-100) and `issue` (a fault's code, or any).

    Raises:
        ApiError: 400 naming the filter.
    """
    return _chosen(batch, filters).filter(status__in=Image.PRESENT)


def _chosen(batch: Batch, filters: Mapping[str, Any] | None) -> QuerySet[Image]:
    given = {name: value for name, value in (filters or {}).items() if value not in (None, "")}
    if unknown := sorted(set(given) - set(FILTERS)):
        detail = f"Unknown filter {unknown[0][:50]!r}. Allowed filters: {', '.join(FILTERS)}."
        raise invalid_field("filter", detail, code=ErrorCode.UNKNOWN_FIELD)
    members = BatchImage.objects.filter(
        in_group(batch, given.get("group"), field="filter.group"),
        _of_decision(given.get("decision")),
        batch=batch,
    )
    if "image_ids" in given:
        members = members.filter(image__in=_named(batch, given["image_ids"]))
    images = Image.objects.filter(
        _of_quality(given.get("min_quality")), _of_issue(given.get("issue")), batch_images__in=members
    )
    return images.order_by("batch_images__position", "batch_images__pk")


def _of_decision(decision: Any) -> Q:
    if decision is None:
        return ~Q(decision=Decision.REJECTED)
    if decision == ANY:
        return Q()
    if decision not in Decision.values:
        raise invalid_choice("filter.decision", decision, [*Decision.values, ANY])
    return Q(decision=decision)


def _named(batch: Batch, keys: Any) -> list[UUID]:
    """The ids of a request.

    Raises:
        ApiError: 400 for an empty list, for what is no id, and naming those that are not in the batch.
    """
    if not isinstance(keys, list | tuple) or not keys:
        raise invalid_field("filter.image_ids", phrases.SELECT_IMAGES, code=ErrorCode.REQUIRED)
    try:
        requested_ids = list(dict.fromkeys(UUID(str(key)) for key in keys))
    except ValueError as error:
        raise invalid_field("filter.image_ids", "Enter a list of image IDs.") from error
    inside = set(batch.batch_images.filter(image__in=requested_ids).values_list("image", flat=True))
    if strangers := [key for key in requested_ids if key not in inside]:
        errors = [
            FieldError("filter.image_ids", ErrorCode.DOES_NOT_EXIST, phrases.not_in_batch(key))
            for key in strangers[:LISTED]
        ]
        raise ApiError(ErrorCode.DOES_NOT_EXIST, f"filter.image_ids: {errors[0].detail}", errors=errors)
    return requested_ids


def _of_quality(least: Any) -> Q:
    if least is None:
        return Q()
    try:
        grade = float(least)
    except (TypeError, ValueError):
        grade = -1
    if not 0 <= grade <= 100:
        raise invalid_field("filter.min_quality", f"{str(least)[:20]!r} is not a number from 0 to 100.")
    return Q(quality_grade__gte=grade)


def _of_issue(code: Any) -> Q:
    if code is None:
        return Q()
    if code == ANY:
        return ~Q(issues=[])
    if code not in ISSUE_CODES:
        raise invalid_choice("filter.issue", code, [ANY, *ISSUE_CODES])
    return Q(issues__contains=[{"code": code}])


def applicable_images(
    batch: Batch, work: Work, *, filters: Mapping[str, Any] | None = None
) -> ApplicableImages:
    """The chosen images that the work fits, and the others.

    Raises:
        ApiError: 400 for a wrong filter or more operations than one job holds, 422 for a model that is missing.
    """
    services.check_models(work)
    images = list(_chosen(batch, filters).only(*NEEDED))
    each = len(work.units())
    if (count := len(images) * each) > MAX_OPERATIONS:
        detail = (
            f"{phrases.images(len(images))} with {phrases.operations(each)} each make {count} operations. "
            f"The limit for one job is {MAX_OPERATIONS}. Choose fewer images, for example a single group."
        )
        raise ApiError(ErrorCode.TOO_LONG, detail)
    return selection.applicable_images(work, images)


def estimate_batch(batch: Batch, work: Work, *, filters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the work would cost: images, operations, how many are in the result cache, time range, bytes to read.

    Returns:
        images, items, cached, seconds {p50, p90}, based_on, bytes, notes, left_out_count, and left_out: the first
        `LISTED` images that the work does not fit, each with its reason.
    """
    changes.check_open(batch, approved_ok=True)
    applicable = applicable_images(batch, work, filters=filters)
    return {
        "images": len(applicable.images),
        **services.estimate_work(work, applicable.images),
        "left_out_count": len(applicable.left_out),
        "left_out": [left_out.as_dict() for left_out in applicable.left_out[:LISTED]],
    }


def process_batch(
    batch: Batch,
    work: Work,
    *,
    filters: Mapping[str, Any] | None = None,
    delivery: Delivery | None = None,
    priority: int | None = None,
) -> Job:
    """One job that does the work with every chosen image that it fits; the history records what was left out.

    Args:
        delivery: names and who asks; its priority does not count. Without a folder the results lie in one that is
            called like the batch.
        priority: that of the batch where none is given.

    Raises:
        ApiError: 400 for a wrong filter, where no image is left or there are too many, 409 or 410 for a batch that
            is archived or deleted, 422 `model_unavailable`.
    """
    delivery = delivery or Delivery()
    with transaction.atomic():
        locked = changes.lock(batch)  # so that it is not deleted meanwhile
        changes.check_open(locked, approved_ok=True)
        applicable = applicable_images(locked, work, filters=filters)
        if not applicable.images and not applicable.left_out:
            detail = "The filter matches no images in this batch."
            raise invalid_field("filter", detail, code=ErrorCode.REQUIRED)
        if not applicable.images:
            detail = f"None of the selected images can be processed. {applicable.reasons}"
            left_out = applicable.left_out[:LISTED]
            errors = [FieldError(str(left.image), left.code, left.detail) for left in left_out]
            raise ApiError(ErrorCode.INVALID, detail, errors=errors)
        delivery = replace(
            delivery,
            priority=locked.priority if priority is None else priority,
            output_folder=delivery.output_folder or locked.batch_name.replace("/", "_").replace("\\", "_"),
        )
        job = services.submit_work(work, applicable.images, delivery, batch_id=locked.pk)
        _record(locked, job, applicable, filters, actor=delivery.requested_by)
    return job


@dataclass(frozen=True)
class ChangedJobs:
    """How many jobs of a batch were changed, and how many of their operations."""

    jobs: int
    operations: int


def retry_jobs(batch: Batch, *, only_failed: bool = False, actor: Any) -> ChangedJobs:
    """Queue the failed and cancelled operations of a batch's jobs again, or only the failed ones.

    Raises:
        ApiError: 409 or 410 for a batch that is archived or deleted.
    """
    changes.check_open(batch, approved_ok=True)
    statuses = [OperationStatus.FAILED, *([] if only_failed else [OperationStatus.CANCELLED])]
    retried = batch.jobs.filter(operations__status__in=statuses).distinct()
    counts = [jobs.retry_job(job, statuses=statuses, actor=actor) for job in retried]
    return _changed_jobs(batch, "batch.retry_failed" if only_failed else "batch.retry", counts, actor)


def cancel_jobs(batch: Batch, *, actor: Any) -> ChangedJobs:
    """Cancel what waits or runs of a batch's jobs; what is done stays."""
    unfinished = batch.jobs.filter(operations__status__in=OPERATION_OPEN).distinct()
    counts = [jobs.cancel_job(job, actor=actor) for job in unfinished]
    return _changed_jobs(batch, "batch.cancel", counts, actor)


def _changed_jobs(batch: Batch, name: str, counts: Sequence[int], actor: Any) -> ChangedJobs:
    changed = ChangedJobs(sum(1 for count in counts if count), sum(counts))
    if changed.operations:
        run_status.sync_runs(batch.pk)
        audit.record(name, batch, actor=actor, detail=asdict(changed))
    return changed


def _record(
    batch: Batch, job: Job, applicable: ApplicableImages, filters: Mapping[str, Any] | None, *, actor: Any
) -> None:
    detail = {"job": str(job.pk), "images": len(applicable.images), "left_out": len(applicable.left_out)}
    chosen = {name: value for name, value in (filters or {}).items() if name != "image_ids"}
    audit.record("batch.process", batch, actor=actor, detail={**detail, "filter": chosen})
    if applicable.left_out:
        data = {
            "count": len(applicable.left_out),
            "images": [left.as_dict() for left in applicable.left_out[:LISTED]],
        }
        JobEvent.objects.create(
            job=job, level="warning", code="images_left_out", message=applicable.reasons, data=data
        )

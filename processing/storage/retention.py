"""Clean-up of old files: one service for the API, the command, the admin and the daily retention.

The row goes first, its file after commit. What is kept although it is old, and why, is part of the plan.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from api.core.errors import invalid_choice, invalid_field
from processing.engine import jobs, leases
from processing.engine.registry import Claim, Handler
from processing.models import Job, Operation
from processing.states import OPERATION_OPEN, Priority, Queue
from processing.storage import file_classes
from processing.storage.file_classes import FileClass, Removed

logger = logging.getLogger("pix.retention")
OPERATION = "cleanup"
MIN_DAYS, MAX_DAYS = 0, 36_500
CHUNK = 200
EXAMPLES = 10
RETENTION_LOCK = 7_305_118  # any number, as long as nothing else locks it

Cutoffs = Mapping[str, datetime]  # class of files → everything older goes


@dataclass(frozen=True)
class ClassPlan:
    """What a clean-up would do to one class of files."""

    title: str
    cutoff: datetime
    count: int
    byte_size: int
    examples: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)


def check_days(value: Any) -> int:
    """`days_old` as a whole number of days within its limits."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not MIN_DAYS <= value <= MAX_DAYS:
        raise invalid_field("days_old", f"Enter a whole number from {MIN_DAYS} to {MAX_DAYS}, not {value!r}.")
    return value


def check_classes(value: Any) -> list[str]:
    """The named classes of files; None means all."""
    allowed = file_classes.selectable()
    if value is None:
        return allowed
    if not isinstance(value, list | tuple) or not value:
        raise invalid_field("classes", f"Enter a list with one or more of: {', '.join(allowed)}.")
    for name in value:
        if name not in allowed:
            raise invalid_choice("classes", name, allowed)
    return list(dict.fromkeys(value))


def cutoffs(classes: Sequence[str], *, days_old: int) -> dict[str, datetime]:
    """When the files of each class count as old; the trash, with its own age, goes with the originals."""
    now = timezone.now()
    moments = dict.fromkeys(classes, now - timedelta(days=days_old))
    if "raw" in moments and settings.TRASH_DAYS:
        moments["trash"] = now - timedelta(days=settings.TRASH_DAYS)
    return moments


def plan(moments: Cutoffs) -> dict[str, ClassPlan]:
    """What `clean` would do now, changing nothing."""
    return {name: _class_plan(file_classes.CLASSES[name], moment) for name, moment in moments.items()}


def _class_plan(file_class: FileClass, moment: datetime) -> ClassPlan:
    rest, kept = file_class.older_than(moment), {}
    for reason, condition in file_class.keep().items():
        count = rest.filter(condition).count()
        if count:
            kept[reason] = count
        rest = rest.exclude(condition)
    total = rest.aggregate(total=Sum("byte_size"))["total"] or 0
    examples = [str(row) for row in rest.order_by("created_at")[:EXAMPLES]]
    return ClassPlan(file_class.title, moment, rest.count(), total, examples, kept)


def plan_as_json(plans: Mapping[str, ClassPlan]) -> dict[str, Any]:
    """A plan for people and programs: per class and in total."""
    return {
        "count": sum(part.count for part in plans.values()),
        "byte_size": sum(part.byte_size for part in plans.values()),
        "classes": {
            name: {**asdict(part), "cutoff": part.cutoff.isoformat()} for name, part in plans.items()
        },
    }


def clean(moments: Cutoffs, *, is_wanted: Callable[[], bool] = lambda: True) -> dict[str, Removed]:
    """Remove what is old, in short transactions; `is_wanted` is asked between them."""
    removed = {}
    for name, moment in moments.items():
        removed[name] = _clean_class(file_classes.CLASSES[name], moment, is_wanted)
        logger.info("Clean-up of %s: %s files, %s bytes", name, removed[name].count, removed[name].byte_size)
    return removed


def _clean_class(file_class: FileClass, moment: datetime, is_wanted: Callable[[], bool]) -> Removed:
    total, last = Removed(), None
    while is_wanted():
        rows = _removable(file_class, moment).order_by("pk")
        keys = list((rows if last is None else rows.filter(pk__gt=last)).values_list("pk", flat=True)[:CHUNK])
        if not keys:
            break
        last = keys[-1]
        total += _remove(file_class, moment, keys)
    return total


def _removable(file_class: FileClass, moment: datetime) -> QuerySet:
    rows = file_class.older_than(moment)
    for condition in file_class.keep().values():
        rows = rows.exclude(condition)
    return rows


def _remove(file_class: FileClass, moment: datetime, keys: Sequence[Any]) -> Removed:
    """Lock first, then look again: a job submitted meanwhile holds the row or is seen by the second look."""
    with transaction.atomic():
        free = file_class.model._default_manager.filter(pk__in=keys).select_for_update(skip_locked=True)
        locked = list(free.values_list("pk", flat=True))
        still = list(_removable(file_class, moment).filter(pk__in=locked))
        return file_class.remove(still) if still else Removed()


def submit_cleanup(
    moments: Cutoffs, *, requested_by: Any = None, source: str = "api", request_id: str = ""
) -> Job:
    """Have a worker remove what is older than `moments`."""
    frozen = {name: moment.isoformat() for name, moment in moments.items()}
    return jobs.submit_job(
        kind=OPERATION,
        operations=[jobs.NewOperation(OPERATION, {"cutoffs": frozen})],
        priority=Priority.LOW,
        parameters={"cutoffs": frozen},
        requested_by=requested_by,
        source=source,
        request_id=request_id,
    )


def apply_retention() -> Job | None:
    """Queue a clean-up of what the settings no longer keep, unless nothing is due or one is on its way."""
    now = timezone.now()
    days = {
        "raw": settings.RETENTION_RAW_DAYS,
        "processed": settings.RETENTION_PROCESSED_DAYS,
        "trash": settings.TRASH_DAYS,
    }
    moments = {name: now - timedelta(days=count) for name, count in days.items() if count > 0}
    with transaction.atomic():
        if not _is_first() or Operation.objects.filter(name=OPERATION, status__in=OPERATION_OPEN).exists():
            return None
        due = {
            name: at for name, at in moments.items() if _removable(file_classes.CLASSES[name], at).exists()
        }
        return submit_cleanup(due, source="retention") if due else None


def _is_first() -> bool:
    """Several sweepers may run; the one that holds this lock until its transaction ends decides."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [RETENTION_LOCK])
        return bool(cursor.fetchone()[0])


def _load(claim: Claim, _scratch: Path) -> tuple:
    return (claim,)


def _compute(claim: Claim) -> dict[str, Any]:
    """Runs in the worker itself. A cancelled clean-up stops before its next transaction."""
    moments = {name: parse_datetime(text) for name, text in claim.parameters["cutoffs"].items()}
    removed = clean({k: v for k, v in moments.items() if v}, is_wanted=lambda: bool(leases.owned([claim])))
    return {
        "count": sum(part.count for part in removed.values()),
        "byte_size": sum(part.byte_size for part in removed.values()),
        "classes": {name: asdict(part) for name, part in removed.items()},
    }


def _save(_claim: Claim, value: dict[str, Any]) -> dict[str, Any]:
    return value


HANDLERS = (Handler(OPERATION, Queue.LIGHT, _compute, load=_load, save=_save, isolated=False),)

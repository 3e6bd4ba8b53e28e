"""The cut-offs of each kind of image: read, changed, and what they would flag."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from api.access import audit
from api.core.errors import ApiError, ErrorCode, FieldError
from images.models import Image, QualityProfile, QualityScore
from pixproject.web.base import request_id
from processing.algorithms.errors import ProcessingError
from processing.algorithms.quality.causes import CAUSES, VERSION
from processing.algorithms.quality.grading import DEFAULT_CUTOFFS, check_cutoffs
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job
from processing.states import Priority

KINDS = tuple(Image.Kind.values)
PER_OPERATION = 2000
OPERATION = "judge"


@dataclass(frozen=True)
class Profile:
    """The cut-offs that are in force for a kind; `version` 0 are those that come with Pix."""

    kind: str
    name: str
    version: int
    cutoffs: Mapping[str, float | None]


@dataclass(frozen=True)
class Counts:
    """How many measured images of a kind some cut-offs flag, by measure and altogether."""

    measured: int
    flagged: int
    by_measure: Mapping[str, int]


def profile_of(kind: str) -> Profile:
    """The profile in force for a kind of image."""
    row = QualityProfile.objects.filter(kind=kind, active=True).first()
    default = DEFAULT_CUTOFFS[kind]
    if row is None:
        return Profile(kind, f"{kind} default", 0, default)
    return Profile(kind, str(row), row.version, default | row.thresholds)


def checked(changes: Any) -> dict[str, float | None]:
    """Cut-offs as somebody has sent them.

    Raises:
        ApiError: 400 naming the field.
    """
    if not isinstance(changes, Mapping):
        raise ApiError(ErrorCode.INVALID, "thresholds: Enter an object that maps measures to numbers.")
    try:
        return check_cutoffs(changes)
    except ProcessingError as error:
        field = f"thresholds.{error.field}"
        raise ApiError(
            ErrorCode.INVALID, error.detail, errors=[FieldError(field, "invalid", error.detail)]
        ) from error


def change(kind: str, changes: Any, *, actor: Any, source: str = "api") -> tuple[Profile, Job | None]:
    """Put changed cut-offs of a kind in force as a new version; images are judged again without being measured.

    Returns:
        The new profile, and the job that judges the images of this kind (None where there are none).

    Raises:
        ApiError: 400 naming the field.
    """
    cutoffs = checked(changes)
    with transaction.atomic():
        rows = QualityProfile.objects.select_for_update().filter(kind=kind).order_by("pk")
        version = 1 + max((row.version for row in rows), default=0)
        before = profile_of(kind)
        rows.filter(active=True).update(active=False)
        row = QualityProfile.objects.create(
            name=kind, kind=kind, version=version, active=True,
            thresholds={**before.cutoffs, **cutoffs}, created_by=actor if getattr(actor, "pk", None) else None,
        )  # fmt: skip
        audit.record("quality_profile.change", row, actor=actor, detail={"kind": kind, "thresholds": cutoffs})
        job = _judge_again(kind, actor=actor, source=source)
    return profile_of(kind), job


def _judge_again(kind: str, *, actor: Any, source: str) -> Job | None:
    measured = Image.objects.filter(kind=kind, quality_scores__metric__in=CAUSES)
    keys = list(measured.order_by("pk").values_list("pk", flat=True).distinct())
    if not keys:
        return None
    parts = [keys[at : at + PER_OPERATION] for at in range(0, len(keys), PER_OPERATION)]
    return jobs.submit_job(
        kind="quality",
        operations=[
            NewOperation(OPERATION, {"kind": kind, "first": str(part[0]), "last": str(part[-1])})
            for part in parts
        ],
        priority=Priority.HIGH,
        parameters={"judge": kind},
        requested_by=actor,
        source=source,
        request_id=request_id.current(),
    )


def faults(cutoffs: Mapping[str, float | None]) -> dict[str, Q]:
    """For each measure with a cut-off the condition on `QualityScore` rows that are at fault."""
    return {
        name: Q(metric=name, value__lt=cutoff) if CAUSES[name].bad_side == "below" else Q(metric=name, value__gt=cutoff)
        for name, cutoff in cutoffs.items()
        if cutoff is not None
    }  # fmt: skip


def counts(kind: str, cutoffs: Mapping[str, float | None]) -> Counts:
    """What cut-offs would flag among the images of the library that are measured; one query."""
    rows = QualityScore.objects.filter(
        image__kind=kind, image__status=Image.Status.READY, metric__in=CAUSES, metric_version=VERSION
    )
    conditions = faults(cutoffs)
    at_fault = Q(pk__in=[])
    for condition in conditions.values():
        at_fault |= condition
    totals = rows.aggregate(
        all_measured=Count("image", distinct=True),
        all_flagged=Count("image", distinct=True, filter=at_fault),
        **{f"of_{name}": Count("pk", filter=condition) for name, condition in conditions.items()},
    )
    by_measure = {name: totals.get(f"of_{name}", 0) for name in cutoffs}
    return Counts(totals["all_measured"], totals["all_flagged"], by_measure)

"""Quality of images: have it measured, judge it, find what is missing or stale, report it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from api.core.errors import ApiError, ErrorCode, invalid_choice
from images.models import Image, QualityScore
from images.quality import fingerprints
from images.quality import profiles as quality_profiles
from images.selection import ready_images
from pixproject.web.base import request_id
from processing.algorithms.fingerprint.advice import NO_FINGERPRINT, RULES
from processing.algorithms.quality import causes
from processing.algorithms.quality import metrics as quality
from processing.algorithms.quality.causes import CAUSES
from processing.algorithms.quality.grading import judge
from processing.algorithms.quality.metrics import METRICS
from processing.algorithms.quality.specs import Availability
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.models import Job
from processing.states import Priority

ISSUE_CODES = (
    *(cause.code for cause in CAUSES.values()),
    *dict.fromkeys(rule.code for rule in (NO_FINGERPRINT, *RULES)),
)
JOB_KIND = "quality"
CAUSES_OPERATION, METRICS_OPERATION = "causes", "quality"
ONE_CAUSE = next(iter(CAUSES))  # all of them are written together
ONE_OF_PANEL = "fp_score"  # so are those of a fingerprint's panel


def availability(name: str) -> Availability:
    return quality.availability(name, settings.ML_MODELS_DIR)


def default_metrics() -> list[str]:
    """Those of QUALITY_METRICS that can be computed here; the others are reported as unavailable."""
    return [name for name in settings.QUALITY_METRICS if availability(name).is_available]


def wanted_metrics(metrics: Sequence[str] | None) -> list[str]:
    """The metrics of a request, or the default ones.

    Raises:
        ApiError: 400 for an unknown name, 422 `model_unavailable` with the command for one that cannot be computed.
    """
    if metrics is None:
        return default_metrics()
    names = list(dict.fromkeys(metrics))
    if unknown := [name for name in names if name not in METRICS]:
        raise invalid_choice("metrics", unknown[0], METRICS)
    missing_here = [metric for metric in map(availability, names) if not metric.is_available]
    if missing_here:
        detail = " ".join(f"{metric.name}: {metric.why_not} Run: {metric.command}" for metric in missing_here)
        raise ApiError(ErrorCode.MODEL_UNAVAILABLE, detail)
    return names


def submit_quality(
    images: Sequence[Image] | QuerySet[Image],
    *,
    metrics: Sequence[str] | None = None,
    requested_by: Any = None,
    source: str = "api",
    priority: int = Priority.NORMAL,
    kind: str = JOB_KIND,
) -> Job:
    """Have images measured, again where it was done before: the causes always, and metrics.

    Args:
        metrics: names; None = those of QUALITY_METRICS that can be computed here.

    Raises:
        ApiError: 400, 409 where an image is not ready, 422 `model_unavailable`.
    """
    names = wanted_metrics(metrics)
    rows = ready_images(images, to_be="measured")
    return jobs.submit_job(
        kind=kind,
        operations=operations([image.pk for image in rows], metrics=names),
        priority=priority,
        image_id=rows[0].pk if len(rows) == 1 else None,
        parameters={"metrics": names},
        requested_by=requested_by,
        source=source,
        request_id=request_id.current(),
    )


def operations(keys: Iterable[Any], *, metrics: Sequence[str] | None = None) -> list[NewOperation]:
    """The operations that measure images: causes for each, and metrics where there are any to compute."""
    names = default_metrics() if metrics is None else list(metrics)
    new = []
    for key in keys:
        new.append(NewOperation(CAUSES_OPERATION, {}, image_id=key))
        if names:
            new.append(NewOperation(METRICS_OPERATION, {"metrics": names}, image_id=key))
    return new


def current_versions() -> dict[str, str]:
    """What a measured image has: rows of these metrics in these versions."""
    return {ONE_CAUSE: causes.VERSION} | {name: availability(name).version for name in default_metrics()}


def missing(images: QuerySet[Image]) -> QuerySet[Image]:
    """Those images that lack a row of a measure that can be taken here."""
    without_panel = Q(kind=Image.Kind.FINGERPRINT) & ~Exists(_rows(ONE_OF_PANEL))
    return images.filter(_any_of(~Exists(_rows(name)) for name in current_versions()) | without_panel)


def stale(images: QuerySet[Image]) -> QuerySet[Image]:
    """Those images with a measure of another version than would be taken now."""
    older = (
        Exists(_rows(name).exclude(metric_version=version)) for name, version in current_versions().items()
    )
    old_panel = Exists(_rows(ONE_OF_PANEL).exclude(metric_version=fingerprints.VERSION))
    return images.filter(_any_of(older) | Q(Q(kind=Image.Kind.FINGERPRINT) & Q(old_panel)))


def _rows(metric: str) -> QuerySet[QualityScore]:
    return QualityScore.objects.filter(image=OuterRef("pk"), metric=metric)


def _any_of(conditions: Iterable[Any]) -> Q:
    together = Q()
    for condition in conditions:
        together |= Q(condition)
    return together


def save_rows(image: Image, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write measures of an image in the place of those of the same names."""
    own = QualityScore.objects.filter(image=image)
    own.filter(metric__in=[row["metric"] for row in rows]).delete()
    QualityScore.objects.bulk_create([QualityScore(image=image, **row) for row in rows])


def judge_images(images: Sequence[Image]) -> int:
    """Compare stored measures with the cut-offs in force; answers how many images have new words said of them."""
    values: dict[Any, dict[str, Any]] = {image.pk: {} for image in images}
    rows = QualityScore.objects.filter(image__in=values, value__isnull=False)
    for key, metric, value in rows.values_list("image", "metric", "value"):
        values[key][metric] = value
    profiles = {kind: quality_profiles.profile_of(kind) for kind in {image.kind for image in images}}
    judged = []
    for image in images:
        own, profile = values[image.pk], profiles[image.kind]
        before = (image.quality_grade, image.issues, image.quality_profile)
        judgement = judge(own, profile.cutoffs)
        grade = judgement.grade
        if grade is not None and image.kind == Image.Kind.FINGERPRINT and "fp_score" in own:
            grade = round(min(grade, own["fp_score"]), 1)  # at most the score of its ridges
        image.quality_grade = grade
        image.issues = [issue.as_dict() for issue in judgement.issues] + fingerprints.issues_of(image, own)
        image.quality_profile = profile.name if grade is not None else ""
        image.updated_at = timezone.now()
        if before != (image.quality_grade, image.issues, image.quality_profile):
            judged.append(image)
    Image.objects.bulk_update(
        judged, ["quality_grade", "issues", "quality_profile", "updated_at"], batch_size=500
    )
    return len(judged)


def kind_changed(image: Image) -> None:
    """An image of another kind is judged by other cut-offs; a fingerprint's ridges are to be measured."""
    if not image.quality_scores.filter(metric__in=CAUSES).exists():
        return
    judge_images([image])
    lacks_ridges = image.kind == Image.Kind.FINGERPRINT and fingerprints.panel_json(image) is None
    if lacks_ridges and image.status == Image.Status.READY:
        jobs.submit_job(
            kind=JOB_KIND,
            operations=[NewOperation(CAUSES_OPERATION, {}, image_id=image.pk)],
            image_id=image.pk,
        )

"""The pages of quality: an image's panel, and the cut-offs of each kind with a live count of what they flag."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from api.core.errors import ApiError
from images.models import Image
from images.quality import fingerprints
from images.quality import profiles as quality_profiles
from images.quality import report as quality_report
from images.quality import service as quality
from pixproject.web.access import needs, show_error
from processing.algorithms.quality.causes import CAUSES, Cause
from processing.algorithms.quality.grading import limits
from processing.models import Operation
from processing.states import OPERATION_OPEN

SCALE = 100  # units of the drawn scale, from the worst to the best


@dataclass(frozen=True)
class Mark:
    """A cause as it is drawn: where its number and its cut-off lie between the worst (0) and the best (100)."""

    title: str
    shown: str
    cutoff_shown: str
    at: float
    cutoff_at: float | None
    is_fault: bool
    sentence: str
    description: str
    error: str

    @property
    def label(self) -> str:
        cutoff = f"; cut-off {self.cutoff_shown}" if self.cutoff_shown else ""
        return f"{self.title}: {self.shown}{cutoff}"


def marks(report: Mapping[str, Any]) -> list[Mark]:
    """The causes of a report, faults first."""
    sentences = {issue["measure"]: issue["explanation"] for issue in report["issues"]}
    drawn = []
    for row in report["causes"]:
        cause, value, cutoff = CAUSES[row["name"]], row["value"], row["threshold"]
        drawn.append(
            Mark(
                title=cause.title,
                shown=_shown(cause, value),
                cutoff_shown=_shown(cause, cutoff),
                at=0 if value is None else round(SCALE * cause.normalized(value), 1),
                cutoff_at=None if cutoff is None else round(SCALE * cause.normalized(cutoff), 1),
                is_fault=row["is_fault"],
                sentence=sentences.get(cause.name, ""),
                description=cause.description,
                error=row["error_detail"],
            )
        )
    return sorted(drawn, key=lambda mark: not mark.is_fault)


def _shown(cause: Cause, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.{cause.digits}f}{' ' + cause.unit if cause.unit else ''}"


def quality_context(image: Image) -> dict[str, Any]:
    """What `images/_quality.html` shows."""
    report = quality_report.as_json(image)
    scored = [row for row in report["metrics"] if row["version"]]
    waiting = Operation.objects.filter(
        image=image, status__in=OPERATION_OPEN, name__in=(quality.CAUSES_OPERATION, quality.METRICS_OPERATION)
    )
    return {
        "quality": report,
        "quality_marks": marks(report),
        "quality_advice": [issue for issue in report["issues"] if issue["measure"] not in CAUSES],
        "quality_scores": scored,
        "quality_absent": [
            row for row in report["metrics"] if not row["version"] and not row["is_available"]
        ],
        "quality_unmeasured": [
            row for row in report["metrics"] if not row["version"] and row["is_available"]
        ],
        "quality_is_measured": any(row["version"] for row in report["causes"]),
        "quality_is_waiting": waiting.exists(),
    }


@require_safe
def panel(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """The panel alone, for a page that waits for the numbers."""
    image = get_object_or_404(Image.objects.exclude(status=Image.Status.PURGED), pk=image_id)
    context = {"image": image, **quality_context(image)}
    fingerprint = context["quality"]["fingerprint"]
    # The panel of a print stands elsewhere on the page: it comes along once, and again when all is measured.
    is_new = "print" not in request.GET or not context["quality_is_waiting"]
    context |= {
        "fingerprint": fingerprint,
        "fingerprint_rows": fingerprints.rows_of(fingerprint),
        "is_print_new": bool(fingerprint) and is_new,
    }
    return render(request, "images/_quality_update.html", context)


@require_POST
@needs("process")
def measure(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """Have an image measured."""
    image = get_object_or_404(Image.objects.exclude(status=Image.Status.PURGED), pk=image_id)
    try:
        quality.submit_quality([image], requested_by=request.user, source="web")
    except ApiError as error:
        show_error(request, error)
    return redirect(reverse("image", args=[image.pk]) + "#quality")


@dataclass(frozen=True)
class ThresholdField:
    """One cut-off in the form."""

    name: str
    title: str
    description: str
    text: str
    low: float
    high: float
    step: str
    unit: str
    words: str
    flagged: int


def _fields(cutoffs: Mapping[str, float | None], counts: quality_profiles.Counts) -> list[ThresholdField]:
    fields = []
    for name, cutoff in cutoffs.items():
        cause = CAUSES[name]
        low, high = limits(cause)
        words = f"{cause.fault} {cause.bad_side}"
        text = "" if cutoff is None else f"{cutoff:g}"
        step = "1" if cause.unit == "px" else "any"
        fields.append(
            ThresholdField(
                name,
                cause.title,
                cause.description,
                text,
                low,
                high,
                step,
                cause.unit,
                words,
                counts.by_measure.get(name, 0),
            )  # fmt: skip
        )
    return fields


def _requested_cutoffs(data: QueryDict) -> dict[str, Any]:
    """The cut-offs of the form as numbers; an empty one is not judged by, other text stays and is refused."""
    cutoffs: dict[str, Any] = {}
    for name in CAUSES:
        if name in data:
            text = data.get(name, "").strip()
            try:
                cutoffs[name] = float(text) if text else None
            except ValueError:
                cutoffs[name] = text[:50]
    return cutoffs


def _kind(text: str) -> str:
    return text if text in quality_profiles.KINDS else quality_profiles.KINDS[0]


@require_safe
def profiles(request: HttpRequest) -> HttpResponse:
    """The cut-offs of one kind; htmx asks for the counts while somebody types."""
    kind = _kind(request.GET.get("kind", ""))
    profile = quality_profiles.profile_of(kind)
    cutoffs = dict(profile.cutoffs)
    context: dict[str, Any] = {"kind": kind, "kinds": Image.Kind.choices, "profile": profile}
    try:
        cutoffs |= quality_profiles.checked(_requested_cutoffs(request.GET))
    except ApiError as error:
        context["error"] = error.detail
    counts = quality_profiles.counts(kind, cutoffs)
    context |= {"fields": _fields(cutoffs, counts), "counts": counts}
    is_count = request.headers.get("HX-Request") == "true"
    return render(
        request, "images/_quality_counts.html" if is_count else "images/quality_profiles.html", context
    )


@require_POST
@needs("process")
def profile_change(request: HttpRequest, kind: str) -> HttpResponse:
    """Put changed cut-offs in force."""
    kind = _kind(kind)
    try:
        profile, job = quality_profiles.change(
            kind, _requested_cutoffs(request.POST), actor=request.user, source="web"
        )
    except ApiError as error:
        show_error(request, error)
    else:
        again = " The images are being re-evaluated." if job else ""
        messages.success(request, f"“{profile.name}” is now in use.{again}")
    return redirect(f"{reverse('quality-profiles-page')}?kind={kind}")

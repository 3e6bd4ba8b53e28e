"""Near-duplicates of a batch: sets of pictures that are the same one again, decided here."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from api.access.permissions import has_scope
from api.core.errors import ApiError
from batches.duplicates import sets as near_sets
from batches.duplicates.sets import NearImage, NearSet
from batches.history.changes import ExpectedVersion
from batches.models import Batch, BatchImage
from pixproject.web.access import needs, tell

DEFAULT_THRESHOLD = 0.5
SETS_PER_PAGE = 40
MOST_SETS = 4000
SHOWN_IN_PREVIEW = 60


@dataclass(frozen=True)
class Shown:
    """What the page shows at a threshold: sets to decide, and those that are decided."""

    threshold: float
    open: list[NearSet]
    decided: list[NearSet]

    @property
    def image_count(self) -> int:
        return sum(len(one.images) for one in self.open)

    @property
    def others(self) -> list[NearImage]:
        """The pictures that resolving all would reject."""
        return [
            row
            for one in self.open
            for row in one.images
            if row.image_id != one.original and row.decision != BatchImage.Decision.REJECTED
        ]


@require_safe
@never_cache
def near(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The page, or with `part` only the sets (`sets`) or the preview of resolving them all (`preview`)."""
    batch = get_object_or_404(Batch.objects.present(), pk=batch_id)
    threshold, problem = _threshold(request.GET.get("threshold", ""))
    shown = _shown(batch, threshold)
    limit = _limit(request.GET.get("limit", ""))
    part = request.GET.get("part", "")
    steps = near_sets.counts(batch)
    context = {
        "batch": batch,
        "shown": shown,
        "steps": steps,
        "steps_json": json.dumps([[round(step, 4), *found] for step, *found in steps]),
        "sets": shown.open[:limit],
        "next_limit": limit + SETS_PER_PAGE if len(shown.open) > limit else None,
        "others": shown.others[:SHOWN_IN_PREVIEW],
        "is_preview": "preview" in request.GET,
        "problem": problem,
        "is_open": batch.is_open,
        "may_edit": has_scope(request.user, "write") and batch.is_open,
    }
    if part in ("sets", "preview"):
        return render(request, f"batches/_near_{part}.html", context)
    return render(request, "batches/near.html", context, status=400 if problem else 200)


def _threshold(text: str) -> tuple[float, str]:
    """A threshold from 0 to 1, and a sentence where the address gives none."""
    if not text:
        return DEFAULT_THRESHOLD, ""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if 0 <= number <= 1:
        return number, ""
    return DEFAULT_THRESHOLD, f"The threshold must be from 0 (strict) to 1 (loose), not {text[:20]}."


def _limit(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_SETS))
    return max(SETS_PER_PAGE, min(int(text), MOST_SETS)) if is_number else SETS_PER_PAGE


def _shown(batch: Batch, threshold: float) -> Shown:
    found = near_sets.sets(batch, threshold)
    waiting = [one for one in found if not one.is_decided]
    return Shown(threshold, waiting, [one for one in found if one.is_decided])


@require_POST
@needs("write")
def resolve(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Decide one set, or with `all` every set at a threshold by its suggested original."""
    batch = get_object_or_404(Batch.objects.present(), pk=batch_id)
    threshold, _ = _threshold(request.POST.get("threshold", ""))
    try:
        verdict = request.POST.get("verdict", "duplicate")
        decisions = (
            near_sets.all_decisions(batch, threshold) if "all" in request.POST else [_decision(request)]
        )
        change = near_sets.resolve(
            batch, decisions=decisions, verdict=verdict, actor=request.user, seen=_seen(request)
        )
    except ValueError:
        messages.error(request, "That is no picture of this batch.")
    except ApiError as error:
        tell(request, error)
    else:
        said = (
            f"{change.summary[:1].upper()}{change.summary[1:]}." if change else "Nothing was left to decide."
        )
        messages.success(request, said)
    address = reverse("batch-near", args=[batch.pk])
    return redirect(f"{address}?threshold={threshold:g}")


def _decision(request: HttpRequest) -> dict[str, Any]:
    keep = uuid.UUID(request.POST.get("keep", ""))
    named = [uuid.UUID(word) for word in request.POST.getlist("image")]
    return {"keep": keep, "others": [key for key in named if key != keep]}


def _seen(request: HttpRequest) -> ExpectedVersion | None:
    text = request.POST.get("version", "")
    return (
        ExpectedVersion(int(text), is_header=False)
        if text.isascii() and text.isdigit() and len(text) < 10
        else None
    )


urlpatterns = [
    path("<uuid:batch_id>/near-duplicates/", near, name="batch-near"),
    path("<uuid:batch_id>/near-duplicates/resolve/", resolve, name="batch-near-resolve"),
]

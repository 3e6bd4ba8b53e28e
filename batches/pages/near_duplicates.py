"""Near-duplicates of a batch: sets of images that show the same, decided here."""

import json
import uuid
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from api.access.permissions import has_scope
from api.core.errors import ApiError
from batches import phrases
from batches.duplicates import sets as near_sets
from batches.duplicates.sets import NearImage, NearSet
from batches.models import Batch, BatchImage
from batches.pages.forms import DEFAULT_THRESHOLD, NearForm, ResolveForm
from batches.pages.refusals import shows_refusals
from pixproject.web.access import needs
from pixproject.web.forms import read

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
        """The images that resolving all would reject."""
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
    form = NearForm(request.GET)
    problem = "" if form.is_valid() else next(iter(form.errors.values()))[0]
    values = form.cleaned_data
    threshold = values.get("threshold", DEFAULT_THRESHOLD)
    sets = near_sets.sets(batch, threshold)
    waiting = [one for one in sets if not one.is_decided]
    shown = Shown(threshold, waiting, [one for one in sets if one.is_decided])
    limit = max(SETS_PER_PAGE, min(values["limit"], MOST_SETS))
    part = values.get("part", "")
    steps = near_sets.counts(batch)
    context = {
        "batch": batch,
        "shown": shown,
        "steps": steps,
        "steps_json": json.dumps([[round(step, 4), *counts] for step, *counts in steps]),
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


def _same_threshold(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    form = NearForm(request.POST)
    form.is_valid()
    threshold = form.cleaned_data.get("threshold", DEFAULT_THRESHOLD)
    return redirect(f"{reverse('batch-near', args=[batch_id])}?threshold={threshold:g}")


@require_POST
@needs("write")
@shows_refusals(_same_threshold)
def resolve(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """Decide one set, or with `all` every set at a threshold by its suggested original."""
    batch = get_object_or_404(Batch.objects.present(), pk=batch_id)
    values = read(ResolveForm(request.POST))
    if "all" in request.POST:
        decisions = near_sets.all_decisions(batch, values["threshold"])
    elif values["keep"]:
        keep = values["keep"][0]
        decisions = [{"keep": keep, "others": [key for key in values["image"] if key != keep]}]
    else:
        raise ApiError("required", "Select the image to keep.")
    change = near_sets.resolve(
        batch,
        decisions=decisions,
        verdict=values["verdict"],
        actor=request.user,
        expected_version=values["version"],
    )
    messages.success(request, phrases.step(change) if change else "There was nothing left to decide.")
    return _same_threshold(request, batch_id)


urlpatterns = [
    path("<uuid:batch_id>/near-duplicates/", near, name="batch-near"),
    path("<uuid:batch_id>/near-duplicates/resolve/", resolve, name="batch-near-resolve"),
]

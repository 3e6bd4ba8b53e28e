"""One picture beside the others of the review page: what is known of it, and the pictures that look the same."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from batches import phrases
from batches.duplicates import sets as near_sets
from batches.duplicates.sets import NearImage
from batches.models import Batch, BatchImage
from batches.pages import review as views_review
from batches.pages import review_presenter
from batches.pages.presenters import find
from images.quality import report as quality_report


@dataclass(frozen=True)
class Side:
    """One of two pictures that are compared; `better` names the facts in which it is ahead of the other."""

    image: NearImage
    is_suggested: bool
    better: frozenset[str]


@dataclass(frozen=True)
class Comparison:
    """Two pictures that look the same, side by side; `bits` and `distance` between them where they are known."""

    sides: tuple[Side, Side]
    bits: int | None
    distance: float | None

    @property
    def difference(self) -> str:
        return phrases.difference(self.bits, self.distance)


@require_safe
@never_cache
def picture(request: HttpRequest, batch_id: uuid.UUID, image_id: uuid.UUID) -> HttpResponse:
    """One image with what is known of it; `with` names another one of its set, which then stands beside it."""
    batch = find(batch_id)
    rows = review_presenter.members(BatchImage.objects.filter(batch=batch, image=image_id))
    member = rows.defer(None).select_related("image", "group").first()
    if member is None:
        raise Http404
    report = quality_report.as_json(member.image)
    context = {
        **views_review.common(request, batch, []),
        "member": member,
        "image": member.image,
        "words": review_presenter.words_of(member),
        "quality": report,
        "is_measured": any(row["version"] for row in report["causes"]),
        **alike(batch, image_id, request.GET.get("with", "")),
    }
    return render(request, "batches/review/_panel.html", context)


def alike(batch: Batch, image_id: uuid.UUID, other: str) -> dict[str, Any]:
    """Near-duplicates in this batch, and the comparison with the requested one."""
    near_set = near_sets.of_image(batch, image_id)
    if near_set is None:
        return {"alike": [], "compared": None}
    by_key = {str(image.image_id): image for image in near_set.images}
    mine = by_key.pop(str(image_id))
    compared = None
    if other in by_key:
        theirs = by_key[other]
        between = {frozenset((str(one), str(two))): (bits, far) for one, two, bits, far in near_set.pairs}
        bits, distance = between.get(frozenset((str(image_id), other)), (None, None))
        sides = [
            Side(one, one.image_id == near_set.original, frozenset(_ahead(one, two)))
            for one, two in ((mine, theirs), (theirs, mine))
        ]
        compared = Comparison((sides[0], sides[1]), bits, distance)
    return {"alike": list(by_key.values()), "compared": compared}


def _ahead(one: NearImage, two: NearImage) -> list[str]:
    facts = {
        "size": (one.width * one.height, two.width * two.height),
        "bytes": (one.byte_size, two.byte_size),
        "grade": (one.quality_grade or 0, two.quality_grade or 0),
        "camera": (one.has_camera_data, two.has_camera_data),
    }
    return [name for name, (mine, theirs) in facts.items() if mine > theirs]


urlpatterns = [
    path("<uuid:batch_id>/review/images/<uuid:image_id>/", picture, name="batch-review-picture"),
]

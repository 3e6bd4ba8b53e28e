"""Refusals of services on the pages of batches: a message in the words of the forms, then back to where people were."""

import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from api.core.errors import ApiError
from batches.clustering.parameters import LABELS
from pixproject.web.access import View, next_path
from pixproject.web.access import shows_refusals as shows_refusals_in
from processing.algorithms.errors import ProcessingError

FIELDS = {
    **LABELS,
    "filter.group": "Group",
    "filter.decision": "Decision",
    "filter.min_quality": "Minimum grade",
    "filter.issue": "Quality issue",
    "priority": "Priority",
}
# Fields whose sentences say enough.
UNNAMED = (
    *("assignee", "batch", "batch_name", "cover", "decisions", "filter", "from", "image_ids", "into"),
    *("items", "label", "name", "reason", "reviewer", "threshold", "to"),
)


def refusal(error: ApiError | ProcessingError) -> str:
    """The sentences of a refusal, one a field, with the fields named as the forms name them."""
    first: dict[str, str] = {}
    for row in getattr(error, "errors", ()):
        first.setdefault(row.field, row.detail)
    if not first or not set(first) <= {*FIELDS, *UNNAMED}:
        return str(error.detail)
    return " ".join(f"{FIELDS[field]}: {text}" if field in FIELDS else text for field, text in first.items())


def back(request: HttpRequest, batch_id: uuid.UUID, **others: object) -> HttpResponse:
    """To the page that the form names, else to that of the batch."""
    return redirect(next_path(request, reverse("batch", args=[batch_id])))


def shows_refusals(page: View = back) -> Callable[[View], View]:
    """Show what a service refuses as a message on `page`."""
    return shows_refusals_in(page, sentence=refusal)

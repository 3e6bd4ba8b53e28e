"""The review page: groups as strips, one group as a grid, what is in no group."""

import json
import uuid
from collections import Counter
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from api.access.permissions import has_scope
from batches.clustering import vectors
from batches.groups import statistics
from batches.models import Batch, BatchImage, Group
from batches.pages import review_actions, review_group, review_presenter
from batches.pages.forms import SinceForm
from batches.pages.presenters import find
from batches.pages.review_presenter import GroupListQuery, GroupRow
from pixproject.web.forms import read
from processing.pages.forms import OffsetForm

NONE = "unassigned"  # in place of a label; no group may have it
SUGGESTED = 24
GROUPS_SUGGESTED = 40
KEYS = 9
TARGETS = 60
SEARCH_MAX = 200


def group_list_query(request: HttpRequest) -> GroupListQuery:
    """The order and the filters of the address, as far as they are some."""
    order, status = request.GET.get("order", ""), request.GET.get("status", "")
    return GroupListQuery(
        order=order if order in review_presenter.ORDERS else "largest",
        status=status if status in review_presenter.STATUSES else "all",
        search=request.GET.get("search", "").strip()[:SEARCH_MAX],
        pictures=review_group.order_of(request.GET.get("pictures", ""), request.session),
    )


def common(request: HttpRequest, batch: Batch, rows: list[GroupRow]) -> dict[str, Any]:
    """What every fragment of the page needs."""
    closed = closed_sentence(batch)
    may_write = has_scope(request.user, "write")
    return {
        "batch": batch,
        "closed": closed if may_write else "",
        "may_edit": may_write and not closed,
        "progress": review_presenter.progress(batch, rows),
        "asked": group_list_query(request),
    }


def closed_sentence(batch: Batch) -> str:
    if batch.is_archived:
        return "This batch is archived. You can view it, but not change it."
    if batch.is_approved:
        return "This batch is approved. You can view it, but not change it. Reopen it on its overview to make changes."
    return ""


@require_safe
@never_cache
def overview(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """All groups as strips; htmx asks for the ones that follow."""
    batch = find(batch_id)
    state = vectors.embedding_state(batch)
    rows = review_presenter.rows_of(batch, state=state)
    query = group_list_query(request)
    ordered = review_presenter.ordered(rows, query)
    page = review_presenter.page(ordered, query, after=request.GET.get("after", ""))
    context = {**common(request, batch, rows), "page": page}
    if request.headers.get("HX-Request") and "after" in request.GET:
        return render(request, "batches/review/_strips.html", context)
    context |= {
        "orders": review_presenter.ORDERS,
        "statuses": review_presenter.STATUSES,
        "next_open": _next_open(rows, query),
        **targets(rows),
        **unassigned_context(batch, state=state),
    }
    return render(request, "batches/review/review.html", context)


def _next_open(rows: list[GroupRow], query: GroupListQuery) -> str:
    """The address of the first group that waits for somebody; "" where none does."""
    row = next(
        (row for row in review_presenter.ordered(rows, GroupListQuery(query.order)) if _is_open(row)), None
    )
    if row is None:
        return ""
    address = reverse("batch-review-group", args=[row.group.batch_id, row.group.label])
    return f"{address}?order={query.order}"


def _is_open(row: GroupRow) -> bool:
    return not row.group.is_confirmed and row.count > 0


def targets(rows: list[GroupRow]) -> dict[str, Any]:
    """Where images can be moved by key or drag: the largest groups first, of which the first have numbers."""
    largest = review_presenter.ordered(rows, GroupListQuery())[:TARGETS]
    return {"targets": largest, "keys": [row.group.label for row in largest[:KEYS]]}


def unassigned_context(batch: Batch, *, state: vectors.EmbeddingState, offset: int = 0) -> dict[str, Any]:
    """The images in no group, each with the groups nearest to it; those without a vector follow plain."""
    page = statistics.suggestions(batch, limit=SUGGESTED, offset=offset, state=state)
    members = review_presenter.members(
        BatchImage.objects.filter(batch=batch, image__in=[row.image_id for row in page.results])
    )
    by_image = {member.image_id: member for member in members}
    pairs = [(by_image[row.image_id], row) for row in page.results if row.image_id in by_image]
    context = {
        "suggested": pairs,
        "next_offset": offset + SUGGESTED if page.count > offset + SUGGESTED else 0,
        "plain": [] if page.count else review_group.pictures(batch, None)[0][:SUGGESTED],
    }
    return context if offset or not pairs else context | _slider(batch, state)


def _slider(batch: Batch, state: vectors.EmbeddingState) -> dict[str, Any]:
    """How many images each distance takes in, and how many wait for each group."""
    steps = [list(step) for step in statistics.counts_by_distance(batch, state=state)]
    waiting = Counter(near.groups[0] for near in statistics.nearest(batch, state=state))
    groups = Group.objects.in_bulk([key for key, _ in waiting.most_common(GROUPS_SUGGESTED)])
    return {
        "steps": steps,
        "distance_steps": json.dumps(steps),
        "start_step": len(steps) // 3,
        "by_group": [
            (groups[key].title, groups[key].label, count)
            for key, count in waiting.most_common(GROUPS_SUGGESTED)
            if key in groups
        ],
    }


@require_safe
@never_cache
def unassigned(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """The panel of images in no group, or its next part."""
    batch = find(batch_id)
    state = vectors.embedding_state(batch)
    offset = read(OffsetForm(request.GET))["offset"]
    rows = review_presenter.rows_of(batch, state=state)
    context = {**common(request, batch, rows), **unassigned_context(batch, state=state, offset=offset)}
    template = "_suggestions.html" if offset else "_unassigned.html"
    return render(request, f"batches/review/{template}", context)


@require_safe
@never_cache
def group(request: HttpRequest, batch_id: uuid.UUID, label: str) -> HttpResponse:
    """One group as a grid, with the others beside it; `unassigned` shows what is in none."""
    batch = find(batch_id)
    if "\0" in label:  # PostgreSQL knows no such text
        raise Http404
    shown = None if label == NONE else get_object_or_404(Group, batch=batch, label=label)
    order, after = group_list_query(request).pictures if shown else "", request.GET.get("after", "")
    members, following = review_group.pictures(batch, shown, order=order, after=after)
    if request.headers.get("HX-Request") and "after" in request.GET:
        rows: list[GroupRow] = []
        context = {**common(request, batch, rows), "members": members, "following": following}
        return render(request, "batches/review/_pictures.html", context)
    rows = review_presenter.rows_of(batch)
    context = {**common(request, batch, rows), "members": members, "following": following}
    row = next((row for row in rows if shown is not None and row.group.pk == shown.pk), None)
    context |= {"label": label, "row": row, **targets(rows), **_neighbours(rows, context["asked"], row)}
    context["title"] = row.group.title if row else "Unassigned"
    return render(request, "batches/review/group.html", {**context, "picture_orders": review_group.ORDERS})


def _neighbours(rows: list[GroupRow], query: GroupListQuery, row: GroupRow | None) -> dict[str, Any]:
    """The groups before and after one in the order, and the next one that is not confirmed."""
    order = review_presenter.ordered(rows, query)
    labels = [other.group.label for other in order]
    at = labels.index(row.group.label) if row is not None and row.group.label in labels else None
    following = order if at is None else [*order[at + 1 :], *order[:at]]
    return {
        "before": order[at - 1] if at else None,
        "after": order[at + 1] if at is not None and at + 1 < len(order) else None,
        "next_open": next((other for other in following if _is_open(other)), None),
    }


@require_safe
@never_cache
def sync(request: HttpRequest, batch_id: uuid.UUID) -> HttpResponse:
    """What changed since a version: strips of the groups concerned, tiles of an opened group, the counts.

    `reload` stands where that would be more than a page: the whole is then asked for again.
    """
    batch = find(batch_id)
    keys, images, is_much = review_presenter.touched(batch, since=read(SinceForm(request.GET))["since"])
    rows = review_presenter.rows_of(batch)
    context = common(request, batch, rows)
    answer: dict[str, Any] = {
        "version": batch.version,
        "reload": is_much,
        "groups": [_as_json(row) for row in review_presenter.ordered(rows, GroupListQuery())],
        "progress": _part("_progress.html", context),
        "unassigned": context["progress"].unassigned,
        "next_open": _next_open(rows, context["asked"]),
        "strips": {},
        "images": {},
    }
    if not is_much:
        label = request.GET.get("group")
        if label is None:
            shown = {row.group.pk: row for row in review_presenter.strips_of(batch, keys, rows)}
            answer["strips"] = {str(key): _strip(context, shown.get(key)) for key in keys}
        else:
            answer |= _open_group(context, label, images, rows)
    return JsonResponse(answer)


def _open_group(
    context: dict[str, Any], label: str, images: set[uuid.UUID], rows: list[GroupRow]
) -> dict[str, Any]:
    """Tiles of the touched images that are in the opened group now; null for those that left it."""
    row = next((row for row in rows if row.group.label == label), None)
    if row is None and label != NONE:
        return {"is_gone": True}
    inside = BatchImage.objects.filter(batch=context["batch"], image__in=images)
    inside = inside.filter(group=row.group if row else None).order_by("position")
    tiles: dict[str, str | None] = {str(key): None for key in images}
    for member in review_group.with_sureness(review_presenter.members(inside)):
        tiles[str(member.image_id)] = _part("_picture.html", {**context, "member": member})
    context |= {"row": row, "label": label, **_neighbours(rows, context["asked"], row)}
    return {"images": tiles, "title": _part("_group_title.html", context)}


def _strip(context: dict[str, Any], row: GroupRow | None) -> str | None:
    return None if row is None else _part("_strip.html", {**context, "row": row})


def _part(template: str, context: dict[str, Any]) -> str:
    return render_to_string(f"batches/review/{template}", context)


def _as_json(row: GroupRow) -> dict[str, Any]:
    return {
        "id": str(row.group.pk),
        "label": row.group.label,
        "title": row.group.title,
        "count": row.count,
        "is_confirmed": row.group.is_confirmed,
        "cover": row.cover and str(row.cover),
        "url": reverse("batch-review-group", args=[row.group.batch_id, row.group.label]),
    }


urlpatterns = [
    path("<uuid:batch_id>/review/", overview, name="batch-review"),
    path("<uuid:batch_id>/review/unassigned/", unassigned, name="batch-review-unassigned"),
    path("<uuid:batch_id>/review/sync/", sync, name="batch-review-sync"),
    path("<uuid:batch_id>/review/act/", review_actions.act, name="batch-review-act"),
    path("<uuid:batch_id>/review/groups/<str:label>/", group, name="batch-review-group"),
]

"""Process… for batches: which images, which operations, what it costs, yes or no."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from api.core.errors import ApiError
from api.core.phrases import counted
from batches import processing as batch_work
from batches.admin.confirmation import Line, back_url, images_in, report_changes, rows
from batches.models import BatchImage
from batches.pages.forms import FILTERS, FiltersForm
from images.admin.process import TEXTS, DeliveryForm, asked_work, operation_forms, work_as_json
from images.quality.service import ISSUE_CODES
from pixproject.web.admin import PixModelAdmin
from pixproject.web.base import request_id
from pixproject.web.forms import read
from pixproject.web.templatetags.pix_admin import duration
from processing.pages.forms import PriorityField
from processing.services import Delivery, Work
from processing.states import Priority

COLUMNS = ("Images", "Operations", "In the cache", "Takes", "Skipped")
MOST_GROUPS = 200


class BatchDeliveryForm(DeliveryForm):
    """As for images; without a priority the one of the batch counts."""

    priority = PriorityField(empty_value=None)


def process_page(model_admin: PixModelAdmin, request: HttpRequest, batches: Sequence[Any]) -> HttpResponse:
    """The form; then what it would cost each batch; then a job for each."""
    posted = request.POST
    context = model_admin.page(request, "Process batches") | _form_context(posted, batches)
    context["back_url"] = back_url(request)
    if "stage" not in posted:
        return TemplateResponse(request, "admin/batches/batch/process.html", context)
    try:
        work = asked_work(posted)
        if posted["stage"] == "start":
            return _start(request, batches, work)
        context |= _estimate(batches, work, _filters(posted))
    except ApiError as error:
        context["refusals"] = [item.detail for item in error.errors] or [error.detail]
        return TemplateResponse(request, "admin/batches/batch/process.html", context)
    filters = _filters(posted)
    context |= {
        "work": work,
        "asked": work_as_json(work),
        "units": [name for name, _ in work.units()],
        "repeated": [
            (name, posted.get(name, "")) for name in (*TEXTS, *(f"filter-{name}" for name in filters))
        ],
        "filters": filters,
        "columns": COLUMNS,
    }
    return TemplateResponse(request, "admin/batches/batch/process_confirm.html", context)


def _form_context(posted: QueryDict, batches: Sequence[Any]) -> dict[str, Any]:
    groups = batches[0].groups.order_by("label")[:MOST_GROUPS] if len(batches) == 1 else []
    return {
        "batches": batches,
        "title_counts": images_in(batches),
        "operations": operation_forms(posted),
        "priorities": [("", "priority of the batch"), *Priority.choices],
        "preset_priority": "",
        "preset_folder": "name of the batch",
        "posted": posted,
        "selected": posted.getlist("_selected_action"),
        "groups": groups,
        "decisions": [*BatchImage.Decision.values, batch_work.ANY],
        "issues": [batch_work.ANY, *ISSUE_CODES],
        "filter_values": _filters(posted),
    }


def _filters(posted: QueryDict) -> dict[str, str]:
    given = read(FiltersForm(posted, prefix="filter"))
    return {name: given[name] for name in FILTERS if given[name]}


def _estimate(batches: Sequence[Any], work: Work, filters: Mapping[str, str]) -> dict[str, Any]:
    """What the work costs each batch, and all of them together.

    Raises:
        ApiError: where it can be done with none of them.
    """
    lines, totals = [], dict.fromkeys(("images", "items", "cached", "bytes", "based_on", "p50", "p90"), 0)
    first: ApiError | None = None
    notes: dict[str, None] = {}
    for batch in batches:
        try:
            estimate = batch_work.estimate_batch(batch, work, filters=filters)
        except ApiError as error:
            first = first or error
            lines.append(Line(batch, refusal=error.detail))
            continue
        lines.append(_line(batch, estimate))
        for name in totals:
            totals[name] += estimate["seconds"][name] if name in estimate["seconds"] else estimate[name]
        notes |= dict.fromkeys(estimate["notes"])
    if first is not None and all(line.refusal for line in lines):
        raise first
    return {"rows": rows(lines, COLUMNS), "estimate": totals, "notes": list(notes)}


def _line(batch: Any, estimate: Mapping[str, Any]) -> Line:
    left_out = ""
    if estimate["left_out"]:
        example = estimate["left_out"][0]
        left_out = f"{estimate['left_out_count']}, for example {example['name']}: {example['detail']}"
    if not estimate["images"]:
        return Line(
            batch,
            refusal=left_out and f"All images are skipped: {left_out}" or "The filter matches no images.",
        )
    seconds = duration(estimate["seconds"]["p50"]) if estimate["based_on"] else "unknown"
    if estimate["cached"] == estimate["items"]:
        seconds = "no time: all results are cached"
    return Line(
        batch,
        (str(estimate["images"]), str(estimate["items"]), str(estimate["cached"]), seconds, left_out or "–"),
    )


def _start(request: HttpRequest, batches: Sequence[Any], work: Work) -> HttpResponse:
    """A job for each batch that the work fits; refusals are listed by name."""
    started, refusals, filters = [], [], _filters(request.POST)
    values = read(BatchDeliveryForm(request.POST))
    priority = values.pop("priority")
    delivery = Delivery(**values, requested_by=request.user, source="admin", request_id=request_id.current())
    for batch in batches:
        try:
            started.append(
                batch_work.process_batch(batch, work, filters=filters, delivery=delivery, priority=priority)
            )
        except ApiError as error:
            refusals.append(f"{batch.batch_name}: {error.detail}")
    operations = counted(sum(job.operations_total for job in started), "operation")
    report_changes(request, len(started), len(batches), f"submitted: {operations}", refusals)
    if len(started) == 1:
        return redirect("admin:processing_job_change", started[0].pk)
    return redirect("admin:batches_batch_changelist")

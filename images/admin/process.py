"""The page between choosing images and processing them: operations, parameters, what it costs, yes or no."""

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from api.access import audit
from api.core.errors import ApiError
from api.core.phrases import counted
from images import selection
from images.models import Image
from images.selection import ApplicableImages
from pixproject.web.base import request_id
from pixproject.web.forms import read
from processing import services
from processing.algorithms.operations.table import OPERATIONS
from processing.pages import composer
from processing.pages.forms import PriorityField
from processing.pages.operation_form import OperationForm
from processing.services import Delivery, Work
from processing.states import Priority

NEEDED = ("id", "original_filename", "format", "width", "height", "sha256", "byte_size", "status")
TEXTS = ("output_folder", "filename_prefix", "reference")


class DeliveryForm(forms.Form):
    """How the results are named, and how soon they are made."""

    priority = PriorityField()
    output_folder = forms.CharField(required=False)
    filename_prefix = forms.CharField(required=False)
    reference = forms.CharField(required=False)


def process_page(request: HttpRequest, queryset: QuerySet[Image], context: dict[str, Any]) -> HttpResponse:
    """The form; then what it would cost; then the job."""
    chosen = list(queryset.select_related(None).only(*NEEDED))
    ready = [image for image in chosen if image.status == Image.Status.READY]
    posted = request.POST
    context |= {
        "count": len(chosen),
        "not_ready": len(chosen) - len(ready),
        "pictures": ready[:12],
        "operations": operation_forms(posted),
        "priorities": Priority.choices,
        "preset_priority": Priority.NORMAL,
        "posted": posted,
        "selected": posted.getlist("_selected_action"),
    }
    if "stage" not in posted:
        return TemplateResponse(request, "admin/images/image/process.html", context)
    try:
        work = asked_work(posted)
        suited = selection.applicable_images(work, ready)
        estimate = services.estimate_work(work, suited.images)
        if posted["stage"] == "start" and suited.images:
            return _start(request, work, suited)
    except ApiError as error:
        context["refusals"] = [item.detail for item in error.errors] or [error.detail]
        return TemplateResponse(request, "admin/images/image/process.html", context)
    context |= {"work": work, "asked": work_as_json(work), "suited": suited, "estimate": estimate}
    context |= {
        "units": [name for name, _ in work.units()],
        "texts": [(name, posted.get(name, "")) for name in TEXTS],
    }
    return TemplateResponse(request, "admin/images/image/process_confirm.html", context)


def _start(request: HttpRequest, work: Work, suited: ApplicableImages) -> HttpResponse:
    delivery = read(DeliveryForm(request.POST))
    job = services.submit_work(
        work,
        suited.images,
        Delivery(
            **delivery,
            requested_by=request.user,
            source="admin",
            request_id=request_id.current(),
        ),
    )
    detail = {"door": "admin", "operations": job.operations_total, "images": len(suited.images)}
    audit.record("job.submit", job, request=request, detail=detail)
    messages.success(request, f"{counted(job.operations_total, 'operation')} submitted.")
    if suited.left_out:
        messages.warning(request, suited.reasons)
    return redirect("admin:processing_job_change", job.pk)


def operation_forms(posted: QueryDict) -> list[OperationForm]:
    """Every operation; once the form was posted, with what was typed."""
    data = posted if "stage" in posted else None
    return [OperationForm(spec, data) for spec in OPERATIONS.values()]


def asked_work(posted: QueryDict) -> Work:
    """The work of a request: as the confirmation repeats it, or out of the form's inputs."""
    if posted["stage"] == "start":
        return services.parse_work(operations=posted.get("operations"), pipeline=posted.get("pipeline"))
    return composer.work_of(posted)


def work_as_json(work: Work) -> dict[str, str]:
    return {name: json.dumps(steps) for name, steps in work.as_dict().items()}

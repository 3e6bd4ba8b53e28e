"""The page between choosing images and processing them: operations, parameters, what it costs, yes or no."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from api.access import audit
from api.core.errors import ApiError
from images.models import Image
from pixproject.web.admin import plural
from pixproject.web.base import request_id
from pixproject.web.forms import read
from processing import services
from processing.algorithms.operations.table import OPERATIONS
from processing.pages.forms import PriorityField
from processing.services import Delivery, Work
from processing.states import Priority

NEEDED = ("id", "original_filename", "format", "width", "height", "sha256", "byte_size", "status")
LAST = 10_000  # where a step without a number stands
TEXTS = ("output_folder", "filename_prefix", "reference")


@dataclass(frozen=True)
class Parameter:
    """One input of an operation's form."""

    input_name: str
    schema: dict[str, Any]
    value: str

    @property
    def choices(self) -> list[str]:
        """The words of a list; a switch is a list of two."""
        return ["true", "false"] if self.schema["type"] == "boolean" else self.schema.get("enum", [])

    @property
    def default(self) -> str:
        default = self.schema.get("default", "")
        return str(default).lower() if isinstance(default, bool) else str(default)


@dataclass(frozen=True)
class Choice:
    """One operation of the table, as the form shows it."""

    name: str
    title: str
    description: str
    is_chosen: bool
    order: str
    parameters: list[Parameter]
    why_not: str  # why it cannot be chosen


@dataclass(frozen=True)
class Suited:
    """Which of the chosen images the work fits, and why not the others."""

    images: list[Image] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


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
        "choices": list(operation_choices(posted)),
        "priorities": Priority.choices,
        "preset_priority": Priority.NORMAL,
        "posted": posted,
        "selected": posted.getlist("_selected_action"),
    }
    if "stage" not in posted:
        return TemplateResponse(request, "admin/images/image/process.html", context)
    try:
        work = services.parse_work(**asked_work(posted))
        suited = _suited(work, ready)
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


def _start(request: HttpRequest, work: Work, suited: Suited) -> HttpResponse:
    asked = read(DeliveryForm(request.POST))
    job = services.submit_work(
        work,
        suited.images,
        Delivery(
            **asked,
            requested_by=request.user,
            source="admin",
            request_id=request_id.current(),
        ),
    )
    detail = {"door": "admin", "operations": job.operations_total, "images": len(suited.images)}
    audit.record("job.submit", job, request=request, detail=detail)
    messages.success(request, f"{plural(job.operations_total, 'operation')} submitted.")
    if suited.refusals:
        messages.warning(request, f"{plural(len(suited.refusals), 'image')} skipped: {suited.refusals[0]}")
    return redirect("admin:processing_job_change", job.pk)


def _suited(work: Work, images: Sequence[Image]) -> Suited:
    """One image that is already in the requested format must not hold up the others."""
    suited = Suited()
    for image in images:
        try:
            services.check_source(work, format=image.format, width=image.width, height=image.height)
            suited.images.append(image)
        except ApiError as error:
            suited.refusals.append(f"{image.original_filename}: {error.detail}")
    return suited


def asked_work(posted: QueryDict) -> dict[str, Any]:
    """The two lists of a request: as the confirmation repeats them, or out of the form's inputs."""
    if posted["stage"] == "start":
        return {"operations": posted.get("operations"), "pipeline": posted.get("pipeline")}
    steps = [_step(choice) for choice in sorted(operation_choices(posted), key=_position) if choice.is_chosen]
    return {"pipeline" if posted.get("mode") == "pipeline" else "operations": steps}


def _position(choice: Choice) -> int:
    return int(choice.order) if choice.order.isascii() and choice.order.isdigit() else LAST


def _step(choice: Choice) -> dict[str, Any]:
    given = [parameter for parameter in choice.parameters if parameter.value != ""]
    values = {p.input_name.partition(".")[2]: _typed(p.schema["type"], p.value) for p in given}
    return {"name": choice.name, "parameters": values}


def _typed(kind: str, text: str) -> Any:
    """A form's text as the type that the schema names; other text stays, and the service says why not."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind not in ("integer", "number"):
        return text
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def operation_choices(posted: QueryDict) -> Iterator[Choice]:
    used = set(posted.getlist("use"))
    for name, spec in OPERATIONS.items():
        properties = {key: row for key, row in spec.schema["properties"].items() if "x-alias-of" not in row}
        yield Choice(
            name=name,
            title=spec.title,
            description=spec.description,
            is_chosen=name in used,
            order=posted.get(f"{name}.order", "").strip(),
            parameters=[
                Parameter(f"{name}.{key}", row, posted.get(f"{name}.{key}", "").strip())
                for key, row in properties.items()
            ],
            why_not=services.why_unavailable(spec),
        )


def work_as_json(work: Work) -> dict[str, str]:
    return {name: json.dumps(steps) for name, steps in work.as_dict().items()}

"""Two pages of the admin that are no lists of rows: what failed and why, and the queues' switches."""

from dataclasses import dataclass
from datetime import datetime

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.aggregates import ArrayAgg
from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from api.access import audit
from api.core.errors import ErrorCode
from api.core.phrases import counted
from api.models import Scope
from pixproject.web.admin import may, require
from processing import queue_metrics
from processing.engine import jobs
from processing.models import Operation, QueueControl
from processing.states import OperationStatus, Queue


@dataclass(frozen=True)
class FailedGroup:
    """All operations that failed with one error code."""

    error_code: str
    meaning: str
    operations: int
    jobs: int
    newest: datetime
    names: list[str]
    example: Operation


def failed_groups() -> list[FailedGroup]:
    """The most frequent error first; two queries, however many errors there are."""
    failed = Operation.objects.filter(status=OperationStatus.FAILED)
    newest = failed.order_by("error_code", "-finished_at").distinct("error_code")
    examples = {operation.error_code: operation for operation in newest}
    rows = (
        failed.order_by()
        .values("error_code")
        .annotate(
            operations=Count("pk"),
            jobs=Count("job", distinct=True),
            newest=Max("finished_at"),
            names=ArrayAgg("name", distinct=True),
        )
    )
    meanings = dict(ErrorCode.choices)
    return [
        FailedGroup(meaning=meanings.get(row["error_code"], ""), example=examples[row["error_code"]], **row)
        for row in rows.order_by("-operations", "error_code")
        if row["error_code"] in examples
    ]


@require_http_methods(["GET", "HEAD", "POST"])
def failed_work(request: HttpRequest) -> HttpResponse:
    """What failed, grouped by error code; POST queues one group again."""
    if request.method == "POST":
        return _retry_group(request)
    context = {
        **admin.site.each_context(request),
        "title": "Failed work",
        "groups": failed_groups(),
        "may_process": may(request, Scope.PROCESS),
    }
    return TemplateResponse(request, "admin/failed_work.html", context)


def _retry_group(request: HttpRequest) -> HttpResponse:
    require(request, Scope.PROCESS)
    code = request.POST.get("error_code")
    if code is None:
        messages.error(request, "Choose the error code whose operations should be retried.")
        return redirect("admin:failed_work")
    count = jobs.retry_failed(error_code=code, actor=request.user)
    named = f"with the error “{code}”" if code else "without an error code"
    if count:
        detail = {"door": "admin", "error_code": code, "operations": count}
        audit.record("operation.retry_failed", None, request=request, detail=detail)
        messages.success(request, f"{counted(count, 'operation')} {named} queued again.")
    else:
        messages.warning(request, f"No failed operations {named} were found. Nothing was changed.")
    return redirect("admin:failed_work")


REASON_LENGTH = QueueControl._meta.get_field("reason").max_length


class SwitchForm(forms.Form):
    """Which queue, and why it is paused."""

    queue = forms.ChoiceField(choices=Queue.choices)
    turn = forms.ChoiceField(choices=[("pause", "pause"), ("resume", "resume")])
    reason = forms.CharField(required=False, max_length=REASON_LENGTH)

    def clean(self) -> dict:
        cleaned = super().clean() or {}
        if cleaned.get("turn") == "pause" and not cleaned.get("reason", "x").strip():
            raise forms.ValidationError("Enter a reason, so that others know why the queue is paused.")
        return cleaned


@require_http_methods(["GET", "HEAD", "POST"])
def queues(request: HttpRequest) -> HttpResponse:
    """How deep each queue is; POST pauses or resumes one."""
    if request.method == "POST":
        return _switch(request)
    context = {
        **admin.site.each_context(request),
        "title": "Queues",
        "queues": queue_metrics.queue_numbers(),
        "may_switch": may(request, Scope.ADMIN),
        "reason_length": REASON_LENGTH,
    }
    return TemplateResponse(request, "admin/queues.html", context)


def _switch(request: HttpRequest) -> HttpResponse:
    require(request, Scope.ADMIN)
    form = SwitchForm(request.POST)
    if not form.is_valid():
        for field, sentences in form.errors.items():
            message = " ".join(map(str, sentences))
            messages.error(request, message if field == NON_FIELD_ERRORS else f"{field}: {message}")
        return redirect("admin:queues")
    name, turn, reason = (form.cleaned_data[field] for field in ("queue", "turn", "reason"))
    if turn == "pause":
        jobs.pause_queue(name, by=request.user, reason=reason)
        messages.success(
            request, f"The queue “{name}” is paused. Operations that are already running will finish."
        )
    else:
        jobs.resume_queue(name)
        messages.success(request, f"The queue “{name}” was resumed.")
    detail = {"door": "admin", **({"reason": reason} if turn == "pause" else {})}
    audit.record(f"queue.{turn}", QueueControl(name=name), request=request, detail=detail)
    return redirect("admin:queues")

"""Jobs in the admin: see everything about them, retry, cancel, move forwards and backwards."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from api.core.phrases import counted
from pixproject.web.admin import DefaultFilter, PixModelAdmin, go_back, may
from pixproject.web.forms import read
from pixproject.web.templatetags.pix_admin import STATUS_VARIANTS, by_and_source, duration, unbroken, when
from processing import estimates
from processing.engine import jobs
from processing.models import Job, Operation, OperationArtifact
from processing.pages.forms import RetryForm
from processing.pages.job_presenter import with_first_image
from processing.states import BACKGROUND_KINDS, JOB_TERMINAL, OperationStatus, Priority

OPERATIONS_PER_PAGE = 25
MOST_EVENTS = 100


class ErrorCodeFilter(admin.SimpleListFilter):
    """Jobs with an operation that failed for one reason."""

    title = "error code"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        failed = Operation.objects.filter(status=OperationStatus.FAILED).order_by("error_code")
        return [(code, code or "no code") for code in failed.values_list("error_code", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if self.value() is None:
            return queryset
        failed = Operation.objects.filter(
            job=OuterRef("pk"), status=OperationStatus.FAILED, error_code=self.value()
        )
        return queryset.filter(Exists(failed))


class KindFilter(DefaultFilter):
    """What people asked for; thumbnails and measures that follow each upload are jobs, too."""

    title = parameter_name = "kind"
    default, default_title = "asked", "asked for"

    def values(self) -> list[tuple[str, str]]:
        kinds = Job.objects.order_by("kind").values_list("kind", flat=True).distinct()
        return [(kind, kind) for kind in kinds]

    def default_rows(self, queryset: QuerySet) -> QuerySet:
        return queryset.exclude(kind__in=BACKGROUND_KINDS)


@admin.register(Job)
class JobAdmin(PixModelAdmin):
    """Statuses move through `processing.jobs` alone; nothing here is edited by hand."""

    list_display = ("job", "state", "progress", "urgency", "requested", "submitted", "took")
    list_filter = ("status", ErrorCodeFilter, "priority", KindFilter, "source", "created_at")
    date_hierarchy = "created_at"
    search_fields = ("reference", "request_id", "idempotency_key", "image__original_filename")
    search_help_text = "Job or image ID, reference, request ID, idempotency key or file name"
    uuid_search = ("pk", "image_id", "batch_id")
    fields = ("kind",)
    actions = ("retry_failed", "run_again", "cancel", "raise_priority", "lower_priority")

    @display(description="Job", ordering="kind")
    def job(self, job: Job) -> SafeString:
        return SafeString(render_to_string("admin/processing/job/_cell.html", {"job": job}))

    @display(description="Status", ordering="status", label=STATUS_VARIANTS)
    def state(self, job: Job) -> tuple[str, str]:
        return job.status, job.get_status_display()

    @display(description="Progress")
    def progress(self, job: Job) -> SafeString:
        return SafeString(render_to_string("admin/_progress.html", {"job": job}))

    @display(description="Priority", ordering="priority", label=STATUS_VARIANTS)
    def urgency(self, job: Job) -> str:
        return job.get_priority_display()

    @display(description="Took")
    def took(self, job: Job) -> SafeString:
        if job.started_at is None or job.finished_at is None:
            return unbroken("–")
        return unbroken(duration((job.finished_at - job.started_at).total_seconds()))

    @display(description="Requested by", ordering="requested_by__username")
    def requested(self, job: Job) -> SafeString:
        return by_and_source(job.requested_by, job.source)

    @display(description="Submitted", ordering="created_at")
    def submitted(self, job: Job) -> SafeString:
        return when(job.created_at)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        rows: QuerySet[Job] = super().get_queryset(request)
        return with_first_image(rows.select_related("image", "batch", "requested_by"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = extra_context or {}
        if (job := self.get_object(request, object_id)) is not None:
            links = OperationArtifact.objects.select_related("artifact")
            operations = job.operations.select_related("image").prefetch_related(Prefetch("links", links))
            pages = Paginator(operations.order_by("position"), OPERATIONS_PER_PAGE)
            context = {
                "operations": pages.get_page(request.GET.get("page")),
                "events": job.events.order_by("-id")[:MOST_EVENTS],
                "eta": None if job.is_terminal else estimates.job_eta(job),
                "may_process": may(request, "process"),
                "may_cancel": job.status not in JOB_TERMINAL,
                "operations_word": counted(pages.count, "operation"),
            } | context
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    @action(description="Retry failed operations", permissions=["process"])
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._retry(request, queryset, [OperationStatus.FAILED], "no failed operations")

    @action(description="Retry failed and cancelled operations", permissions=["process"])
    def run_again(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        statuses = [OperationStatus.FAILED, OperationStatus.CANCELLED]
        return self._retry(request, queryset, statuses, "no failed or cancelled operations")

    def _retry(
        self, request: HttpRequest, queryset: QuerySet[Job], statuses: Sequence[str], why_not: str
    ) -> HttpResponse | None:
        # An operation's own button names it; without a name all of the job's are meant.
        ids = read(RetryForm(request.POST))["operation"]

        def retry(job: Job) -> int:
            return jobs.retry_job(job, operation_ids=ids or None, statuses=statuses, actor=request.user)

        return self._each(request, queryset, "job.retry", retry, "queued again", why_not)

    @action(description="Cancel", permissions=["process"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        def cancel(job: Job) -> int:
            return jobs.cancel_job(job, actor=request.user)

        return self._each(request, queryset, "job.cancel", cancel, "cancelled", "already finished")

    @action(description="Raise priority", permissions=["process"])
    def raise_priority(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._shift(request, queryset, -1, "raised in priority", "already finished or urgent")

    @action(description="Lower priority", permissions=["process"])
    def lower_priority(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._shift(
            request, queryset, +1, "lowered in priority", "already finished or at the lowest priority"
        )

    def _shift(
        self, request: HttpRequest, queryset: QuerySet[Job], step: int, done: str, why_not: str
    ) -> HttpResponse | None:
        def shift(job: Job) -> int:
            priority = job.priority + step
            return priority in Priority.values and jobs.set_priority(job, priority, actor=request.user)

        return self._each(request, queryset, "job.priority", shift, done, why_not)

    def _each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Job],
        name: str,
        move: Callable[[Job], int],
        done: str,
        why_not: str,
    ) -> HttpResponse | None:
        """Move every chosen job, audit those that moved and say how many they were."""
        chosen = list(queryset)
        moved = 0
        for job in chosen:
            if count := move(job):
                moved += 1
                self.audit(
                    request, name, job, {"operations": int(count), "priority": job.get_priority_display()}
                )
        self.say(request, moved, len(chosen), done, why_not=why_not)
        return go_back(request)

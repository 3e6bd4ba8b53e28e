"""The batches in the admin: their list and the page of one."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from api.access.permissions import missing
from api.core.errors import ApiError
from api.models import Scope
from batches import phrases, services
from batches.admin.actions import WholeActions
from batches.admin.details import details
from batches.admin.filters import AssigneeFilter, ShelfFilter
from batches.admin.forms import BatchForm, UndoForm
from batches.admin.stage_actions import StageActions
from batches.admin.work_actions import WorkActions
from batches.history import changes
from batches.models import Batch
from batches.serializers import live_jobs
from pixproject.web.admin import add_refusal, may
from pixproject.web.forms import read
from pixproject.web.templatetags.pix_admin import STATUS_VARIANTS, unbroken, when

STAGE_VARIANTS = {"validation": "info", "acceptance": "warning", "approved": "success"}
MOST_CONFLICTS = 10


@admin.register(Batch)
class BatchAdmin(WorkActions, StageActions, WholeActions):
    """Every change goes through the services, as in every other interface."""

    add_scope = Scope.WRITE
    list_display = (
        "name",
        "state",
        "stage",
        "progress",
        "image_count",
        "group_count",
        "unassigned",
        "assigned_to",
        "urgency",
        "created",
    )
    list_filter = (
        ShelfFilter,
        "status",
        "review_stage",
        "priority",
        AssigneeFilter,
        "kind",
        "created_at",
    )
    date_hierarchy = "created_at"
    search_fields = ("batch_name", "note")
    search_help_text = "Name, note or ID"
    uuid_search = ("pk",)
    fields = ("batch_name",)
    actions = (
        "analyze",
        "process",
        "retry_failed",
        "cancel",
        "set_priority",
        "assign",
        "submit",
        "approve",
        "reject",
        "reopen",
        "export",
        "archive",
        "unarchive",
        "delete",
        "restore",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        return services.listed(super().get_queryset(request))

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """With the job that works on each batch of the page."""
        listed: ChangeList = super().get_changelist_instance(request)
        jobs = live_jobs(list(listed.result_list))
        for batch in listed.result_list:
            batch.live_job = jobs.get(batch.pk)
        return listed

    @display(description="Batch", ordering="batch_name")
    def name(self, batch: Batch) -> SafeString:
        return SafeString(render_to_string("admin/batches/batch/_cell.html", {"batch": batch}))

    @display(description="Status", ordering="status", label=STATUS_VARIANTS | {"deleted": "danger"})
    def state(self, batch: Batch) -> tuple[str, str]:
        if batch.deleted_at is not None:
            return "deleted", "Deleted"
        return batch.status, batch.get_status_display()

    @display(description="Stage", ordering="review_stage", label=STAGE_VARIANTS)
    def stage(self, batch: Batch) -> tuple[str, str]:
        return batch.review_stage, batch.get_review_stage_display()

    @display(description="Progress")
    def progress(self, batch: Any) -> SafeString:
        return SafeString(render_to_string("admin/batches/batch/_progress.html", {"batch": batch}))

    @display(description="Images", ordering="image_count")
    def image_count(self, batch: Any) -> int:
        return int(batch.image_count)

    @display(description="Groups", ordering="group_count")
    def group_count(self, batch: Any) -> int:
        return int(batch.group_count)

    @display(description="Unassigned")
    def unassigned(self, batch: Any) -> int:
        return int(batch.image_count - batch.assigned_count)

    @display(description="Assignee", ordering="assignee__username")
    def assigned_to(self, batch: Batch) -> SafeString:
        return unbroken(batch.assignee.get_username() if batch.assignee else "–")

    @display(description="Priority", ordering="priority", label=STATUS_VARIANTS)
    def urgency(self, batch: Batch) -> str:
        return str(batch.get_priority_display())

    @display(description="Created", ordering="created_at")
    def created(self, batch: Batch) -> SafeString:
        owner = batch.owner.get_username() if batch.owner else "–"
        return format_html("{}<br>by {}", when(batch.created_at), owner)

    # --- one batch ------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        batch = self.get_object(request, object_id)
        if batch is None:
            missed: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
            return missed
        form = BatchForm(batch=batch)
        if request.method == "POST":
            if not may(request, Scope.WRITE):
                raise PermissionDenied(missing(Scope.WRITE))
            if "undo" in request.POST:
                return self._undo(request, batch)
            form = BatchForm(request.POST, batch=batch)
            if form.is_valid() and self._update(request, batch, form):
                return redirect(request.get_full_path())
            request.method = "GET"  # the refused form is shown again by the same view
        context = {**details(request, batch), "edit_form": form, **(extra_context or {})}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def _update(self, request: HttpRequest, batch: Batch, form: BatchForm) -> bool:
        try:
            if form.has_changed():
                services.update_batch(batch, actor=request.user, values=form.changed_values())
        except ApiError as error:
            add_refusal(form, error)
            return False
        messages.success(request, "Saved.")
        return True

    def _undo(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        """Take one step of the history back; where later steps conflict with it, say which."""
        try:
            change = changes.undo(batch, actor=request.user, sequence=read(UndoForm(request.POST))["undo"])
            messages.success(request, phrases.step(change))
        except ApiError as error:
            messages.error(request, error.detail)
            for item in error.errors[1:MOST_CONFLICTS]:
                messages.error(request, item.detail)
        return redirect(request.get_full_path())

    # --- a new one ------------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.check_add(request)
        form = BatchForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                batch = services.create_batch(owner=request.user, **form.cleaned_data)
                messages.success(request, "The batch was created. Add images to it.")
                return redirect("admin:batches_batch_change", batch.pk)
            except ApiError as error:
                add_refusal(form, error)
        intro = (
            "A new batch is empty. Add images from the library, by upload, from a folder or through the API."
        )
        context = self.page(request, "Add a batch") | {
            "form": form,
            "intro": intro,
            "submit_text": "Add the batch",
        }
        return TemplateResponse(request, "admin/form_page.html", context)

"""Handing batches on, sending them back, and taking them away as files."""

from typing import Any

from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from unfold.decorators import action

from api.access.permissions import has_scope
from api.core.errors import ApiError
from api.models import Scope
from batches import stages
from batches.admin.actions import AT_ONCE
from batches.admin.confirmation import Line, Question, ask, can_any, each, images_in, is_confirmed, left_out
from batches.admin.forms import ExportForm, ReasonForm
from batches.exports import files as exports
from batches.models import Batch
from images.models import Image
from pixproject.web.admin import PixModelAdmin
from pixproject.web.templatetags.pix import byte_size

TITLES = {
    "submit": ("Submit", "submitted for validation", "The stage changes from work to validation.", "outbox"),
    "approve": (
        "Approve",
        "moved to the next stage",
        "Batches in validation move to acceptance, batches in acceptance become approved. An approved batch cannot "
        "be changed until it is reopened.",
        "verified",
    ),
    "reject": (
        "Send back",
        "sent back to work",
        "The stage changes back to work. The history keeps the reason.",
        "undo",
    ),
    "reopen": ("Reopen", "reopened", "The stage changes back to work.", "lock_open"),
}


class StageActions(PixModelAdmin):
    """Who may do what is the service's to say: it depends on the stage and the reviewer."""

    @action(description="Submit for validation…", permissions=["write"])
    def submit(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._move(request, queryset, "submit")

    @action(description="Approve…", permissions=["write"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._move(request, queryset, "approve")

    @action(description="Send back with a reason…", permissions=["write"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._move(request, queryset, "reject")

    @action(description="Reopen…", permissions=["write"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._move(request, queryset, "reopen")

    def _move(self, request: HttpRequest, queryset: QuerySet[Batch], name: str) -> HttpResponse:
        batches = list(queryset)
        verb, done, sentence, icon = TITLES[name]
        open_ends = {batch.pk: stages.unfinished(batch) for batch in batches} if name == "approve" else {}
        is_reason_needed = name == "reject" or any(open_ends.values())
        form = ReasonForm(request.POST if is_confirmed(request) else None) if is_reason_needed else None
        if form is not None and name == "approve":
            form.fields["reason"].label = "Reason to approve what is not finished"
        if is_confirmed(request) and (form is None or form.is_valid()):
            reason = form.cleaned_data["reason"] if form is not None else ""

            def change(batch: Batch) -> object:
                is_asked = bool(open_ends.get(batch.pk))  # what became unfinished since then is refused
                return stages.move(
                    batch,
                    name,
                    actor=request.user,
                    reason=reason if is_asked or name == "reject" else "",
                    confirm=is_asked,
                )

            return each(self, request, batches, change, done)
        lines = [_line(batch, _why_not(batch, name, request.user)) for batch in batches]
        unfinished = [f"{batch}: {open_ends[batch.pk]}" for batch in batches if open_ends.get(batch.pk)]
        question = Question(
            act=name,
            title=f"{verb}: {images_in(batches)}?",
            sentence=sentence,
            button=verb,
            icon=icon,
            lines=lines,
            columns=("Images", "Stage", "Confirmed groups", "Unassigned"),
            facts=[AT_ONCE, *(("Not finished", fact) for fact in unfinished), *left_out(lines)],
            form=form if can_any(lines) else None,
            is_possible=can_any(lines),
        )
        return ask(self, request, question)

    @action(description="Export…", permissions=["view"])
    def export(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponseBase:
        batches = list(queryset)
        is_one = len(batches) == 1
        form = ExportForm(request.POST if is_confirmed(request) else None)
        if is_confirmed(request) and is_one and form.is_valid():
            try:
                return self._sent(request, batches[0], form.cleaned_data["format"])
            except ApiError as error:
                form.add_error(None, error.detail)
        sentence = "Only one batch can be exported at a time."
        if is_one:
            present = batches[0].images.filter(status__in=Image.PRESENT)
            size = byte_size(present.aggregate(size=Sum("byte_size"))["size"] or 0)
            sentence = (
                f"CSV and JSON list every image. The ZIP has all originals but rejected ones: up to {size}."
            )
        question = Question(
            act="export",
            title=f"Export {images_in(batches)}",
            sentence=sentence,
            button="Download",
            icon="download",
            lines=[_line(batch) for batch in batches],
            columns=("Images", "Stage", "Confirmed groups", "Unassigned"),
            facts=[("Takes", "as long as the download, because the file is created while it is sent")],
            form=form if is_one else None,
            is_possible=is_one,
        )
        return ask(self, request, question)

    def _sent(self, request: HttpRequest, batch: Batch, format: str) -> StreamingHttpResponse:
        file = exports.export(batch, format, has_positions=has_scope(request, Scope.WRITE))
        self.audit(request, "batch.export", batch, {"format": format, "bytes": file.byte_size})
        response = StreamingHttpResponse(file.chunks, content_type=file.content_type)
        response.headers["Content-Length"] = str(file.byte_size)
        response.headers["Content-Disposition"] = content_disposition_header(True, file.name) or ""
        response.headers["Cache-Control"] = "private, no-store"
        return response


def _why_not(batch: Batch, name: str, user: Any) -> str:
    if batch.deleted_at is not None:
        return "It is deleted. Restore it first."
    if batch.is_archived:
        return "It is archived. Unarchive it first."
    if batch.review_stage not in stages.MOVES[name]:
        allowed = ", ".join(str(Batch.Stage(stage).label) for stage in stages.MOVES[name])
        return f"Its stage is {batch.get_review_stage_display()}. Allowed stages: {allowed}."
    if name not in stages.moves_open_to(batch, user):
        return "Your account does not have permission to do this in its stage."
    return ""


def _line(batch: Any, refusal: str = "") -> Line:
    groups = f"{batch.confirmed_count} of {batch.group_count}"
    unassigned = str(batch.image_count - batch.assigned_count)
    return Line(
        batch, (str(batch.image_count), batch.get_review_stage_display(), groups, unassigned), refusal
    )

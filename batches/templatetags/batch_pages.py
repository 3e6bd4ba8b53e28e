"""What the pages of a batch have in common: its head, with the counts and the last steps."""

from dataclasses import dataclass
from typing import Any

from django import template

from api.access.permissions import has_scope
from batches import services
from batches.history import changes
from batches.models import Batch, GroupingChange

register = template.Library()

STATUS_LABELS = {
    "draft": ("", "New"),
    "queued": ("queued-now", "Waiting"),
    "analyzing": ("running", "Being grouped"),
    "complete": ("completed", "Grouped"),
    "failed": ("failed", "Grouping failed"),
    "cancelled": ("", "Grouping cancelled"),
    "archived": ("", "Archived"),
}
STAGE_LABELS = {
    "work": ("", "In work"),
    "validation": ("paused", "Validation"),
    "acceptance": ("running", "Acceptance"),
    "approved": ("completed", "Approved"),
}
STAGE_ICONS = {"approved": "check", "validation": "search", "acceptance": "shield"}


@dataclass(frozen=True)
class Head:
    """What stands above every page of a batch."""

    image_count: int
    unassigned_count: int
    group_count: int
    confirmed_count: int
    undo: GroupingChange | None
    redo: GroupingChange | None
    may_change: bool

    @property
    def redo_summary(self) -> str:
        step = self.redo.undoes if self.redo is not None else None
        return step.summary if step is not None else ""


@register.simple_tag(takes_context=True)
def batch_head(context: dict[str, Any], batch: Batch) -> Head:
    """The counts of a batch and the steps that undo and redo would take."""
    counted: Any = batch
    if not hasattr(batch, "image_count"):
        counted = services.listed(Batch.objects.filter(pk=batch.pk)).get()
    user = context["request"].user
    return Head(
        counted.image_count,
        counted.image_count - counted.assigned_count,
        counted.group_count,
        counted.confirmed_count,
        changes.next_undo(batch),
        changes.next_redo(batch),
        batch.is_open and has_scope(user, "write"),
    )


@register.inclusion_tag("batches/_mark.html")
def batch_status(batch: Batch) -> dict[str, str]:
    """A mark with the status in words."""
    shade, label = STATUS_LABELS[batch.status]
    return {"shade": shade, "label": label}


@register.inclusion_tag("batches/_mark.html")
def batch_stage(batch: Batch) -> dict[str, str]:
    """A mark with the stage of the review in words."""
    shade, label = STAGE_LABELS[batch.review_stage]
    return {"shade": shade, "label": label, "icon": STAGE_ICONS.get(batch.review_stage, "")}


@register.filter
def stage_name(stage: str) -> str:
    return STAGE_LABELS[stage][1]


@register.filter
def status_name(status: str) -> str:
    return STATUS_LABELS[status][1]


@register.filter
def percent(share: float | None) -> str:
    """0.347 as 35 %."""
    return "–" if share is None else f"{round(100 * share)} %"

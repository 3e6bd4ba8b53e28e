"""What is done with chosen batches as a whole, each after a question; nothing is computed."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from batches import services
from batches.admin.confirmation import Line, Question, ask, can_any, each, images_in, is_confirmed, left_out
from batches.admin.forms import AssignForm, PriorityForm
from batches.models import Batch
from pixproject.web.admin import PixModelAdmin

AT_ONCE = ("Takes", "no time, because nothing is computed")


class WholeActions(PixModelAdmin):
    """Priority, people, archive, deletion."""

    @action(description="Set priority…", permissions=["write"])
    def set_priority(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        batches: list[Any] = list(queryset)
        form = PriorityForm(request.POST if is_confirmed(request) else None)
        if is_confirmed(request) and form.is_valid():
            values = form.cleaned_data

            def change(batch: Batch) -> object:
                return services.update_batch(batch, actor=request.user, values=values)

            return each(self, request, batches, change, "updated with the new priority")
        question = Question(
            act="set_priority",
            title=f"Set the priority of {images_in(batches)}",
            sentence="Unfinished jobs of these batches change their place in the queues as well.",
            button="Set priority",
            icon="low_priority",
            lines=[Line(batch, (str(batch.image_count), batch.get_priority_display())) for batch in batches],
            columns=("Images", "Current priority"),
            facts=[AT_ONCE],
            form=form,
        )
        return ask(self, request, question)

    @action(description="Assign…", permissions=["write"])
    def assign(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        batches: list[Any] = list(queryset)
        form = AssignForm(request.POST if is_confirmed(request) else None)
        if is_confirmed(request) and form.is_valid():
            values = form.values()

            def change(batch: Batch) -> object:
                return services.update_batch(batch, actor=request.user, values=values)

            return each(self, request, batches, change, "assigned")
        names = [(_name(batch.assignee), _name(batch.reviewer)) for batch in batches]
        question = Question(
            act="assign",
            title=f"Assign {images_in(batches)}",
            sentence="The assignee corrects the automatic groups. The reviewer validates them.",
            button="Assign",
            icon="assignment_ind",
            lines=[
                Line(batch, (str(batch.image_count), *pair))
                for batch, pair in zip(batches, names, strict=True)
            ],
            columns=("Images", "Current assignee", "Current reviewer"),
            facts=[AT_ONCE],
            form=form,
        )
        return ask(self, request, question)

    @action(description="Archive…", permissions=["process"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._whole(
            request,
            queryset,
            "archive",
            "Archived batches cannot be changed until they are unarchived. Nothing is deleted.",
            "archived",
        )

    @action(description="Unarchive…", permissions=["process"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._whole(
            request, queryset, "unarchive", "These batches can be changed again.", "unarchived"
        )

    @action(description="Delete…", permissions=["process"])
    def delete(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._whole(
            request,
            queryset,
            "delete",
            "The images stay in the library. Deleted batches can be restored with their groups and history until the "
            "clean-up removes them for good.",
            "deleted",
        )

    @action(description="Restore…", permissions=["process"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Batch]) -> HttpResponse:
        return self._whole(
            request,
            queryset,
            "restore",
            "These batches are restored with their groups and history.",
            "restored",
        )

    def _whole(
        self, request: HttpRequest, queryset: QuerySet[Batch], name: str, sentence: str, done: str
    ) -> HttpResponse:
        batches: list[Any] = list(queryset)
        act, verb, icon = WHOLE[name]
        if is_confirmed(request):
            why_not = "It is already deleted."
            return each(
                self, request, batches, lambda batch: act(batch, actor=request.user), done, why_not=why_not
            )
        lines = [Line(batch, (str(batch.image_count),), WHY_NOT[name](batch)) for batch in batches]
        question = Question(
            act=name,
            title=f"{verb} {images_in(batches)}?",
            sentence=sentence,
            button=verb,
            icon=icon,
            lines=lines,
            facts=[AT_ONCE, *left_out(lines)],
            is_danger=name == "delete",
            is_possible=can_any(lines),
        )
        return ask(self, request, question)


def _delete(batch: Batch, *, actor: Any) -> bool:
    if batch.deleted_at is not None:
        return False
    services.delete_batch(batch, actor=actor)
    return True


WHOLE = {
    "archive": (services.archive, "Archive", "inventory_2"),
    "unarchive": (services.unarchive, "Unarchive", "unarchive"),
    "delete": (_delete, "Delete", "delete"),
    "restore": (services.restore_batch, "Restore", "restore_from_trash"),
}


# Why nothing would happen to a batch, so that the question says it before and not after.
WHY_NOT: dict[str, Callable[[Batch], str]] = {
    "archive": lambda batch: "It is already archived." if batch.is_archived else "",
    "unarchive": lambda batch: "" if batch.is_archived else "It is not archived.",
    "delete": lambda batch: "It is already deleted." if batch.deleted_at is not None else "",
    "restore": lambda batch: "" if batch.deleted_at is not None else "It is not deleted.",
}


def _name(user: Any) -> str:
    return user.get_username() if user is not None else "nobody"

"""The filters of the list of batches."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from batches.models import Batch
from pixproject.web.admin import DefaultFilter

NOBODY, ME = "nobody", "me"


class ShelfFilter(DefaultFilter):
    """Batches that are worked on, unless the filter chooses archived or deleted ones."""

    title, parameter_name = "place", "shelf"
    default, default_title = "open", "in use"

    def values(self) -> list[tuple[str, str]]:
        return [("archived", "archived"), ("deleted", "deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        is_archived = Q(status=Batch.Status.ARCHIVED)
        match self.value() or self.default:
            case "all":
                return queryset
            case "deleted":
                return queryset.filter(deleted_at__isnull=False)
            case "archived":
                return queryset.filter(is_archived, deleted_at__isnull=True)
            case _:
                return queryset.filter(~is_archived, deleted_at__isnull=True)


class AssigneeFilter(admin.SimpleListFilter):
    """Whose work it is: mine, nobody's, or that of somebody who has any."""

    title = parameter_name = "assignee"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        assigned = Batch.objects.filter(assignee__isnull=False).order_by().values("assignee")
        names = get_user_model().objects.filter(pk__in=assigned).order_by("username")
        people = [(f"@{name}", name) for name in names.values_list("username", flat=True)]
        return [(ME, "me"), (NOBODY, "nobody"), *people]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case None:
                return queryset
            case "me":
                return queryset.filter(assignee=request.user)
            case "nobody":
                return queryset.filter(assignee=None)
            case name:
                return queryset.filter(assignee__username=name.removeprefix("@"))

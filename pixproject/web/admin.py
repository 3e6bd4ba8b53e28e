"""The operator's room: who may enter it, and what every list and form in it shares."""

from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm
from unfold.sites import UnfoldAdminSite

from api.access import audit
from api.access.permissions import has_scope, missing
from api.core.errors import ApiError
from api.core.phrases import counted
from api.models import Scope


def may(request: HttpRequest, scope: str) -> bool:
    return has_scope(request.user, scope)


def require(request: HttpRequest, scope: str) -> None:
    if not may(request, scope):
        raise PermissionDenied(missing(scope))


class PixAdminSite(UnfoldAdminSite):
    """Open to operators and administrators; staff with a lesser role may look, and nothing else."""

    index_template = "admin/home.html"
    index_title = "Today"
    enable_nav_sidebar = True
    home_context: Callable[[], dict[str, Any]] = dict  # what the home shows; the site sets it

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pages: list[tuple[str, Callable[..., Any], str]] = []

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return user.is_active and (user.is_staff or may(request, Scope.PROCESS))

    # One page signs people in. Whoever is signed in and comes here lacks the right to enter.
    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        target = request.GET.get(REDIRECT_FIELD_NAME, "")
        if not url_has_allowed_host_and_scheme(
            target, {request.get_host()}, require_https=request.is_secure()
        ):
            target = reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect_to_login(target)
        if self.has_permission(request):
            return HttpResponseRedirect(target)
        raise PermissionDenied("Only operators and administrators can use the admin.")

    def add_page(self, address: str, view: Callable[..., Any], *, name: str) -> None:
        """Add a page that shows no model; an app adds its own in its `admin` package."""
        self._pages.append((address, view, name))

    def extra_urls(self) -> list[URLPattern]:
        return [path(address, self.admin_view(view), name=name) for address, view, name in self._pages]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: TemplateResponse = super().index(request, {**self.home_context(), **(extra_context or {})})
        if request.headers.get("HX-Request"):
            response.template_name = "admin/_dashboard.html"
        return response


def pix_site() -> PixAdminSite:
    """The one admin site (`PixAdminConfig` makes it Django's default)."""
    return cast(PixAdminSite, admin.site)


class DefaultFilter(admin.SimpleListFilter):
    """A filter that shows `default` until something else is chosen; `all` shows everything.

    Each filter says which values there are and which rows its default shows.
    """

    parameter_name: str
    default: str
    default_title: str

    def values(self) -> list[tuple[str, str]]:
        return []

    def default_rows(self, queryset: QuerySet) -> QuerySet:
        return queryset

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(self.default, self.default_title), *self.values(), ("all", "all")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        chosen = self.value() or self.default
        if chosen == self.default:
            return self.default_rows(queryset)
        return queryset if chosen == "all" else queryset.filter(**{self.parameter_name: chosen})

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        for value, title in self.lookup_choices:
            yield {
                "selected": (self.value() or self.default) == value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": title,
            }


class CountedActionForm(ActionForm):
    """Also says how many rows the list had when the person chose all of them."""

    expected = forms.IntegerField(label="", required=False, widget=forms.HiddenInput)


class PixModelAdmin(ModelAdmin):
    """Rights come from scopes alone, every change is audited, big tables are never counted twice."""

    view_scope: str = Scope.READ
    add_scope: str | None = None
    change_scope: str | None = None
    show_full_result_count = False
    uuid_search: tuple[str, ...] = ()  # fields in which a whole identifier is looked for
    list_per_page = 50
    list_fullwidth = True
    compressed_fields = True

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return may(request, self.view_scope)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request, self.view_scope)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.add_scope is not None and may(request, self.add_scope)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.change_scope is not None and may(request, self.change_scope)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    # `permissions=["process"]` of an action asks the method of that name.
    def has_write_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.WRITE)

    def has_process_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.PROCESS)

    def has_admin_permission(self, request: HttpRequest) -> bool:
        return may(request, Scope.ADMIN)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        results, may_repeat = super().get_search_results(request, queryset, search_term)
        try:
            identifier = UUID(search_term.strip())
        except ValueError:
            return results, may_repeat
        exact = Q(*[Q(**{name: identifier}) for name in self.uuid_search], _connector=Q.OR)
        return (queryset.filter(exact) | results if self.uuid_search else results), may_repeat

    action_form = CountedActionForm

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse | HttpResponse:
        response: TemplateResponse | HttpResponse = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if form := context.get("action_form"):
            form.initial["expected"] = context["cl"].result_count
        return response

    def response_action(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        """Act on all rows only while they are as many as the person saw."""
        if request.POST.get("select_across") in ("", "0", None):
            response: HttpResponse | None = super().response_action(request, queryset)
            return response
        expected, matched = request.POST.get("expected", ""), queryset.count()
        if expected != str(matched):
            nouns = str(self.opts.verbose_name_plural)
            messages.error(
                request, f"The list has changed: it now has {matched:,} {nouns}. Nothing was changed."
            )
            return redirect(request.get_full_path())
        acted: HttpResponse | None = super().response_action(request, queryset)
        return acted

    def check_add(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied(missing(self.add_scope or Scope.ADMIN))

    def page(self, request: HttpRequest, title: str) -> dict[str, Any]:
        """What a page of this model that is neither list nor detail needs to be drawn."""
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "media": self.media,
        }

    def audit(
        self, request: HttpRequest, action: str, target: Model, detail: dict[str, Any] | None = None
    ) -> None:
        audit.record(action, target, request=request, detail={"door": "admin", **(detail or {})})

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        self.audit(request, f"{self.opts.model_name}.create", obj)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        fields = [name for part in message for name in part.get("changed", {}).get("fields", [])]
        self.audit(request, f"{self.opts.model_name}.change", obj, {"fields": fields})

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Who did what to this object: from the audit log, which covers every interface."""
        query = urlencode({"target_type": self.opts.model_name, "target_id": object_id})
        return redirect(f"{reverse('admin:api_auditevent_changelist')}?{query}")

    def say(self, request: HttpRequest, changed: int, total: int, done: str, *, why_not: str) -> None:
        """Report how many of the chosen objects changed, and why the others did not."""
        noun, nouns = str(self.opts.verbose_name), str(self.opts.verbose_name_plural)
        skipped = total - changed
        if changed:
            messages.success(request, f"{_part(changed, total, noun, nouns)} {done}.")
        if skipped:
            messages.warning(request, f"{_part(skipped, total, noun, nouns)} skipped: {why_not}.")


def _part(count: int, total: int, noun: str, nouns: str) -> str:
    """'3 images' where those are all, '3 of 5 images' otherwise."""
    return counted(count, noun, nouns) if count == total else f"{count} of {counted(total, noun, nouns)}"


def add_refusal(form: forms.Form, error: ApiError) -> None:
    """Show a service's refusal at the fields that it names."""
    for item in error.errors:
        form.add_error(item.field if item.field in form.fields else None, item.detail)
    if not error.errors:
        form.add_error(None, error.detail)


def go_back(request: HttpRequest) -> HttpResponse | None:
    """Where an action started on a detail page returns to; None lets the list show itself again."""
    target = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target) if allowed else None

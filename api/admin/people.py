"""People and their roles in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from api.access.permissions import GROUP_SCOPES, scopes_up_to
from api.models import Scope
from pixproject.web.admin import PixModelAdmin
from pixproject.web.templatetags.pix_admin import when

admin.site.unregister(User)
admin.site.unregister(Group)

ROLES = {
    "viewer": "Can view images, jobs and results, but not where images were taken.",
    "reviewer": "Can also upload, edit, trash and restore images, and see where they were taken.",
    "operator": "Can also start, cancel, retry and prioritize jobs, and use the admin.",
    "admin": "Can also pause queues, run clean-ups, purge images, and manage keys and users.",
}


@admin.register(User)
class PersonAdmin(UserAdmin, PixModelAdmin):  # type: ignore[misc]  # both narrow what ModelAdmin says
    """A person's rights are those of the roles; superusers have all, and only they make others so."""

    view_scope = add_scope = change_scope = Scope.ADMIN
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "roles", "is_active", "signed_in")
    list_filter = ("groups", "is_active", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "groups", "is_staff", "is_superuser")}),
        ("Times", {"fields": ("signed_in", "joined")}),
    )
    readonly_fields = ("signed_in", "joined")
    filter_horizontal = ()

    @display(description="Name")
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "–"

    @display(description="Last sign-in", ordering="last_login")
    def signed_in(self, user: User) -> SafeString:
        return when(user.last_login)

    @display(description="Created")
    def joined(self, user: User) -> SafeString:
        return when(user.date_joined)

    @display(description="Roles", label=True)
    def roles(self, user: User) -> list[str]:
        names = [group.name for group in user.groups.all()]
        return ["superuser", *names] if user.is_superuser else names or ["viewer"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = super().get_queryset(request)
        return users.prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_above = isinstance(obj, User) and obj.is_superuser and not request.user.is_superuser
        return not is_above and super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Nobody locks themselves out, and only a superuser makes another one."""
        own = ("is_active", "groups", "is_staff", "is_superuser") if obj == request.user else ()
        return (*self.readonly_fields, *(own or (() if request.user.is_superuser else ("is_superuser",))))


@admin.register(Group)
class RoleAdmin(PixModelAdmin):
    """The four roles are fixed; people are given them on their own page."""

    view_scope = Scope.ADMIN
    list_display = ("name", "meaning", "scopes", "members")
    list_display_links = None
    ordering = ("pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(member_count=Count("user"))

    @display(description="Meaning")
    def meaning(self, group: Group) -> str:
        return ROLES.get(group.name, "Has no rights.")

    @display(description="Scopes")
    def scopes(self, group: Group) -> str:
        scopes = scopes_up_to([GROUP_SCOPES[group.name]]) if group.name in GROUP_SCOPES else set()
        return ", ".join(scope for scope in Scope.values if scope in scopes) or "–"

    @display(description="People", ordering="member_count")
    def members(self, group: Group) -> int:
        return int(group.member_count)  # type: ignore[attr-defined]

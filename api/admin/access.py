"""Keys and the audit in the admin."""

import json
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from api.access.accounts import key_owner
from api.access.keys import KeyExists, create_key, revoke_key
from api.core.errors import ApiError
from api.models import ApiKey, AuditEvent, Scope
from pixproject.web.admin import PixModelAdmin, add_refusal, go_back
from pixproject.web.templatetags.pix_admin import unbroken, when

NEW_KEY_IN_SESSION = "new_api_key"  # (id, text), from the form's answer to the page that shows it


class KeyForm(forms.Form):
    """What a new key is for."""

    # The new key's id, chosen with the form: a form that is sent twice makes one key.
    key_id = forms.UUIDField(required=False, widget=forms.HiddenInput, initial=uuid4)
    name = forms.CharField(
        max_length=100, widget=UnfoldAdminTextInputWidget, help_text="The program that uses the key."
    )
    user = forms.ModelChoiceField(
        queryset=get_user_model().objects.filter(is_active=True).order_by("username"),
        widget=UnfoldAdminSelectWidget,
        help_text="The owner. A key never has more rights than its owner.",
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What the key can do. Each scope includes the ones before it.",
    )
    expires_at = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Leave empty for a key that never expires.",
    )


@admin.register(ApiKey)
class ApiKeyAdmin(PixModelAdmin):
    """Keys are made and revoked, never edited; their text is shown once."""

    view_scope = add_scope = Scope.ADMIN
    list_display = ("name", "prefix", "user", "scope_names", "state", "last_used", "expires", "created")
    list_filter = ("user", "created_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    uuid_search = ("pk",)
    fields = (
        "name",
        "prefix",
        "user",
        "scope_names",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    actions = ("revoke",)
    change_form_outer_after_template = "admin/api/apikey/_revoke.html"

    @display(description="Scopes")
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="State", label={"usable": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "revoked"
        return "expired" if key.expires_at is not None and key.expires_at <= timezone.now() else "usable"

    @display(description="Last used", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> SafeString:
        return when(key.last_used_at)

    @display(description="Expires", ordering="expires_at")
    def expires(self, key: ApiKey) -> SafeString:
        return when(key.expires_at)

    @display(description="Created", ordering="created_at")
    def created(self, key: ApiKey) -> SafeString:
        return when(key.created_at)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.check_add(request)
        form = KeyForm(request.POST or None, initial={"user": request.user.pk, "scopes": [Scope.READ]})
        if form.is_valid():
            values = form.cleaned_data
            try:
                owner = key_owner(
                    values["user"].get_username(), scopes=values["scopes"], requested_by=request.user
                )
                key, text = create_key(
                    values["name"],
                    user=owner,
                    scopes=values["scopes"],
                    expires_at=values["expires_at"],
                    key_id=values["key_id"],
                )
            except ApiError as error:
                add_refusal(form, error)
            except KeyExists:  # by this very form
                return redirect("admin:api_apikey_created", UUID(str(values["key_id"])))
            else:
                self.audit(request, "api_key.create", key, {"name": key.name, "scopes": key.scopes})
                request.session[NEW_KEY_IN_SESSION] = (str(key.pk), text)
                return redirect("admin:api_apikey_created", key.pk)
        context = self.page(request, "New API key") | {"form": form, "media": self.media + form.media}
        return TemplateResponse(request, "admin/form_page.html", context | {"submit_text": "Create key"})

    def get_urls(self) -> list[URLPattern]:
        created = self.admin_site.admin_view(self.created_view)
        return [path("<uuid:key_id>/created/", created, name="api_apikey_created"), *super().get_urls()]

    def created_view(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        """Show a new key's text, and forget it."""
        self.check_add(request)
        shown_id, text = request.session.get(NEW_KEY_IN_SESSION, ("", ""))
        key = ApiKey.objects.filter(pk=key_id).first()
        if key is None or shown_id != str(key_id):
            messages.info(
                request, "The key is shown only once. If it gets lost, revoke it and create a new one."
            )
            return redirect("admin:api_apikey_changelist")
        del request.session[NEW_KEY_IN_SESSION]
        context = self.page(request, "API key created") | {"key": key, "text": text}
        return TemplateResponse(request, "admin/api/apikey/created.html", context)

    @action(description="Revoke", permissions=["admin"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        chosen = list(queryset)
        revoked = [key for key in chosen if revoke_key(key)]
        for key in revoked:
            self.audit(request, "api_key.revoke", key, {"name": key.name})
        self.say(request, len(revoked), len(chosen), "revoked", why_not="already revoked")
        return go_back(request)


@admin.register(AuditEvent)
class AuditAdmin(PixModelAdmin):
    """Who did what; the database itself refuses changes."""

    view_scope = Scope.ADMIN
    list_display = ("time", "who", "action", "target", "said", "address", "request_short")
    list_filter = ("action", "target_type", "at")
    date_hierarchy = "at"
    search_fields = ("actor_name", "api_key_prefix", "action", "target_id", "request_id")
    search_help_text = "User, key prefix, action, ID of the object, or request ID"
    fields = ("at", "who", "action", "target", "ip", "request_id", "detail")

    @display(description="Time", ordering="at")
    def time(self, event: AuditEvent) -> SafeString:
        return unbroken(f"{localtime(event.at):%Y-%m-%d %H:%M:%S}")

    @display(description="From", ordering="ip")
    def address(self, event: AuditEvent) -> str:
        return event.ip or "–"

    @display(description="Request")
    def request_short(self, event: AuditEvent) -> SafeString:
        return format_html(
            '<span class="pix-code" title="{}">{}</span>', event.request_id, event.request_id[:8]
        )

    @display(description="Who", ordering="actor_name")
    def who(self, event: AuditEvent) -> str:
        by_key = f"key {event.api_key_prefix}" if event.api_key_prefix else ""
        return " · ".join(part for part in (event.actor_name, by_key) if part) or "system"

    @display(description="Target", ordering="target_id")
    def target(self, event: AuditEvent) -> str:
        return f"{event.target_type} {event.target_id}".strip() or "–"

    @display(description="Detail")
    def said(self, event: AuditEvent) -> SafeString:
        parts = ", ".join(
            f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
            for name, value in event.detail.items()
        )
        return format_html(
            '<span title="{}">{}</span>', parts, parts if len(parts) < 60 else f"{parts[:57]}…"
        )

"""How the admin looks and what stands in its sidebar (settings.UNFOLD)."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _item(title: str, icon: str, link: str, badge: str = "") -> dict[str, Any]:
    item = {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{link}")}
    return {**item, "badge": badge, "badge_variant": "danger"} if badge else item


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar of the person who asks."""
    from pixproject.dashboard import failed_badge
    from pixproject.web.admin import may  # settings are still being read while this module is imported

    work = [
        _item("Jobs", "checklist", "processing_job_changelist"),
        _item("Failed work", "error", "failed_work", failed_badge()),
        _item("Results", "photo_prints", "processing_operationartifact_changelist"),
        _item("Queues", "queue", "queues"),
        _item("Workers", "memory", "processing_workerheartbeat_changelist"),
        _item("Models", "neurology", "models"),
    ]
    library = [
        _item("Images", "photo_library", "images_image_changelist"),
        _item("Batches", "stacks", "batches_batch_changelist"),
    ]
    access = [
        _item("API keys", "key", "api_apikey_changelist"),
        _item("Users", "person", "auth_user_changelist"),
        _item("Roles", "groups", "auth_group_changelist"),
        _item("Audit", "history", "api_auditevent_changelist"),
    ]
    groups: list[dict[str, Any]] = [
        {"items": [_item("Today", "monitoring", "index")]},
        {"title": "Work", "items": work},
        {"title": "Library", "items": library},
    ]
    return [*groups, {"title": "Access", "items": access}] if may(request, "admin") else groups


def may_see_audit(request: HttpRequest) -> bool:
    from pixproject.web.admin import may

    return may(request, "admin")


def environment(request: HttpRequest) -> list[str] | None:
    from django.conf import settings

    return ["Debug", "warning"] if settings.DEBUG else None


# The pages' accent, in the shades that the theme asks for.
_INDIGO = {
    "50": "oklch(96.2% .018 272.3)",
    "100": "oklch(93% .034 272.8)",
    "200": "oklch(87% .065 274)",
    "300": "oklch(78.5% .115 274.7)",
    "400": "oklch(67.3% .182 276.9)",
    "500": "oklch(58.5% .215 277.1)",
    "600": "oklch(50.1% .22 277)",
    "700": "oklch(44.7% .21 277)",
    "800": "oklch(39.8% .175 277.4)",
    "900": "oklch(35.9% .144 278.7)",
    "950": "oklch(25.7% .09 281.3)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Pix",
    "SITE_HEADER": "Pix",
    "SITE_SUBHEADER": "Operations",
    "SITE_SYMBOL": "photo_library",
    "SITE_URL": "/",
    "SHOW_HISTORY": may_see_audit,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": _INDIGO},
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/favicon.svg")}
    ],
    "STYLES": [lambda request: static("pix_admin/admin.css")],
    "ENVIRONMENT": "pixproject.unfold.environment",
    "SIDEBAR": {"navigation": "pixproject.unfold.navigation"},
}

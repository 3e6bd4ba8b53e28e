"""How pages write things: icons, sizes, durations, statuses."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.contrib.auth.models import AnonymousUser, User
from django.templatetags.static import static
from django.utils import dateformat, timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from api.access.permissions import has_scope as user_has_scope
from pixproject.web.base import text
from pixproject.web.templatetags.shielding import shielded

register = template.Library()
register.tag("shielded", shielded)

STATUS_LABELS = {
    "queued": "Waiting",
    "running": "Running",
    "completed": "Done",
    "completed_with_errors": "Partly done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "ready": "Ready",
    "damaged": "Damaged",
    "trashed": "In the trash",
    "purged": "Deleted",
}
FORMAT_NAMES = {"jpg": "JPEG", "webp": "WebP"}
ABBREVIATIONS = frozenset({"ml", "iso", "dpi", "gps", "id"})
STATUS_ICONS = {
    "queued": "clock",
    "completed": "check",
    "completed_with_errors": "alert",
    "failed": "alert",
    "damaged": "alert",
    "cancelled": "stop",
    "ready": "check",
    "trashed": "trash",
}

CHECK_ICONS = {
    "database": "database",
    "redis": "bolt",
    "storage": "archive",
    "queues": "stack",
    "workers": "worker",
    "models": "sparkle",
}


@register.simple_tag
def icon(name: str, extra_class: str = "") -> SafeString:
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        extra_class,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def status_badge(status: str) -> SafeString:
    name = STATUS_ICONS.get(status)
    mark = icon(name) if name else mark_safe('<span class="dot"></span>')
    return format_html('<span class="badge {}">{}{}</span>', status, mark, status_label(status))


@register.filter
def check_icon(name: str) -> str:
    return CHECK_ICONS.get(name, "disk")


@register.filter
def status_label(status: str) -> str:
    return STATUS_LABELS.get(status, status.replace("_", " ").capitalize())


@register.filter
def byte_size(value: int | None) -> str:
    return "–" if value is None else text.byte_size(value)


@register.filter
def duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds / 1000
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


@register.filter
def about_seconds(seconds: float | None) -> str:
    """A forecast in words: 'a moment', '12 s', '3 min'."""
    if seconds is None:
        return ""
    if seconds < 2:
        return "a moment"
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@register.filter
def time_range(seconds: Mapping[str, float]) -> str:
    """A forecast {p50, p90} in words: '12 s to 3 min'; '12 s' where both read the same."""
    usual, rarely_more = about_seconds(seconds["p50"]), about_seconds(seconds["p90"])
    return usual if usual == rarely_more else f"{usual} to {rarely_more}"


@register.filter
def spoken(name: str) -> str:
    """A key as a label: 'exposure_time' -> 'Exposure time'."""
    words = str(name).replace("_", " ").split(" ")
    first, *rest = [word.upper() if word in ABBREVIATIONS else word for word in words]
    return " ".join([first[:1].upper() + first[1:], *rest])


@register.filter
def format_name(name: str) -> str:
    """A format as people write it: 'jpg' -> 'JPEG'."""
    return FORMAT_NAMES.get(name, name.upper())


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago, in few characters: 'just now', '5 min ago', '3 h ago', then the date."""
    if moment is None:
        return ""
    seconds = (timezone.now() - moment).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 5400:
        return f"{max(1, round(seconds / 60))} min ago"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)} h ago"
    return date_format(moment, "j M Y" if seconds > 300 * 86_400 else "j M")


@register.simple_tag
def time_ago(moment: datetime) -> SafeString:
    """How long ago, with the exact time as a tooltip."""
    there = timezone.localtime(moment)
    exact = dateformat.format(there, "Y-m-d H:i:s e")
    return format_html('<time datetime="{}" title="{}">{}</time>', there.isoformat(), exact, ago(moment))


@register.filter
def lookup(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key)


@register.simple_tag
def has_scope(user: User | AnonymousUser | None, scope: str) -> bool:
    return bool(user and user.is_authenticated and user_has_scope(user, scope))

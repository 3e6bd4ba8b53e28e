"""How the admin writes durations, sizes and statuses."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from pixproject.web.templatetags.pix import byte_size

register = template.Library()
register.filter(byte_size)  # the pages and the admin write sizes alike

STATUS_VARIANTS = {
    "completed": "success",
    "complete": "success",
    "ready": "success",
    "alive": "success",
    "usable": "success",
    "open": "success",
    "running": "info",
    "analyzing": "info",
    "completed_with_errors": "warning",
    "trashed": "warning",
    "paused": "warning",
    "expired": "warning",
    "failed": "danger",
    "damaged": "danger",
    "silent": "danger",
    "revoked": "danger",
    "urgent": "danger",
    "high": "warning",
    "warning": "warning",
    "error": "danger",
}


@register.filter
def status_variant(status: object) -> str:
    """The colour of a status badge; the empty string is neutral."""
    return STATUS_VARIANTS.get(str(status), "")


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as people say them: `84 ms`, `1.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    for size, name, smaller, smaller_name in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = int(seconds % size // smaller)
            return f"{int(seconds // size)} {name}" + (f" {rest} {smaller_name}" if rest else "")
    raise AssertionError(seconds)


@register.filter
def milliseconds(value: float | None) -> str:
    return duration(None if value is None else value / 1000)


@register.filter
def spaced(number: int) -> str:
    """Thousands set apart by a narrow space: 12 345."""
    return f"{number:,}".replace(",", "\u202f")


def unbroken(text: str) -> SafeString:
    """A short text that stays on one line of a list."""
    return format_html('<span class="pix-line">{}</span>', text)


@register.filter
def use_name(use: str) -> str:
    """What a model is for, as a phrase: 'metric:musiq' -> 'metric musiq'."""
    return use.replace(":", " ")


def when(moment: datetime | None) -> SafeString:
    """How long ago; the full time on hovering."""
    if moment is None:
        return unbroken("–")
    full = date_format(localtime(moment), "Y-m-d H:i:s e")
    return format_html('<span class="pix-line" title="{}">{}</span>', full, naturaltime(moment))


def by_and_source(user: AbstractBaseUser | None, source: str) -> SafeString:
    """Who started something, and from which interface."""
    return format_html(
        '<span class="pix-line">{} <small>{}</small></span>', user.get_username() if user else "–", source
    )


@register.filter
def metric_facts(row: Mapping[str, Any]) -> str:
    weights = f", weights {row['weights_sha256']}" if row["weights_sha256"] else ""
    return f"{row['direction']} is better; version {row['version']}{weights}"


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.simple_tag
def thumbnail(image_id: object, size: int = 256, css: str = "pix-thumb", alt: str = "") -> SafeString:
    """An image of an image; the library makes the thumbnail when it is missing."""
    url = f"/api/images/{image_id}/thumbnail/?size={size}"
    return format_html('<img class="{}" src="{}" alt="{}" loading="lazy" decoding="async">', css, url, alt)

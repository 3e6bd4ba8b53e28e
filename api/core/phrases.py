"""Sentences that every interface uses for the same mistake."""

from collections.abc import Iterable

from django.utils.translation import ngettext

from pixproject.web.base.text import byte_size
from processing.algorithms.errors import not_a_choice

UNSTORABLE = "NUL characters and unpaired surrogates are not allowed."
OBJECT_EXPECTED = "Enter a JSON object."
EMPTY_FILTER = "Enter a value, or leave this filter out."
ONE_JSON_TEXT = 'Send this form field as JSON, for example ["a", "b"] or {"name": "a"}.'
SEND_ONCE = "Send this field only once."
__all__ = ["not_a_choice"]


def json_only(sent_type: str) -> str:
    sent = f"not as {sent_type}" if sent_type else "with its Content-Type"
    return f"Send this body as application/json, {sent}. Only bodies with files are multipart forms."


def misplaced_file(names: Iterable[str]) -> str:
    return f"Send files in parts named {' or '.join(names)}."


def unknown_field(allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    return f"Unknown field. Allowed fields: {', '.join(names)}." if names else "Unknown field."


def unknown_filter(allowed: Iterable[str]) -> str:
    return f"Unknown filter. Allowed filters: {', '.join(sorted(allowed))}."


def too_long(length: int, limit: int) -> str:
    return f"This text is too long ({length:,} characters). The limit is {limit:,}."


def file_too_large(size: int, limit: int) -> str:
    """Both sizes as people read them; to the byte where they would read the same."""
    shown, most = byte_size(size), byte_size(limit)
    if shown == most:
        shown, most = f"{size:,} bytes", f"{limit:,} bytes"
    return f"This file is too large ({shown}). The limit is {most}."


def request_too_large(size: int, limit: int, *, without_files: bool = False) -> str:
    what = "The limit, not counting files, is" if without_files else "The limit is"
    shown, most = byte_size(size), byte_size(limit)
    if shown == most:
        shown, most = f"{size:,} bytes", f"{limit:,} bytes"
    return f"The request is too large ({shown}). {what} {most}."


def disk_full(free: int, kept: int) -> str:
    left = f"only {byte_size(free)} would be left" if free > 0 else "the data does not fit"
    return f"The disk is nearly full: {left}, and {byte_size(kept)} must stay free."


DISK_IS_FULL = "The disk is full. Nothing was stored. Free some space, then try again."


def too_many(count: int, limit: int, noun: str, nouns: str = "") -> str:
    """12 tags; the limit is 10."""
    return f"{counted(count, noun, nouns)}; the limit is {limit:,}."


def counted(count: int, noun: str, nouns: str = "") -> str:
    return f"{count:,} {ngettext(noun, nouns or noun + 's', count)}"

"""The names that results are given: safe in every file system, URL and header."""

import re
import uuid
from pathlib import PurePosixPath

from django.utils import timezone
from django.utils.text import get_valid_filename

DEFAULT_FOLDER = "processed_images"
MAX_STEM = 150
MAX_FOLDER = 200
MAX_PREFIX = 100
# Roles whose files are known by a moment and a random part instead of by what they were made from.
TIMESTAMPED_ROLES = ("enhanced", "original_copy")


def clean_folder(text: str) -> str:
    """A relative folder of harmless names; `..`, drive letters and control characters have no place in it."""
    parts = (_clean(part) for part in re.split(r"[/\\]+", text))
    return "/".join(part for part in parts if part)[:MAX_FOLDER].rstrip("/") or DEFAULT_FOLDER


def clean_prefix(text: str) -> str:
    """A harmless beginning of a file name."""
    return _clean(text.replace("/", "_").replace("\\", "_"))[:MAX_PREFIX]


def _clean(text: str) -> str:
    text = "".join(character for character in text.strip() if character.isprintable())
    return get_valid_filename(text).strip(".") if text.strip(". ") else ""


def result_name(*, operation: str, role: str, source_name: str, extension: str, prefix: str) -> str:
    """The file name of a result, from what the request asked for and what it was made from."""
    if role in TIMESTAMPED_ROLES:
        stamp = timezone.now().strftime("%Y%m%dT%H%M%S%fZ")
        return f"{prefix}{role}_{stamp}_{uuid.uuid4()}.{extension}"
    stem = _clean(PurePosixPath(source_name).stem)[:MAX_STEM] or "image"
    return f"{prefix}{stem}_{operation}.{extension}"

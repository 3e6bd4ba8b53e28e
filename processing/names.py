"""The names that results are given: safe in every file system, URL and header."""

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from django.utils import timezone
from django.utils.text import get_valid_filename

DEFAULT_FOLDER = "processed_images"
# With the longest prefix, operation, number and extension, names stay within the 255 characters of a file system.
MAX_STEM = 120
MAX_PAIR_STEM = 75
MAX_FOLDER = 200
MAX_PREFIX = 100
# What the files of a pair are called; they share a moment and an identifier, and both name their source.
PAIRED_ROLES = {"enhanced": "enhanced", "original_copy": "original"}


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


def new_pair() -> str:
    """What the two results of one print share in their names: when they were made, and an identifier."""
    return f"{timezone.now():%Y%m%dT%H%M%S%fZ}_{uuid.uuid4()}"


def result_name(
    *,
    operation: str,
    role: str,
    source_name: str,
    extension: str,
    prefix: str,
    number: int = 1,
    pair: str = "",
) -> str:
    """The file name of a result: what it was made from and by what.

    Args:
        number: which of several results with the same source name and operation it is, from 1.
        pair: what the results of one operation share (`new_pair`), for roles that come in pairs.
    """
    if role in PAIRED_ROLES:
        return f"{prefix}{_stem(source_name)[:MAX_PAIR_STEM]}_{pair}_{PAIRED_ROLES[role]}.{extension}"
    counter = f"_{number}" if number > 1 else ""
    return f"{prefix}{_stem(source_name)}_{operation}{counter}.{extension}"


def numbered(results: Iterable[tuple[str, str]]) -> list[int]:
    """For each (source name, operation) of a job, which of those with the same file name it is, from 1.

    The extension does not count: it is only known when the result is there. File systems that ignore case exist.
    """
    seen: Counter[str] = Counter()
    numbers = []
    for source_name, operation in results:
        name = f"{_stem(source_name)}_{operation}".casefold()
        seen[name] += 1
        numbers.append(seen[name])
    return numbers


def _stem(source_name: str) -> str:
    return _clean(PurePosixPath(source_name).stem)[:MAX_STEM] or "image"

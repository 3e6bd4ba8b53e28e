"""Sentences about images, for people."""

from typing import Any

from django.utils.translation import ngettext

from api.core.phrases import counted
from pixproject.web.base.text import byte_size

PURGED = "The image was purged; its files no longer exist."
PURGED_MEANWHILE = "The image was purged before this could run."
RESOLVED = {"trash": "The other image was moved to the trash.", "not_duplicate": "Both images were kept."}
CHOOSE_FILES = "Choose at least one image."
SELECT_IMAGES = "Select at least one image."
CHOOSE_ACTION = "Choose what to do with the selected images."
UNPINNED = "Unpinned. Clean-ups may remove this image again."
PINNED = "Pinned. Clean-ups will not remove this image."
LONGEST_TAG_SHOWN = 100


def too_many_at_once(count: int, limit: int) -> str:
    return f"{counted(count, 'image')} selected; the limit for one action is {limit:,}."


def expected_required(matched: int, limit: int) -> str:
    return (
        f"This is for {counted(matched, 'image')}. Above {limit}, `expected` must state their number; "
        "`dry_run` counts them."
    )


def count_changed(matched: int, expected: int) -> str:
    return f"{counted(expected, 'image')} expected, but this is for {matched:,} now. Nothing was changed."


def too_many_for_page(count: int, limit: int) -> str:
    return f"{counted(count, 'image')} selected; the limit for one job on this page is {limit:,}."


def wrong_number_for_job(count: int, limit: int) -> str:
    if not count:
        return CHOOSE_FILES
    return f"{counted(count, 'image')} selected; the limit for one job is {limit:,}."


def too_many_tags(image_id: Any, count: int, limit: int) -> str:
    return f"Image {image_id} would have {counted(count, 'tag')}; the limit is {limit}."


def wrong_tag(tag: str, limit: int) -> str:
    shown = tag[:LONGEST_TAG_SHOWN]
    return f"'{shown}' is not a valid tag. Use 1 to {limit} printable characters; this one has {len(tag)}."


def metadata_too_large(size: int, limit: int) -> str:
    return f"The metadata is too large ({byte_size(size)} of JSON). The limit is {byte_size(limit)}."


def metadata_too_deep(limit: int) -> str:
    return f"Lists and objects are nested too deeply. The limit is {limit} levels."


def empty_file(name: str) -> str:
    return f"The file '{name}' is empty (0 bytes)."


def already_decided(is_duplicate: bool) -> str:
    verdict = "The images are duplicates" if is_duplicate else "Both images were kept"
    return f"This pair has already been decided: {verdict}."


def uploaded(count: int) -> str:
    return ngettext("%(n)s image added to the library.", "%(n)s images added to the library.", count) % {
        "n": f"{count:,}"
    }


def changed(count: int, done: str) -> str:
    """3 images moved to the trash."""
    return f"{counted(count, 'image')} {done}."


def trashed(name: Any, days: int) -> str:
    kept = ngettext(
        " It will be permanently deleted after %(n)s day.",
        " It will be permanently deleted after %(n)s days.",
        days,
    )
    return f"“{name}” was moved to the trash." + (kept % {"n": days} if days else "")


def skipped(count: int, first: str, why: str) -> str:
    return f"{counted(count, 'image')} skipped, for example {first}: {why}"

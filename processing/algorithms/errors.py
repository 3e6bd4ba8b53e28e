"""Errors that are the input's fault: shown to the user as they are, never retried."""

from collections.abc import Iterable
from typing import Any

LONGEST_QUOTE = 50


def not_a_choice(value: Any, choices: Iterable[Any]) -> str:
    """'gif' is not a valid choice. Choose one of: jpg, png."""
    return f"{str(value)[:LONGEST_QUOTE]!r} is not a valid choice. Choose one of: {', '.join(map(str, choices))}."


class ProcessingError(Exception):
    """The image or a parameter is at fault; `detail` names the limit and the actual value.

    `limit` and `value` give the numbers of a size or a count exactly. Only `detail` is positional, so that the error
    survives pickling between processes.
    """

    code = "processing_error"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        field: str | None = None,
        limit: float | None = None,
        value: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.limit = limit
        self.value = value
        if code is not None:
            self.code = code


class NotAnImage(ProcessingError):
    """The file is not an image."""

    code = "not_an_image"


class UnsupportedFormat(ProcessingError):
    """An image, but of a kind that is not accepted (or not writable)."""

    code = "unsupported_format"


class DamagedImage(ProcessingError):
    """The header is right, the rest is truncated or broken."""

    code = "damaged_image"


class ImageTooLarge(ProcessingError):
    """Too many bytes, pixels, frames, or too long a side."""

    code = "image_too_large"


class SameFormat(ProcessingError):
    """A conversion into the format that the source already has."""

    code = "same_format"


class InvalidParameter(ProcessingError):
    """A parameter is wrong; `field` names it, `step` (where known) its place in a pipeline."""

    code = "invalid_parameter"
    step: int | None = None


class UnknownOperation(ProcessingError):
    """No operation has this name."""

    code = "unknown_operation"

"""Errors that are the input's fault: shown to the user as they are, never retried."""


class ProcessingError(Exception):
    """The picture or a parameter is at fault; `detail` names the limit and the actual value.

    Only `detail` is positional, so that the error survives pickling between processes.
    """

    code = "processing_error"

    def __init__(self, detail: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        if code is not None:
            self.code = code


class NotAnImage(ProcessingError):
    """The bytes are no picture of any kind."""

    code = "not_an_image"


class UnsupportedFormat(ProcessingError):
    """A picture, but of a kind that is not accepted (or not writable)."""

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

"""What can be said about a result before any pixel is touched: its format, its size, what forbids it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from processing.algorithms.codecs.encoding import check_encodable
from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.errors import InvalidParameter, SameFormat
from processing.algorithms.operations.spec import OperationSpec

Step = tuple[OperationSpec, Mapping[str, Any]]


@dataclass(frozen=True)
class Storage:
    """How a result is stored; the arguments of `codecs.encode`. `is_named`: a step asked for the format."""

    format: str
    quality: int | None = None
    lossless: bool = False
    progressive: bool = False
    is_named: bool = False


def plan_storage(steps: Sequence[Step], *, source_format: str) -> Storage:
    """The format of a result: that of the last step which names one, else the source's, else png.

    The quality is that of the last step which names one; lossless and progressive belong to the format.
    """
    plan = Storage(source_format if FORMATS[source_format].can_write else "png")
    for spec, parameters in steps:
        named = named_format(spec, parameters)
        if named is not None:
            lossless, progressive = (parameters.get(mode, False) for mode in ("lossless", "progressive"))
            plan = Storage(named, plan.quality, lossless, progressive, is_named=True)
        if "quality" in parameters:
            plan = replace(plan, quality=parameters["quality"])
    return plan


def named_format(spec: OperationSpec, parameters: Mapping[str, Any]) -> str | None:
    """The format that a step asks for: its parameter, or its own name for `jpg`, `png`, `webp`, `avif`."""
    if spec.kind == "convert" and "format" not in spec.schema["properties"]:
        return spec.name
    return parameters.get("format")


def check_steps(steps: Sequence[Step], *, format: str, width: int, height: int, limits: Limits) -> None:
    """Check a chain of operations against the image it will work on.

    Args:
        steps: rows and checked parameters, in order.
        format: the source's format, a key of `FORMATS`.
        width, height: the source's upright size in px.
        limits: pixels and side of every image on the way.

    Raises:
        SameFormat: a single conversion into the format that the source already has.
        InvalidParameter: a crop rectangle outside of the image, a result above the limits; `step` says which.
        ImageTooLarge: a result above what its format can hold.
    """
    if len(steps) == 1 and steps[0][0].kind == "convert" and named_format(*steps[0]) == format:
        field = "format" if "format" in steps[0][1] else None
        raise SameFormat(f"The image is already in {format} format. Choose another format.", field=field)
    for index, (spec, parameters) in enumerate(steps):
        try:
            width, height = spec.size_after(width, height, parameters)
            to_blame = next((name for name in ("width", "height", "angle") if name in parameters), None)
            check_result_size(spec.name, width, height, limits=limits, field=to_blame)
        except InvalidParameter as error:
            error.step = index
            raise
    check_encodable(plan_storage(steps, source_format=format).format, width=width, height=height)


def check_result_size(
    name: str, width: int, height: int, *, limits: Limits, field: str | None = None
) -> None:
    """Refuse a result of the operation `name` with a side or an area above the limits; `field` is to blame."""
    size = f"The result of {name} would have {width} × {height}"
    if max(width, height) > limits.max_side_px:
        raise InvalidParameter(f"{size} px; the limit for each side is {limits.max_side_px} px.", field=field)
    if width * height > limits.max_pixels:
        raise InvalidParameter(
            f"{size} = {width * height:,} pixels; the limit is {limits.max_pixels:,}.", field=field
        )

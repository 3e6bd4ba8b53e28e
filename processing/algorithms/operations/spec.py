"""What a row of the table of operations is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from processing.algorithms.codecs.formats import WRITABLE_FORMATS
from processing.algorithms.codecs.jpeg_lossless import Move
from processing.algorithms.codecs.raster import Raster
from processing.algorithms.context import ExecutionContext
from processing.algorithms.operations.schema import Schema, output_format, quality, schema_of

Moves = tuple[Move, ...]
Resolution = tuple[float, float] | None
Kind = Literal["convert", "geometry", "colour", "overlay", "enhance"]
# Parameters that say how the result is stored; the functions never see them.
ENCODING_PARAMETERS = ("format", "quality", "lossless", "progressive")
_KEEPS_FORMAT = "Format of the result. Default: the format of the source, or png if Pix cannot write that."


@dataclass(frozen=True)
class OperationSpec:
    """One row of `OPERATIONS`.

    Attributes:
        name: the word used in requests.
        title, description: for people.
        function: takes a `Raster` and the checked parameters, gives a new `Raster`.
        schema: JSON Schema (draft 2020-12) of the parameters.
        kind: convert (format only), geometry (alpha moves along), colour (alpha untouched), overlay, enhance.
        version: raised whenever the same input would give other bytes; part of the result cache's key.
        queue: where it runs.
        output_formats: formats that the result can have.
        aliases: other names of parameters.
        output_size: (width, height, **parameters) to the size of the result in px; None = unchanged.
        moves: (width, height, **parameters) to the exact moves of which it consists; None where it also changes
            values, as all operations do that do not say this.
        scale: (width, height, **parameters) to the factors by which it scales.
        check: further checks of the parameters, which a schema cannot say.
        roles: what its results are called.
        models: the names of the models that it needs with these parameters. A function with models also takes
            `context`, and the hashes of their weights are part of the result cache's key.
    """

    name: str
    title: str
    description: str
    function: Callable[..., Raster]
    schema: Schema
    kind: Kind
    version: int = 3
    queue: str = "default"
    output_formats: tuple[str, ...] = WRITABLE_FORMATS
    aliases: Mapping[str, str] = field(default_factory=dict)
    output_size: Callable[..., tuple[int, int]] | None = None
    moves: Callable[..., Moves | None] | None = None
    scale: Callable[..., tuple[float, float]] | None = None
    check: Callable[[dict[str, Any]], None] | None = None
    roles: tuple[str, ...] = ("result",)
    models: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None

    def apply(
        self, raster: Raster, parameters: Mapping[str, Any], context: ExecutionContext | None = None
    ) -> Raster:
        """Run the operation with checked parameters."""
        more = {} if self.models is None else {"context": context or ExecutionContext()}
        return self.function(raster, **working_parameters(parameters), **more)

    def needed_models(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """The models without which it cannot run with these parameters."""
        return () if self.models is None else self.models(parameters)

    def usual_models(self) -> tuple[str, ...]:
        """The models without which it cannot run with its default parameters."""
        return self.model_choices()[0]

    def model_choices(self) -> list[tuple[str, ...]]:
        """The models that it needs for each choice of its parameter `model`, the default first."""
        rows = self.schema["properties"]
        usual = {name: row["default"] for name, row in rows.items() if "default" in row}
        others = [{"model": choice} for choice in rows.get("model", {}).get("enum", ())]
        return [self.needed_models(usual | change) for change in [{}, *others]]

    def size_after(self, width: int, height: int, parameters: Mapping[str, Any]) -> tuple[int, int]:
        """Size in px of the result for a source of this size."""
        if self.output_size is None:
            return width, height
        return self.output_size(width, height, **working_parameters(parameters))

    def exact_moves(self, width: int, height: int, parameters: Mapping[str, Any]) -> Moves | None:
        """The moves of which it consists for a source of this size; None where it changes any value."""
        return None if self.moves is None else self.moves(width, height, **working_parameters(parameters))

    def resolution_after(
        self, dpi: Resolution, width: int, height: int, parameters: Mapping[str, Any]
    ) -> Resolution:
        """The resolution of the result: what is shown keeps its size in inches."""
        if dpi is None:
            return None
        if self.scale is not None:
            across, down = self.scale(width, height, **working_parameters(parameters))
            return dpi[0] * across, dpi[1] * down
        moves = self.exact_moves(width, height, parameters)
        if moves is None:  # turned by any angle, its sides are no more those of the source
            return dpi if dpi[0] == dpi[1] or self.output_size is None else None
        is_turned = sum(move.kind == "transpose" for move in moves) % 2
        return dpi[::-1] if is_turned else dpi


def working_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that only say how the result is stored."""
    return {name: value for name, value in parameters.items() if name not in ENCODING_PARAMETERS}


def row(
    name: str,
    title: str,
    description: str,
    *,
    function: Callable[..., Raster],
    kind: Kind,
    properties: Mapping[str, Schema] | None = None,
    aliases: Mapping[str, str] | None = None,
    rules: Mapping[str, Any] | None = None,
    **more: Any,
) -> OperationSpec:
    """Build a row; all but the conversions and those with formats of their own also take `format` and `quality`.

    Args:
        properties: the schema of each parameter.
        rules: further members of the schema, such as `required`.
        more: further fields of `OperationSpec`.
    """
    has_own = kind == "convert" or "output_formats" in more
    stored = {} if has_own else {"format": output_format(_KEEPS_FORMAT), "quality": quality()}
    schema = schema_of(stored | dict(properties or {}), aliases=aliases or {}, **(rules or {}))
    return OperationSpec(name, title, description, function, schema, kind, aliases=aliases or {}, **more)


def stays(_width: int, _height: int) -> Moves:
    """For operations that move nothing and change no value."""
    return ()


def unchanged(raster: Raster) -> Raster:
    """For operations that only store the image anew."""
    return raster


def on_colour(function: Callable[..., np.ndarray]) -> Callable[..., Raster]:
    """Let a function of pixels work on a raster; the transparency stays as it is."""

    def apply(raster: Raster, **parameters: Any) -> Raster:
        return Raster(function(raster.pixels, **parameters), raster.alpha)

    return apply


def on_visible(function: Callable[..., np.ndarray]) -> Callable[..., Raster]:
    """Like `on_colour`, for functions that look at more than one pixel: they get the transparency too."""

    def apply(raster: Raster, **parameters: Any) -> Raster:
        return Raster(function(raster.pixels, raster.alpha, **parameters), raster.alpha)

    return apply

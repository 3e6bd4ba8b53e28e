"""The table of operations. A new one is a function and a row here; API, forms and documentation follow."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from processing.algorithms.codecs.encoding import check_modes
from processing.algorithms.codecs.probing import DEFAULT_LIMITS, Limits
from processing.algorithms.codecs.raster import Raster, flatten
from processing.algorithms.denoise.denoise import denoise, needed_models
from processing.algorithms.errors import InvalidParameter, UnknownOperation
from processing.algorithms.fingerprint import enhance as fingerprint
from processing.algorithms.fingerprint import gabor
from processing.algorithms.operations import parameters as sets
from processing.algorithms.operations.planning import Storage, check_steps, plan_storage
from processing.algorithms.operations.schema import Schema, checked, shown
from processing.algorithms.operations.spec import OperationSpec, on_colour, on_visible, row, stays, unchanged
from processing.algorithms.pixels import geometry, sharpness, tone
from processing.algorithms.pixels.watermark import check_text, watermark

Steps = Sequence[tuple[str, Mapping[str, Any]]]


def _blur(raster: Raster, *, sigma_px: float) -> Raster:
    if raster.alpha is None:
        return Raster(sharpness.blur(raster.pixels, sigma_px=sigma_px))
    return Raster(sharpness.blur_visible(raster.pixels, raster.alpha, sigma_px=sigma_px), raster.alpha)


def _enhance_fingerprint(raster: Raster, *, method: str, **steps: Any) -> Raster:
    """A transparent background counts as paper: white."""
    pixels = flatten(raster.pixels, raster.alpha)
    if method == "gabor":
        return Raster(gabor.enhance_gabor(pixels))
    return Raster(fingerprint.enhance(pixels, **steps))


def _check_fingerprint(parameters: dict[str, Any]) -> None:
    if parameters["method"] == "standard":
        return
    for name, schema in sets.FINGERPRINT_STEPS.items():
        if parameters[name] != schema["default"]:
            raise InvalidParameter(
                f"{name} is only available for the method standard, not for gabor.", field=name
            )


def _colour(
    name: str,
    title: str,
    description: str,
    function: Callable[..., Raster],
    properties: Mapping[str, Schema] | None = None,
    *,
    intensity: str | None = None,
) -> OperationSpec:
    """A row that leaves the transparency alone; `intensity` names what that alias stands for."""
    aliases = {"intensity": intensity} if intensity else {}
    return row(
        name, title, description, function=function, kind="colour", properties=properties, aliases=aliases
    )


_TO: dict[str, tuple[str, Mapping[str, Schema]]] = {
    "jpg": ("JPEG", sets.QUALITY | sets.PROGRESSIVE),
    "png": ("PNG", {}),
    "webp": ("WebP", sets.QUALITY | sets.LOSSLESS),
    "avif": ("AVIF", sets.QUALITY),
}
_CONVERSIONS = (
    row(
        "convert",
        "Convert",
        "Store the image in another format.",
        function=unchanged,
        moves=stays,
        kind="convert",
        properties=sets.CONVERT,
        rules={"required": ["format"]},
        check=lambda given: check_modes(
            given["format"], lossless=given["lossless"], progressive=given["progressive"]
        ),
    ),
    *(
        row(
            name,
            title,
            f"Convert to {title}.",
            function=unchanged,
            moves=stays,
            kind="convert",
            properties=properties,
            output_formats=(name,),
        )
        for name, (title, properties) in _TO.items()
    ),
    row(
        "strip_metadata",
        "Strip metadata",
        "Remove EXIF, location and other hidden data.",
        function=unchanged,
        moves=stays,
        kind="colour",
    ),
)
_GEOMETRY = (
    row(
        "resize",
        "Resize",
        "Change the width and height.",
        function=geometry.resize,
        kind="geometry",
        properties=sets.RESIZE,
        rules={"anyOf": [{"required": ["width"]}, {"required": ["height"]}]},
        output_size=geometry.resized_size,
        scale=geometry.resized_scale,
    ),
    row(
        "crop",
        "Crop",
        "Cut out a rectangle.",
        function=geometry.crop,
        kind="geometry",
        properties=sets.CROP,
        rules={"required": ["width", "height"]},
        output_size=geometry.cropped_size,
        moves=geometry.crop_moves,
    ),
    row(
        "rotate",
        "Rotate",
        "Rotate clockwise by any angle.",
        function=geometry.rotate,
        kind="geometry",
        properties=sets.ROTATE,
        rules={"required": ["angle"]},
        output_size=geometry.rotated_size,
        moves=geometry.rotate_moves,
    ),
    row(
        "flip",
        "Flip",
        "Mirror the image.",
        function=geometry.flip,
        moves=geometry.flip_moves,
        kind="geometry",
        properties=sets.FLIP,
    ),
)
_COLOUR = (
    _colour("blur", "Blur", "Apply a Gaussian blur.", _blur, sets.BLUR, intensity="sigma_px"),
    _colour(
        "sharpen",
        "Sharpen",
        "Apply an unsharp mask.",
        on_visible(sharpness.sharpen),
        sets.SHARPEN,
        intensity="amount",
    ),
    _colour("grayscale", "Grayscale", "Remove all colour.", on_colour(tone.grayscale)),
    _colour(
        "sepia",
        "Sepia",
        "Brown tones, like an old photograph.",
        on_colour(tone.sepia),
        sets.SEPIA,
        intensity="blend",
    ),
    _colour(
        "brightness",
        "Brightness",
        "Make the image lighter or darker.",
        on_colour(tone.brightness),
        sets.BRIGHTNESS,
        intensity="factor",
    ),
    _colour(
        "contrast",
        "Contrast",
        "Increase or reduce the contrast.",
        on_visible(tone.contrast),
        sets.CONTRAST,
        intensity="factor",
    ),
    _colour(
        "saturation",
        "Saturation",
        "Make colours stronger or paler.",
        on_colour(tone.saturation),
        sets.SATURATION,
    ),
    _colour("gamma", "Gamma", "Lighten or darken the midtones.", on_colour(tone.gamma), sets.GAMMA),
    _colour(
        "autocontrast",
        "Auto contrast",
        "Stretch the tones to full black and white.",
        on_visible(tone.autocontrast),
        sets.AUTOCONTRAST,
    ),
    _colour("clahe", "CLAHE", "Equalize local contrast.", on_visible(tone.clahe), sets.CLAHE),
)
_OTHERS = (
    row(
        "denoise",
        "Denoise",
        "Remove noise with a neural network. Images with little noise are left unchanged.",
        function=denoise,
        kind="colour",
        properties=sets.DENOISE,
        aliases={"intensity": "strength"},
        queue="ml",
        output_formats=("png",),
        models=needed_models,
    ),
    row(
        "watermark",
        "Watermark",
        "Write text on the image.",
        function=watermark,
        kind="overlay",
        properties=sets.WATERMARK,
        rules={"required": ["text"]},
        check=lambda given: check_text(given["text"]),
    ),
    row(
        "enhance_fingerprint",
        "Enhance fingerprint",
        "Make the ridges stand out. The original is saved as well.",
        function=_enhance_fingerprint,
        kind="enhance",
        properties=sets.ENHANCE_FINGERPRINT,
        check=_check_fingerprint,
        roles=("enhanced", "original_copy"),
    ),
)
OPERATIONS: dict[str, OperationSpec] = {
    spec.name: spec for spec in (*_CONVERSIONS, *_GEOMETRY, *_COLOUR, *_OTHERS)
}


def find_operation(name: object) -> OperationSpec:
    """The row of an operation; unknown names are refused with the nearest known ones."""
    if isinstance(name, str) and name in OPERATIONS:
        return OPERATIONS[name]
    near = difflib.get_close_matches(str(name)[:60] if isinstance(name, str) else "", OPERATIONS, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Choose one of: {', '.join(OPERATIONS)}."
    raise UnknownOperation(f"Unknown operation {shown(name)}. {hint}")


def validate_parameters(name: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Check the parameters of an operation and give their canonical form (see `parameters.checked`).

    Raises:
        UnknownOperation, InvalidParameter: the sentence names what is allowed and what was sent.
    """
    spec = find_operation(name)
    values = checked(name, spec.schema, spec.aliases, {} if parameters is None else parameters)
    if spec.check is not None:
        spec.check(values)
    return values


def validate_steps(
    steps: Steps, *, format: str, width: int, height: int, limits: Limits = DEFAULT_LIMITS
) -> None:
    """Check a pipeline against its source: format, crop rectangle, size of everything on the way.

    Args:
        steps: names and parameters, as `validate_parameters` gives them, in order.
        format: the source's format, a key of `FORMATS`.
        width, height: the source's upright size in px (`ImageInfo.upright_size`).
        limits: pixels and side of every result on the way.

    Raises:
        ProcessingError: see `planning.check_steps`.
    """
    check_steps(_rows(steps), format=format, width=width, height=height, limits=limits)


def validate_for_source(
    name: str,
    parameters: Mapping[str, Any],
    *,
    format: str,
    width: int,
    height: int,
    limits: Limits = DEFAULT_LIMITS,
) -> None:
    """Check one operation against its source; see `validate_steps`."""
    validate_steps([(name, parameters)], format=format, width=width, height=height, limits=limits)


def storage_for(steps: Steps, *, source_format: str) -> Storage:
    """How the result of a pipeline will be stored; see `planning.plan_storage`."""
    return plan_storage(_rows(steps), source_format=source_format)


def _rows(steps: Steps) -> list[tuple[OperationSpec, Mapping[str, Any]]]:
    return [(find_operation(name), parameters) for name, parameters in steps]

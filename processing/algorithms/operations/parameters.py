"""The parameters of each operation, with their limits and defaults, as rows of JSON Schema."""

from processing.algorithms.denoise.denoise import AUTO, MIN_SIGMA, MODELS
from processing.algorithms.operations.schema import (
    Schema,
    choice,
    integer,
    number,
    output_format,
    quality,
    side,
    switch,
    text,
)
from processing.algorithms.pixels.watermark import POSITIONS

_END = r"$(?!\n)"  # Python's $ also matches before a last line break
_COLOUR = "^#[0-9a-fA-F]{6}" + _END
_ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*" + _END
_RADIUS = "Size of the details to sharpen."

_CROP_EDGES = {
    "x": side("X", "Left edge of the rectangle.", minimum=0, default=0),
    "y": side("Y", "Top edge of the rectangle.", minimum=0, default=0),
}


def _factor(what: str, *, default: float = 1.2) -> Schema:
    words = f"{what}: 1 = unchanged, 1.5 = +50 %."
    return number(what, words, minimum=0, maximum=10, default=default)


def _amount(title: str, *, default: float = 1) -> Schema:
    words = "0 = unchanged, 1 = adds the full difference to the blurred image."
    return number(title, words, minimum=0, maximum=10, default=default)


QUALITY = {"quality": quality()}
LOSSLESS = {
    "lossless": switch(
        "Lossless", "Keep every pixel. Applies to webp; png, tiff and bmp are always lossless.", default=False
    )
}
PROGRESSIVE = {
    "progressive": switch(
        "Progressive", "Write a jpg that loads coarsely first, then in full detail.", default=False
    )
}
CONVERT = (
    {"format": output_format("The new format. It must differ from the format of the source.")}
    | QUALITY
    | LOSSLESS
    | PROGRESSIVE
)
RESIZE = {
    "width": side("Width", "Width of the result. If empty, it follows from the height."),
    "height": side("Height", "Height of the result. If empty, it follows from the width."),
    "fit": choice(
        "Fit",
        "contain = fit inside the box, cover = fill the box and crop the rest, exact = stretch.",
        ("contain", "cover", "exact"),
        default="contain",
    ),
    "upscale": switch("Upscale", "Allow results larger than the source.", default=False),
}
CROP = _CROP_EDGES | {
    "width": side("Width", "Width of the rectangle."),
    "height": side("Height", "Height of the rectangle."),
}
ROTATE = {
    "angle": number("Angle", "Angle of the clockwise rotation.", minimum=-360, maximum=360, unit="°"),
    "expand": switch("Expand", "Enlarge the canvas so that nothing is cropped.", default=True),
    "fill": text(
        "Fill",
        "Colour of the new corners: #rrggbb or transparent.",
        max_length=11,
        pattern=f"{_COLOUR}|^transparent{_END}",
        default="transparent",
    ),
}
FLIP = {
    "direction": choice(
        "Direction",
        "horizontal swaps left and right, vertical swaps top and bottom.",
        ("horizontal", "vertical"),
        default="horizontal",
    )
}
BLUR = {"sigma_px": number("Sigma", "Strength; 0 = unchanged.", minimum=0, maximum=50, default=2, unit="px")}
SHARPEN = {
    "amount": _amount("Amount"),
    "radius_px": number("Radius", _RADIUS, minimum=0.1, maximum=20, default=1, unit="px"),
}
SEPIA = {"blend": number("Blend", "0 = unchanged, 1 = full tone.", minimum=0, maximum=1, default=1)}
BRIGHTNESS = {"factor": _factor("Brightness")}
CONTRAST = {"factor": _factor("Contrast")}
SATURATION = {"factor": _factor("Saturation")}
GAMMA = {
    "gamma": number(
        "Gamma", "Values above 1 lighten, values below 1 darken.", minimum=0.1, maximum=10, default=1.5
    )
}
AUTOCONTRAST = {
    "cutoff_percent": number(
        "Cut-off",
        "Share of pixels that may clip at either end.",
        minimum=0,
        maximum=49,
        default=0.5,
        unit="%",
    )
}
CLAHE = {
    "clip_limit": number(
        "Clip limit", "Limit on local contrast; higher values allow more.", minimum=0.1, maximum=40, default=2
    ),
    "tiles": integer("Tiles", "Number of tiles along each axis.", minimum=1, maximum=64, default=8),
}
WATERMARK = {
    "text": text("Text", "One line of text.", max_length=200, pattern=_ONE_LINE),
    "position": choice("Position", "A corner, an edge or the centre.", POSITIONS, default="bottom-right"),
    "opacity": number("Opacity", "0 = invisible, 1 = solid.", minimum=0, maximum=1, default=0.5),
    "size": number(
        "Size",
        "Height of the letters as a share of the shorter side.",
        minimum=0.5,
        maximum=50,
        default=5,
        unit="%",
    ),
    "colour": text("Colour", "#rrggbb", max_length=7, pattern=_COLOUR, default="#ffffff"),
}
FINGERPRINT_STEPS = {
    **CLAHE,
    "sharpen_amount": _amount("First sharpening"),
    "contrast_factor": _factor("Contrast", default=1.5),
    "brightness_factor": _factor("Brightness", default=1.1),
    "unsharp_amount": _amount("Unsharp mask", default=1.5),
    "unsharp_radius_px": number("Unsharp radius", _RADIUS, minimum=0.1, maximum=20, default=2, unit="px"),
    "unsharp_threshold": integer(
        "Unsharp threshold",
        "Differences below this value are not sharpened.",
        minimum=0,
        maximum=255,
        default=3,
    ),
    "smooth_sigma_px": number(
        "Smoothing",
        "Gaussian blur before the last sharpening.",
        minimum=0,
        maximum=20,
        default=0.5,
        unit="px",
    ),
    "final_sharpen_amount": _amount("Last sharpening"),
}
ENHANCE_FINGERPRINT = {
    "format": output_format("Format of both result files.", default="bmp"),
    "method": choice(
        "Method",
        "standard = contrast and sharpening in seven steps, set below; gabor = filters along the ridges, white "
        "around the print, for prints that are hard to read.",
        ("standard", "gabor"),
        default="standard",
    ),
    **FINGERPRINT_STEPS,
}
DENOISE = {
    "strength": number(
        "Strength", "0 = unchanged, 1 = remove all noise found.", minimum=0, maximum=1, default=1
    ),
    "model": choice(
        "Model",
        "auto = Pix's own network for colour or grey, whichever suits the image; "
        "dncnn_color_blind = the published file, once it is installed.",
        MODELS,
        default=AUTO,
    ),
    "min_sigma": number(
        "Minimum noise",
        "An image with less noise (standard deviation, of 255 levels) is left as it is, with a note: "
        "denoising would blur it. 0 = always denoise.",
        minimum=0,
        maximum=50,
        default=MIN_SIGMA,
    ),
    "format": choice(
        "Format", "Write the result as a png, which keeps every pixel.", ("png",), default="png"
    ),
}

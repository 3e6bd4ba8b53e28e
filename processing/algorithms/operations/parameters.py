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
_RADIUS = "Size of the detail that is sharpened."

_CROP_EDGES = {
    "x": side("X", "Left edge of the rectangle.", minimum=0, default=0),
    "y": side("Y", "Upper edge of the rectangle.", minimum=0, default=0),
}


def _factor(what: str, *, default: float = 1.2) -> Schema:
    words = f"{what}: 1 = unchanged, 1.5 = +50 %."
    return number(what, words, minimum=0, maximum=10, default=default)


def _amount(title: str, *, default: float = 1) -> Schema:
    words = "0 = unchanged, 1 = the whole difference once more."
    return number(title, words, minimum=0, maximum=10, default=default)


QUALITY = {"quality": quality()}
STRIP_METADATA = {"quality": quality(95)}
LOSSLESS = {
    "lossless": switch("Lossless", "Keep every pixel (webp; png, tiff, bmp always do).", default=False)
}
PROGRESSIVE = {"progressive": switch("Progressive", "A jpg that appears coarse first.", default=False)}
CONVERT = (
    {"format": output_format("The new format; it must differ from the source's.")}
    | QUALITY
    | LOSSLESS
    | PROGRESSIVE
)
RESIZE = {
    "width": side("Width", "Wanted width; without it the width follows the height."),
    "height": side("Height", "Wanted height; without it the height follows the width."),
    "fit": choice(
        "Fit",
        "contain = inside the box, cover = fill the box and cut the rest, exact = distort.",
        ("contain", "cover", "exact"),
        default="contain",
    ),
    "upscale": switch("Upscale", "Allow a result larger than the source.", default=False),
}
CROP = _CROP_EDGES | {
    "width": side("Width", "Width of the rectangle."),
    "height": side("Height", "Height of the rectangle."),
}
ROTATE = {
    "angle": number("Angle", "Turn clockwise by this angle.", minimum=-360, maximum=360, unit="°"),
    "expand": switch("Expand", "Enlarge the canvas so that nothing is cut off.", default=True),
    "fill": text(
        "Fill",
        "#rrggbb or transparent, for the corners that appear.",
        max_length=11,
        pattern=f"{_COLOUR}|^transparent{_END}",
        default="transparent",
    ),
}
FLIP = {
    "direction": choice(
        "Direction",
        "horizontal swaps left and right, vertical top and bottom.",
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
GAMMA = {"gamma": number("Gamma", "Above 1 lightens, below 1 darkens.", minimum=0.1, maximum=10, default=1.5)}
AUTOCONTRAST = {
    "cutoff_percent": number(
        "Cut-off", "Share that may clip at either end.", minimum=0, maximum=49, default=0.5, unit="%"
    )
}
CLAHE = {
    "clip_limit": number(
        "Clip limit", "Cap of local contrast; higher allows more.", minimum=0.1, maximum=40, default=2
    ),
    "tiles": integer("Tiles", "Tiles along each axis.", minimum=1, maximum=64, default=8),
}
WATERMARK = {
    "text": text("Text", "One line of words.", max_length=200, pattern=_ONE_LINE),
    "position": choice("Position", "Corner, edge or centre.", POSITIONS, default="bottom-right"),
    "opacity": number("Opacity", "0 = invisible, 1 = solid.", minimum=0, maximum=1, default=0.5),
    "size": number(
        "Size", "Height of the letters, of the shorter side.", minimum=0.5, maximum=50, default=5, unit="%"
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
        "Unsharp threshold", "Smallest difference that is sharpened.", minimum=0, maximum=255, default=3
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
    "format": output_format("Format of both results.", default="bmp"),
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
        "Strength", "0 = unchanged, 1 = remove all noise that is found.", minimum=0, maximum=1, default=1
    ),
    "model": choice(
        "Model",
        "auto = the network of Pix for colour or for grey, by the picture; dncnn_color_blind = the published file, "
        "once it is installed.",
        MODELS,
        default=AUTO,
    ),
    "min_sigma": number(
        "Least noise",
        "A picture with less noise (standard deviation, of 255 levels) is left as it is, with a note: "
        "denoising would blur it. 0 = always denoise.",
        minimum=0,
        maximum=50,
        default=MIN_SIGMA,
    ),
    "format": choice("Format", "The result is a png, which keeps every pixel.", ("png",), default="png"),
}

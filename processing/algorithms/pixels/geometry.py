"""Operations that move pixels: resize, crop, rotate, flip. Transparency moves along.

Each size function says how large the result will be, so that a request can be checked before any work.
"""

import math
from typing import Literal

import numpy as np
from PIL import Image

from processing.algorithms.codecs.jpeg_lossless import CLOCKWISE, MIRROR, UPEND, Move
from processing.algorithms.codecs.raster import Raster, from_pillow, to_pillow, to_rgb
from processing.algorithms.errors import InvalidParameter

Fit = Literal["contain", "cover", "exact"]
Size = tuple[int, int]


def resize(
    raster: Raster,
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit = "contain",
    upscale: bool = False,
) -> Raster:
    """Scale an image (Lanczos with antialiasing, colours weighted by their opacity).

    Args:
        raster: the image.
        width, height: wanted size in px; with only one of them the other follows the image's proportions.
        fit: contain = inside the box, cover = fill the box and cut what sticks out evenly, exact = distort.
        upscale: allow results larger than the source; without it such sides keep the source's size.

    Source: PIL.Image.resize.
    """
    scaled = _scaled_size(raster.width, raster.height, width, height, fit, upscale)
    result = resized_size(raster.width, raster.height, width=width, height=height, fit=fit, upscale=upscale)
    picture = to_pillow(raster.pixels, raster.alpha)
    if scaled != picture.size:
        picture = picture.resize(scaled, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if result != scaled:
        left, top = (scaled[0] - result[0]) // 2, (scaled[1] - result[1]) // 2
        picture = picture.crop((left, top, left + result[0], top + result[1]))
    wanted = [bool(width and result[0] < width), bool(height and result[1] < height)]
    is_short = any(wanted) if fit != "contain" else all(wanted) or (None in (width, height) and any(wanted))
    note = f"The image has only {raster.width} × {raster.height} px and was not enlarged (upscale is false)."
    return from_pillow(picture, notes=(note,) if is_short else ())


def resized_size(
    source_width: int,
    source_height: int,
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit = "contain",
    upscale: bool = False,
) -> Size:
    """Size in px of the result of `resize`."""
    scaled = _scaled_size(source_width, source_height, width, height, fit, upscale)
    if fit == "cover" and width and height:
        return min(width, scaled[0]), min(height, scaled[1])
    return scaled


def resized_scale(
    source_width: int,
    source_height: int,
    *,
    width: int | None = None,
    height: int | None = None,
    fit: Fit = "contain",
    upscale: bool = False,
) -> tuple[float, float]:
    """By what `resize` multiplies width and height, before it cuts."""
    scaled = _scaled_size(source_width, source_height, width, height, fit, upscale)
    if fit != "exact" or not (width and height):  # both the same but for the rounding of whole pixels
        longer = 0 if source_width >= source_height else 1
        factor = scaled[longer] / (source_width, source_height)[longer]
        return factor, factor
    return scaled[0] / source_width, scaled[1] / source_height


def _scaled_size(
    source_width: int, source_height: int, width: int | None, height: int | None, fit: Fit, upscale: bool
) -> Size:
    factors = [box / side for box, side in ((width, source_width), (height, source_height)) if box]
    if fit == "exact" and width and height:
        return (width, height) if upscale else (min(width, source_width), min(height, source_height))
    scale = max(factors) if fit == "cover" else min(factors)
    if not upscale:
        scale = min(scale, 1.0)
    return max(1, round(source_width * scale)), max(1, round(source_height * scale))


def crop(raster: Raster, *, x: int = 0, y: int = 0, width: int, height: int) -> Raster:
    """Cut out a rectangle.

    Args:
        raster: the image.
        x, y: left and upper edge in px, counted from the upper left corner.
        width, height: size of the rectangle in px.

    Raises:
        InvalidParameter: the rectangle does not lie inside the image.
    """
    cropped_size(raster.width, raster.height, x=x, y=y, width=width, height=height)
    rows, columns = slice(y, y + height), slice(x, x + width)
    alpha = None if raster.alpha is None else raster.alpha[rows, columns].copy()
    return Raster(raster.pixels[rows, columns].copy(), alpha)


def cropped_size(
    source_width: int, source_height: int, *, x: int = 0, y: int = 0, width: int, height: int
) -> Size:
    """Size in px of the result of `crop`; refuses a rectangle outside of the image."""
    if x + width > source_width or y + height > source_height:
        is_too_wide = x + width > source_width
        raise InvalidParameter(
            f"The crop rectangle x={x}, y={y}, width={width}, height={height} reaches to "
            f"{x + width} × {y + height} px; the image has {source_width} × {source_height} px.",
            field="width" if is_too_wide else "height",
        )
    return width, height


def crop_moves(
    _width: int, _height: int, *, x: int = 0, y: int = 0, width: int, height: int
) -> tuple[Move, ...]:
    """`crop` as a move."""
    return (Move("crop", (x, y, width, height)),)


def rotate(raster: Raster, *, angle: float, expand: bool = True, fill: str = "transparent") -> Raster:
    """Turn an image clockwise; multiples of 90° move pixels only, other angles interpolate (bicubic).

    Args:
        raster: the image.
        angle: degrees, clockwise.
        expand: enlarge the canvas so that nothing is cut off; otherwise the size stays.
        fill: colour of the corners that appear, `#rrggbb` or `transparent`.

    Source: PIL.Image.rotate.
    """
    quarters, rest = divmod(angle % 360, 90)
    if rest == 0 and (expand or quarters in (0, 2) or raster.width == raster.height):
        turn = -int(quarters)
        alpha = None if raster.alpha is None else np.rot90(raster.alpha, turn).copy()
        return Raster(np.rot90(raster.pixels, turn).copy(), alpha)
    pixels, alpha = raster.pixels, raster.alpha
    if fill == "transparent":
        picture = to_pillow(pixels, np.full(pixels.shape[:2], 255, np.uint8) if alpha is None else alpha)
        return from_pillow(_turned(picture, angle, expand, None))
    colour = hex_to_rgb(fill)
    is_grey_enough = pixels.ndim == 2 and len(set(colour)) == 1
    picture = to_pillow(pixels if is_grey_enough else to_rgb(pixels), alpha)
    corner = colour[:1] if is_grey_enough else colour
    return from_pillow(_turned(picture, angle, expand, corner if alpha is None else (*corner, 255)))


def rotate_moves(
    width: int, height: int, *, angle: float, expand: bool = True, fill: str = "transparent"
) -> tuple[Move, ...] | None:
    """`rotate` as moves; None for angles that interpolate."""
    quarters, rest = divmod(angle % 360, 90)
    is_exact = rest == 0 and (expand or quarters in (0, 2) or width == height)
    return CLOCKWISE[int(quarters)] if is_exact else None


def rotated_size(
    source_width: int, source_height: int, *, angle: float, expand: bool = True, fill: str = "transparent"
) -> Size:
    """Size in px of the result of `rotate` (for odd angles Pillow may round one px otherwise)."""
    if not expand:
        return source_width, source_height
    quarters, rest = divmod(angle % 360, 90)
    if rest == 0:
        return (source_height, source_width) if quarters % 2 else (source_width, source_height)
    cosine, sine = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    width = math.ceil(source_width * cosine + source_height * sine)
    return width, math.ceil(source_width * sine + source_height * cosine)


def _turned(picture: Image.Image, angle: float, expand: bool, fill: tuple[int, ...] | None) -> Image.Image:
    if fill is not None and len(fill) == 1:
        return picture.rotate(-angle, Image.Resampling.BICUBIC, expand=expand, fillcolor=fill[0])
    return picture.rotate(-angle, Image.Resampling.BICUBIC, expand=expand, fillcolor=fill)


def flip(raster: Raster, *, direction: Literal["horizontal", "vertical"] = "horizontal") -> Raster:
    """Mirror an image: horizontal swaps left and right, vertical swaps top and bottom."""
    axis = 1 if direction == "horizontal" else 0
    alpha = None if raster.alpha is None else np.flip(raster.alpha, axis).copy()
    return Raster(np.flip(raster.pixels, axis).copy(), alpha)


def flip_moves(
    _width: int, _height: int, *, direction: Literal["horizontal", "vertical"] = "horizontal"
) -> tuple[Move, ...]:
    """`flip` as a move."""
    return (MIRROR,) if direction == "horizontal" else (UPEND,)


def hex_to_rgb(colour: str) -> tuple[int, int, int]:
    """`#rrggbb` to three values 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)

"""Write pixels as a file: always newly encoded, without metadata, the same bytes for the same input."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from processing.algorithms.codecs.formats import FORMATS, WRITABLE_FORMATS
from processing.algorithms.codecs.indexed import indexed
from processing.algorithms.codecs.raster import flatten, to_pillow
from processing.algorithms.codecs.sixteen_bit import encode_16_bit
from processing.algorithms.errors import ImageTooLarge, InvalidParameter, UnsupportedFormat

DEFAULT_QUALITY = {"jpg": 85, "webp": 80, "avif": 65}
# Where only pixels moved, or nothing but metadata went, compressing anew should not show.
CAREFUL_QUALITY = {"jpg": 95, "webp": 95, "avif": 90}
FLATTENED = "{format} does not support transparency; transparent parts were placed on white."
# A number that means "not stated" in BMP, where Pillow writes 96 unless told.
_NO_DPI = (0, 0)


def encode(
    pixels: np.ndarray,
    alpha: np.ndarray | None,
    *,
    format: str,
    quality: int | None = None,
    lossless: bool = False,
    progressive: bool = False,
    has_full_colour: bool = False,
    quantization: Mapping[int, Sequence[int]] | None = None,
    is_indexed: bool = False,
    dpi: tuple[float, float] | None = None,
    profile: bytes | None = None,
) -> bytes:
    """Encode an image.

    Args:
        pixels: uint8, RGB (H, W, 3) or grey (H, W); uint16 for png and tiff.
        alpha: of the same type, (H, W), or None; laid on white where the format has no transparency (jpg, bmp).
        format: a writable key of `FORMATS`.
        quality: 1 to 100, for jpg, webp and avif; None takes `DEFAULT_QUALITY`.
        lossless: keep every pixel exactly (webp; png, tiff and bmp always do).
        progressive: store a jpg so that it appears coarse first.
        has_full_colour: keep colour at the resolution of brightness (jpg, avif: 4:4:4); otherwise at half of it.
        quantization: the tables of a jpg instead of those of a quality.
        is_indexed: store a png, tiff or bmp of at most 256 colours by a palette: the same pixels in fewer bytes.
        dpi: resolution (x, y) in dots per inch that png, jpg, tiff and bmp state; None states none.
        profile: the ICC profile of uint16 pixels that are no sRGB; all others are sRGB.

    Raises:
        UnsupportedFormat: the format is not one that Pix writes.
        InvalidParameter: lossless or progressive asked of a format that has no such mode.
        ImageTooLarge: a side is longer than the format can hold.
    """
    check_encodable(format, width=pixels.shape[1], height=pixels.shape[0])
    check_modes(format, lossless=lossless, progressive=progressive)
    if pixels.dtype == np.uint16:
        return encode_16_bit(pixels, alpha, format=format, dpi=dpi, profile=profile)
    if not FORMATS[format].has_alpha:
        pixels, alpha = flatten(pixels, alpha), None
    options = _options(format, quality or DEFAULT_QUALITY.get(format), lossless, progressive)
    if format in ("jpg", "avif"):
        options["subsampling"] = "4:4:4" if has_full_colour else "4:2:0"
    if format == "jpg" and quantization:
        options["qtables"] = {number: list(table) for number, table in quantization.items()}
        del options["quality"]
    if format in ("png", "jpg", "tiff", "bmp") and (dpi or format == "bmp"):
        options["dpi"] = dpi or _NO_DPI
    image = to_pillow(pixels, alpha)
    if is_indexed and format in ("png", "tiff", "bmp"):
        image, more = indexed(image, has_alpha=format == "png")
        options |= more
    output = io.BytesIO()
    image.save(output, FORMATS[format].pillow, **options)
    return output.getvalue()


def flattening_note(alpha: np.ndarray | None, *, format: str) -> tuple[str, ...]:
    """The sentence to show where `encode` will lose visible transparency; empty otherwise."""
    if alpha is None or FORMATS[format].has_alpha or alpha.min() == 255:
        return ()
    return (FLATTENED.format(format=format),)


def check_encodable(format: str, *, width: int, height: int) -> None:
    """Refuse a format that Pix does not write, and sides that the format cannot hold."""
    if format not in WRITABLE_FORMATS:
        raise UnsupportedFormat(
            f"Pix cannot write {format}. Formats it can write: {', '.join(WRITABLE_FORMATS)}."
        )
    limit = FORMATS[format].max_side_px
    if max(width, height) > limit:
        raise ImageTooLarge(
            f"{format} allows at most {limit} px on each side; the result would have {width} × {height} px."
        )


def check_modes(format: str, *, lossless: bool, progressive: bool) -> None:
    """Refuse modes that a format does not have."""
    if lossless and not FORMATS[format].can_be_lossless:
        raise InvalidParameter(
            f"{format} has no lossless mode. Use png, webp, tiff or bmp.", field="lossless"
        )
    if progressive and format != "jpg":
        raise InvalidParameter(
            f"progressive is only available for jpg, not for {format}.", field="progressive"
        )


def _options(format: str, quality: int | None, lossless: bool, progressive: bool) -> dict[str, Any]:
    if format == "jpg":
        return {"quality": quality, "progressive": progressive, "optimize": True}
    if format == "webp":
        # exact: colours under full transparency stay, lossless means every value
        return {"lossless": True, "exact": True} if lossless else {"quality": quality, "method": 4}
    if format == "avif":
        # Tiles and threads follow the number of processors unless told, and with them the bytes would.
        return {"quality": quality, "speed": 6, "autotiling": False, "max_threads": 2}
    if format == "tiff":
        return {"compression": "tiff_adobe_deflate"}
    # 4 instead of zlib's 6: 2.5 times as fast for 3 % more bytes on a photograph of 12 megapixels
    return {"compress_level": 4} if format == "png" else {}

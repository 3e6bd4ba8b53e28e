"""Small versions of an image by scaled decoding, and the perceptual hash."""

from dataclasses import replace
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from processing.algorithms.codecs.decoding import Decoded, decode, load, open_whole
from processing.algorithms.codecs.probing import Limits, open_image, refusing_damage
from processing.algorithms.codecs.raster import Raster, from_pillow, to_pillow

_HASH_SIDE = 8
_DCT_SIDE = 32


def thumbnail(stream: BinaryIO, *, size: int, limits: Limits) -> Raster:
    """Decode an image at about the size that is needed and fit it into `size` × `size` px.

    A JPEG is decoded at 1/2, 1/4 or 1/8 inside the decoder (libjpeg's scaled DCT); other formats are decoded
    whole. The result is upright, sRGB, and never larger than the source.

    Args:
        stream: a seekable binary file; it stays open.
        size: longest side of the result in px.
        limits: what is accepted.

    Raises:
        ProcessingError: not an image, refused, too large or damaged; a scaled decode finds truncation too.
    """
    decoded = decode_scaled(stream, size=size, limits=limits)
    return shrink(Raster(decoded.pixels, decoded.alpha, decoded.notes), size=size)


def decode_scaled(stream: BinaryIO, *, size: int, limits: Limits) -> Decoded:
    """Decode an image so that its sides are at least those of a thumbnail of `size` px."""
    if open_image(stream, limits=limits)[1].format != "jpg":
        return decode(stream, limits=limits)
    image, info, stream, end_notes = open_whole(stream, limits=limits)
    with refusing_damage(stream, name=info.format, limits=limits):
        width, height = _fitted(info.width, info.height, size=size)
        # Half as large again as needed: what the decoder leaves is reduced with a proper filter.
        image.draft(None, (width * 3 // 2, height * 3 // 2))
        decoded = load(image, info)
    return replace(decoded, notes=end_notes + decoded.notes)


def shrink(raster: Raster, *, size: int) -> Raster:
    """Reduce an image until its longest side is `size` px (Lanczos); a smaller one is returned as it is."""
    width, height = _fitted(raster.width, raster.height, size=size)
    if (width, height) == (raster.width, raster.height):
        return raster
    image = to_pillow(raster.pixels, raster.alpha)
    reduced = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return from_pillow(reduced, notes=raster.notes)


def _fitted(width: int, height: int, *, size: int) -> tuple[int, int]:
    scale = min(1.0, size / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def perceptual_hash(pixels: np.ndarray) -> int:
    """64-bit DCT hash: images that look alike differ in few bits (see `hamming`).

    The image is reduced to 32 × 32 grey values; of its two-dimensional DCT the 8 × 8 lowest frequencies
    give one bit each, row by row, the first one highest: 1 where above their median.

    Args:
        pixels: uint8, RGB (H, W, 3) or grey (H, W).

    Returns:
        A signed 64-bit integer, which fits PostgreSQL's bigint.

    Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010); the choice of
    the 8 × 8 corner and its median follows imagehash 4.3 `phash`.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels
    small = cv2.resize(grey, (_DCT_SIDE, _DCT_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    low = cv2.dct(small)[:_HASH_SIDE, :_HASH_SIDE]
    # A flat image leaves rounding noise in the frequencies; rounding makes its hash stable.
    low = np.round(low, 6)
    bits = (low > np.median(low)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True)


def hamming(first: int, second: int) -> int:
    """Number of differing bits of two perceptual hashes, 0 to 64; up to about 10 looks alike."""
    return ((first ^ second) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()

"""Decode a whole image into uint8 arrays: upright, sRGB, 8 bits, whatever the file held."""

from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from PIL import Image

from processing.algorithms.codecs.colour_profile import to_srgb
from processing.algorithms.codecs.depth import alpha_channel, pending_raw_mode, to_8_bit, transparent_key
from processing.algorithms.codecs.probing import (
    ImageInfo,
    Limits,
    open_image,
    read_orientation,
    refusing_damage,
)

# EXIF 2.32, tag 0x0112: what brings a stored image upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded image.

    Attributes:
        pixels: uint8, sRGB (H, W, 3) or grey (H, W), upright; read-only.
        alpha: uint8 (H, W), 255 = opaque, or None where the file has no transparency.
        info: what the header says.
        notes: sentences for the user about what could not be kept.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    info: ImageInfo
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Layers:
    """A decoded image as Pillow holds it, for those who go on with Pillow: copies to arrays cost time.

    Attributes:
        colour: mode RGB or L, sRGB, upright.
        alpha: mode L, 255 = opaque, or None where the file has no transparency.
        info, notes: as of `Decoded`.
    """

    colour: Image.Image
    alpha: Image.Image | None
    info: ImageInfo
    notes: tuple[str, ...] = ()

    def as_arrays(self) -> Decoded:
        alpha = None if self.alpha is None else np.asarray(self.alpha)
        return Decoded(np.asarray(self.colour), alpha, self.info, self.notes)


def decode(stream: BinaryIO, *, limits: Limits) -> Decoded:
    """Decode an image completely; what is truncated or has a wrong checksum is refused.

    Args:
        stream: a seekable binary file; it stays open.
        limits: what is accepted; checked on the header before any pixel is decoded.

    Raises:
        ProcessingError: not an image, refused, too large, or `damaged_image`.
    """
    return decode_layers(stream, limits=limits).as_arrays()


def decode_layers(stream: BinaryIO, *, limits: Limits, shorter_px: int = 0) -> Layers:
    """Decode an image like `decode`, without copies.

    Args:
        stream, limits: as of `decode`.
        shorter_px: the decoder may halve a JPEG up to three times while its shorter side keeps so many pixels;
            0 for never.

    Raises:
        ProcessingError: as `decode`; truncation is found at any scale.
    """
    image, info = open_image(stream, limits=limits)
    with refusing_damage(limits):
        if info.format == "png":
            image.verify()  # the checksums of the pixel data, which load() does not look at
            image = open_image(stream, limits=limits)[0]
        if info.format == "jpg" and shorter_px:
            image.draft(None, (shorter_px, shorter_px))
        return load_layers(image, info)


def load(image: Image.Image, info: ImageInfo) -> Decoded:
    """Load an opened image (a JPEG perhaps at reduced scale) and bring it into the form of `Decoded`."""
    return load_layers(image, info).as_arrays()


def load_layers(image: Image.Image, info: ImageInfo) -> Layers:
    """Load an opened image like `load`, without copies."""
    key = transparent_key(image)
    is_grey_in_colour = pending_raw_mode(image) == "LA;16B"  # Pillow has no 16-bit LA and reads it as RGBA
    image.load()
    orientation = read_orientation(image)  # a PNG may carry it behind the pixels
    if info.format == "tiff":
        orientation = 1  # Pillow has turned the pixels already
    else:
        info = replace(info, orientation=orientation)
    if is_grey_in_colour:
        image = image.convert("LA")
    alpha = alpha_channel(image, key)
    colour, depth_notes = to_8_bit(image)
    srgb, profile_notes = to_srgb(colour, image.info.get("icc_profile"))
    notes = depth_notes + profile_notes
    if info.frame_count > 1:
        notes += (f"The file has {info.frame_count} frames; the first one was used.",)
    return Layers(
        colour=_upright(srgb, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        info=info,
        notes=notes,
    )


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image

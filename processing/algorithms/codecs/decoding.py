"""Decode a whole image into uint8 arrays: upright, sRGB, 8 bits, whatever the file held."""

from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np
from PIL import Image

from processing.algorithms.codecs.coded_colour import CodedColour, read_coded_colour
from processing.algorithms.codecs.colour_profile import to_srgb
from processing.algorithms.codecs.depth import alpha_channel, pending_raw_mode, to_8_bit, transparent_key
from processing.algorithms.codecs.jpeg_end import NO_END, with_end
from processing.algorithms.codecs.origin import Origin, read_origin
from processing.algorithms.codecs.probing import (
    ImageInfo,
    Limits,
    open_image,
    read_orientation,
    refusing_damage,
)
from processing.algorithms.codecs.sixteen_bit import read_16_bit, reduce_to_8

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


_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0
Deep = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded image.

    Attributes:
        pixels: uint8, sRGB (H, W, 3) or grey (H, W), upright; read-only.
        alpha: uint8 (H, W), 255 = opaque, or None where the file has no transparency.
        info: what the header says.
        notes: sentences for the user about what could not be kept.
        origin: how the file stores it.
        deep: the same pixels and alpha as uint16, where they were asked for and the file has 16 bits of RGB or grey;
            sRGB like `pixels`, or where the file has a profile in the colours of `origin.profile`.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    info: ImageInfo
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)
    deep: Deep | None = None


@dataclass(frozen=True, eq=False)
class Layers:
    """A decoded image as Pillow holds it, for those who go on with Pillow: copies to arrays cost time.

    Attributes:
        colour: mode RGB or L, sRGB, upright.
        alpha: mode L, 255 = opaque, or None where the file has no transparency.
        info, notes, origin, deep: as of `Decoded`.
    """

    colour: Image.Image
    alpha: Image.Image | None
    info: ImageInfo
    notes: tuple[str, ...] = ()
    origin: Origin = field(default_factory=Origin)
    deep: Deep | None = None

    def as_arrays(self) -> Decoded:
        alpha = None if self.alpha is None else np.asarray(self.alpha)
        return Decoded(np.asarray(self.colour), alpha, self.info, self.notes, self.origin, self.deep)


def decode(stream: BinaryIO, *, limits: Limits, keep_16_bit: bool = False) -> Decoded:
    """Decode an image completely; what is truncated or has a wrong checksum is refused.

    Args:
        stream: a seekable binary file; it stays open.
        limits: what is accepted; checked on the header before any pixel is decoded.
        keep_16_bit: also give the pixels of a 16-bit PNG or TIFF as uint16.

    Raises:
        ProcessingError: not an image, refused, too large, or `damaged_image`.
    """
    return decode_layers(stream, limits=limits, keep_16_bit=keep_16_bit).as_arrays()


def decode_layers(
    stream: BinaryIO, *, limits: Limits, shorter_px: int = 0, keep_16_bit: bool = False
) -> Layers:
    """Decode an image like `decode`, without copies.

    Args:
        stream, limits, keep_16_bit: as of `decode`.
        shorter_px: the decoder may halve a JPEG up to three times while its shorter side keeps so many pixels;
            0 for never.

    Raises:
        ProcessingError: as `decode`; truncation is found at any scale.
    """
    image, info, stream, end_notes = open_whole(stream, limits=limits)
    with refusing_damage(stream, name=info.format, limits=limits):
        if info.format == "png":
            image.verify()  # the checksums of the pixel data, which load() does not look at
            image = open_image(stream, limits=limits)[0]
        origin = read_origin(
            image, stream, name=info.format, raw_mode=pending_raw_mode(image), dpi=info.upright_dpi
        )
        coded = read_coded_colour(image, stream, name=info.format)
        if info.format == "jpg" and shorter_px:
            image.draft(None, (shorter_px, shorter_px))
        layout = image.mode
        deep = None
        # Pillow cuts the lower half of each value off; grey it reads whole.
        if origin.bits == 16 and (
            layout in ("RGB", "RGBA", "LA") or (layout.startswith("I;16") and (keep_16_bit or coded))
        ):
            deep = _deep(image, stream, info)
        layers = load_layers(image, info, deep=deep, coded=coded)
    found = layers.origin
    origin = replace(origin, is_recoloured=found.is_recoloured, profile=found.profile)
    notes = end_notes + layers.notes
    return replace(layers, origin=origin, notes=notes, deep=layers.deep if keep_16_bit else None)


def open_whole(
    stream: BinaryIO, *, limits: Limits
) -> tuple[Image.Image, ImageInfo, BinaryIO, tuple[str, ...]]:
    """Open an image to read its pixels: one that lacks only its end marker gets it, and a note says so.

    Returns:
        The image, its header, the file that it is read from, and notes.
    """
    image, info = open_image(stream, limits=limits)
    mended = with_end(stream) if info.format == "jpg" else None
    if mended is None:
        return image, info, stream, ()
    image, _ = open_image(mended, limits=replace(limits, max_bytes=limits.max_bytes + 2))
    return image, info, mended, (NO_END,)


def _deep(image: Image.Image, stream: BinaryIO, info: ImageInfo) -> Deep | None:
    """The upright 16-bit pixels; the file is decoded as a whole first, since OpenCV forgives what is cut off."""
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return None
    key = image.info.get("transparency")
    is_grey = pending_raw_mode(image) == "LA;16B"  # OpenCV reads it as colour
    image.load()
    found = read_16_bit(stream, width=info.width, height=info.height)
    if found is None:
        return None
    pixels, alpha = found
    if is_grey and pixels.ndim == 3:
        pixels = pixels[:, :, 0]
    if alpha is None and isinstance(key, int | tuple):
        is_key = pixels == np.asarray(key, np.uint16)
        alpha = np.where(is_key if pixels.ndim == 2 else is_key.all(axis=2), 0, 65_535).astype(np.uint16)
    turn = info.orientation if info.format == "tiff" else read_orientation(image)
    return _upright_array(pixels, turn), None if alpha is None else _upright_array(alpha, turn)


def _upright_array(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def load(image: Image.Image, info: ImageInfo) -> Decoded:
    """Load an opened JPEG (perhaps at reduced scale) and bring it into the form of `Decoded`."""
    return load_layers(image, info, coded=read_coded_colour(image, None, name=info.format)).as_arrays()


def load_layers(
    image: Image.Image, info: ImageInfo, *, deep: Deep | None = None, coded: CodedColour | None = None
) -> Layers:
    """Load an opened image without copies.

    Args:
        image, info: from `open_image`.
        deep: its upright 16-bit pixels as they are stored, where they are there.
        coded: what its colours mean, where no profile tells.
    """
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
    depth_notes: tuple[str, ...] = ()
    if deep is not None:
        pixels, opacity = deep
        deep = (pixels if coded is None else coded.to_srgb(pixels)), opacity
        alpha = None if opacity is None else Image.fromarray(reduce_to_8(opacity))
        colour, orientation = Image.fromarray(reduce_to_8(deep[0])), 1
    else:
        alpha = alpha_channel(image, key)
        colour, depth_notes = to_8_bit(image)
    if coded is None:
        srgb, colour_notes = to_srgb(colour, image.info.get("icc_profile"))
    else:
        if deep is None and colour.mode in ("L", "RGB"):
            colour = Image.fromarray(coded.to_srgb(np.asarray(colour)))
        srgb, colour_notes = to_srgb(colour, None)[0], coded.notes
    is_recoloured = coded is not None or srgb is not colour
    notes = depth_notes + colour_notes
    if info.frame_count > 1:
        notes += (f"The file has {info.frame_count} frames; the first one was used.",)
    return Layers(
        colour=_upright(srgb, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        info=info,
        notes=notes,
        origin=Origin(
            is_recoloured=is_recoloured,
            profile=image.info["icc_profile"]
            if is_recoloured and coded is None and deep is not None
            else None,
        ),
        deep=deep,
    )


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image

"""Colour profiles: every image leaves in sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_SPACE_OF_MODE = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
UNREADABLE_PROFILE = "The colour profile could not be used; sRGB was assumed."


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert an image to sRGB.

    Args:
        image: mode L, RGB, CMYK or LAB, 8 bits.
        profile: the ICC profile of the file, or None for the usual meaning of the mode.

    Returns:
        An image of mode L (grey in) or RGB, and notes. A broken profile is ignored and said in a note.

    Source: LittleCMS 2 through PIL.ImageCms, relative colorimetric with black point compensation.
    """
    if profile is None:
        return _without_profile(image), ()
    try:
        return _with_profile(image, profile), ()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return _without_profile(image), (UNREADABLE_PROFILE,)


def _without_profile(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        return _apply(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _with_profile(image: Image.Image, data: bytes) -> Image.Image:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    space = profile.profile.xcolor_space.strip()
    if image.mode == "L" and space == "RGB":  # a grey image with a camera's or editor's RGB profile
        return _apply(image.convert("RGB"), profile).convert("L")
    if space != _SPACE_OF_MODE[image.mode]:
        raise ValueError(f"the profile is for {space}, the image has the mode {image.mode}")
    converted = _apply(image, profile)
    return converted.convert("L") if image.mode == "L" else converted


def _apply(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    transform = ImageCms.buildTransform(profile, _srgb(), image.mode, "RGB", _INTENT, _FLAGS)
    if image.mode == "RGB" and _changes_nothing(transform):
        return image
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None
    return converted


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """True for the many ways to write sRGB: no colour of a grid moves by more than one level."""
    grid = _colour_grid()
    moved = ImageCms.applyTransform(grid, transform)
    difference = np.asarray(grid, dtype=np.int16) - np.asarray(moved, dtype=np.int16)
    return bool(np.abs(difference).max() <= 1)


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=1)
def _colour_grid() -> Image.Image:
    levels = np.linspace(0, 255, 17).round().astype(np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels, indexing="ij")
    return Image.fromarray(np.stack([red, green, blue], axis=-1).reshape(17, 289, 3))

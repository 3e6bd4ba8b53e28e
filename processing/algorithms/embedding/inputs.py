"""From an image to what an embedding network reads, by the recipe that was published with it."""

from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from processing.algorithms.codecs.decoding import decode_layers
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.codecs.raster import Raster, flatten, to_rgb

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN, CLIP_DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_LONGEST_RESIZED_PX = 4096  # a line of 16 384 × 1 px would grow to a thousand million pixels before its crop


@dataclass(frozen=True)
class Recipe:
    """How an image is brought to a network's size and range.

    Attributes:
        resize_px: the shorter side after resizing.
        crop_px: side of the square that is cut from the middle.
        filter: of the resizing, with antialiasing.
        mean, deviation: for each channel, of values 0 to 1.
        decoded_px: the shorter side that a JPEG keeps when its decoder halves it, which takes half the time or less;
            0 for whole images.
    """

    resize_px: int
    crop_px: int
    filter: Literal["bilinear", "bicubic"]
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    decoded_px: int = 0


def read(stream: BinaryIO, recipe: Recipe, *, limits: Limits) -> np.ndarray:
    """Decode an image file and prepare it.

    A published network takes the whole image, as its instructions have it. Vectors of PixSmall keep a cosine of
    0.9993 and more to their own if photographs are halved down to four times the side that it needs; at twice that
    side it was 0.996.

    Args:
        stream: a seekable binary file; it stays open.
        recipe: of the network.
        limits: what is accepted.

    Returns:
        float32 (3, crop_px, crop_px), as `prepare`.

    Raises:
        ProcessingError: not an image, refused, too large or damaged.
    """
    layers = decode_layers(stream, limits=limits, shorter_px=recipe.decoded_px)
    if layers.alpha is not None:
        decoded = layers.as_arrays()
        return prepare(Raster(decoded.pixels, decoded.alpha), recipe)
    return _planes(_middle(layers.colour.convert("RGB"), recipe), recipe)


def prepare(raster: Raster, recipe: Recipe) -> np.ndarray:
    """Resize, crop the middle, normalise.

    Args:
        raster: uint8, RGB (H, W, 3) or grey (H, W), values 0-255; what is transparent is laid on white.
        recipe: of the network.

    Returns:
        float32 (3, crop_px, crop_px), RGB.

    Source: torchvision 0.28, `Resize`, `CenterCrop`, `ToTensor` and `Normalize` on a Pillow image; equal to the bit.
    """
    pixels = to_rgb(flatten(raster.pixels, raster.alpha))
    return _planes(_middle(Image.fromarray(np.ascontiguousarray(pixels)), recipe), recipe)


def _planes(square: Image.Image, recipe: Recipe) -> np.ndarray:
    levels = np.asarray(square)
    return np.stack([values[levels[..., place]] for place, values in enumerate(_values(recipe))])


@cache
def _values(recipe: Recipe) -> list[np.ndarray]:
    """What the 256 levels of each channel become, float32: three tables are quicker than sums on every pixel."""
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    pairs = zip(recipe.mean, recipe.deviation, strict=True)
    return [(levels - np.float32(mean)) / np.float32(deviation) for mean, deviation in pairs]


def _middle(picture: Image.Image, recipe: Recipe) -> Image.Image:
    width, height = resized_size(picture.width, picture.height, recipe.resize_px)
    left, top = (round((side - recipe.crop_px) / 2.0) for side in (width, height))
    box = (left, top, left + recipe.crop_px, top + recipe.crop_px)
    if max(width, height) <= _LONGEST_RESIZED_PX:
        return picture.resize((width, height), _FILTERS[recipe.filter]).crop(box)
    # The same sampling points, but only those of the crop.
    scale_x, scale_y = picture.width / width, picture.height / height
    part = (box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y)
    return picture.resize((recipe.crop_px, recipe.crop_px), _FILTERS[recipe.filter], box=part)


def resized_size(width: int, height: int, shorter_px: int) -> tuple[int, int]:
    """Width and height in px once the shorter side has `shorter_px`; the longer one is rounded down."""
    if width <= height:
        return shorter_px, int(shorter_px * height / width)
    return int(shorter_px * width / height), shorter_px

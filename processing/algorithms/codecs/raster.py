"""An image in memory: colour and transparency side by side, and the way to and from Pillow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image


@dataclass(frozen=True, eq=False)
class Raster:
    """What operations take and give.

    Attributes:
        pixels: uint8, RGB (H, W, 3) or grey (H, W); uint16 for operations that only move pixels.
        alpha: of the same type, (H, W), its highest value = opaque, or None.
        notes: sentences for the user about what an operation could not do as asked.
        facts: what is recorded of how it was made: noise, model, hash of the weights, device.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def to_pillow(pixels: np.ndarray, alpha: np.ndarray | None) -> Image.Image:
    """Pillow image of mode L, LA, RGB or RGBA."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if alpha is not None:
        image.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
    return image


def from_pillow(image: Image.Image, *, notes: tuple[str, ...] = ()) -> Raster:
    """Raster of a Pillow image of mode L, LA, RGB or RGBA."""
    if image.mode in ("LA", "RGBA"):
        pixels = np.array(image.convert(image.mode[:-1]))
        return Raster(pixels, np.array(image.getchannel("A")), notes)
    return Raster(np.array(image), None, notes)


def flatten(pixels: np.ndarray, alpha: np.ndarray | None, *, background: int = 255) -> np.ndarray:
    """Lay an image on a plain grey background (white unless told); the shape of `pixels` stays.

    Args:
        pixels: uint8 (H, W, 3) or (H, W).
        alpha: uint8 (H, W) or None, which returns `pixels` itself.
        background: grey level 0 to 255.
    """
    if alpha is None:
        return pixels
    image = to_pillow(pixels, alpha)
    ground = Image.new(image.mode[:-1], image.size, background if pixels.ndim == 2 else (background,) * 3)
    ground.paste(Image.fromarray(np.ascontiguousarray(pixels)), mask=Image.fromarray(alpha))
    return np.array(ground)


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Grey (H, W) to RGB (H, W, 3); RGB is returned as it is."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels

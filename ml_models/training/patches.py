"""Images of a folder as small random pieces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
LEFT_OUT = frozenset({"val", "validation"})  # folders that a training set keeps for measuring


def find_pictures(folder: Path) -> list[Path]:
    """Every image below a folder, sorted; folders for validation are left out.

    Raises:
        ValueError: there is none.
    """
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in EXTENSIONS and not LEFT_OUT & set(path.relative_to(folder).parts)
    )
    if not paths:
        raise ValueError(f"No images in {folder}.")
    return paths


def read(path: Path, *, channels: int = 3, scale: float = 1.0) -> np.ndarray:
    """An image as uint8 array (H, W, channels)."""
    with Image.open(path) as picture:
        colour = picture.convert("RGB" if channels == 3 else "L")
        if scale != 1.0:
            size = (round(colour.width * scale), round(colour.height * scale))
            colour = colour.resize(size, Image.Resampling.BICUBIC)
        return np.asarray(colour).reshape(colour.height, colour.width, channels)


def random_patches(
    pictures: Sequence[np.ndarray], *, count: int, size_px: int, rng: np.random.Generator
) -> np.ndarray:
    """Square pieces at random places, turned and mirrored at random.

    Returns:
        uint8 array (count, channels, size_px, size_px).
    """
    patches = []
    for index in rng.integers(len(pictures), size=count):
        picture = pictures[index]
        top = rng.integers(picture.shape[0] - size_px + 1)
        left = rng.integers(picture.shape[1] - size_px + 1)
        patch = picture[top : top + size_px, left : left + size_px]
        patch = np.rot90(patch, int(rng.integers(4)))
        patches.append(patch[:, ::-1] if rng.integers(2) else patch)
    return np.ascontiguousarray(np.stack(patches).transpose(0, 3, 1, 2))

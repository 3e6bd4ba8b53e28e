"""Random views of images for the training of an embedder."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from PIL import Image

from ml_models.training.patches import EXTENSIONS, find_pictures

LONGEST_PX = 512  # photographs are kept at this size; crops need no more

Photographs = Sequence[np.ndarray]


class Sizes(Protocol):
    """The part of the settings that views need."""

    @property
    def small_batch(self) -> int: ...
    @property
    def small_px(self) -> int: ...
    @property
    def large_batch(self) -> int: ...
    @property
    def large_px(self) -> int: ...


def read_archive(path: Path) -> np.ndarray:
    """Every image of a ZIP archive whose images have one size, as uint8 (N, H, W, 3)."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if Path(name).suffix.lower() in EXTENSIONS)
        return np.stack(
            [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
        )


def read_photographs(folders: Sequence[Path]) -> list[np.ndarray]:
    """The images below folders as uint8 (H, W, 3), at most 512 px on their longer side."""
    photographs = []
    for path in (path for folder in folders for path in find_pictures(folder)):
        with Image.open(path) as picture:
            colour = picture.convert("RGB")
            colour.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.BILINEAR)
            photographs.append(np.asarray(colour))
    return photographs


def centre_crop(photograph: np.ndarray, *, size_px: int) -> np.ndarray:
    """The largest square in the middle, scaled to (size_px, size_px, 3)."""
    height, width = photograph.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = photograph[top : top + side, left : left + side]
    return cv2.resize(square, (size_px, size_px), interpolation=cv2.INTER_AREA)


class Views:
    """Batches of random views: small images and crops of photographs take turns.

    A batch depends on the step and the generator alone.
    """

    def __init__(
        self, small: Sequence[np.ndarray] | np.ndarray, photographs: Photographs, sizes: Sizes
    ) -> None:
        self._small = small
        self._photographs = photographs
        self._sizes = sizes

    def batch(self, step: int, rng: np.random.Generator) -> np.ndarray:
        """uint8 (N, S, S, 3)."""
        sizes = self._sizes
        if step % 2 == 0 or not len(self._photographs):
            chosen = rng.integers(len(self._small), size=sizes.small_batch)
            return np.stack([_small_view(self._small[i], sizes.small_px, rng) for i in chosen])
        chosen = rng.integers(len(self._photographs), size=sizes.large_batch)
        return np.stack([_crop(self._photographs[i], sizes.large_px, rng) for i in chosen])


def _small_view(picture: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """Most of the image, enlarged."""
    side = picture.shape[0]
    cut = int(rng.integers(round(0.75 * side), side + 1))
    top, left = rng.integers(side - cut + 1, size=2)
    return _varied(picture[top : top + cut, left : left + cut], size_px, rng, cv2.INTER_CUBIC)


def _crop(picture: np.ndarray, size_px: int, rng: np.random.Generator) -> np.ndarray:
    """Between a fifth and the whole of the image, of a shape near to square."""
    height, width = picture.shape[:2]
    area, shape = rng.uniform(0.2, 1.0) * height * width, np.exp(rng.uniform(-0.4, 0.4))
    cut_w = int(min(width, max(16, round((area * shape) ** 0.5))))
    cut_h = int(min(height, max(16, round((area / shape) ** 0.5))))
    top, left = int(rng.integers(height - cut_h + 1)), int(rng.integers(width - cut_w + 1))
    return _varied(picture[top : top + cut_h, left : left + cut_w], size_px, rng, cv2.INTER_AREA)


def _varied(piece: np.ndarray, size_px: int, rng: np.random.Generator, interpolation: int) -> np.ndarray:
    """Scaled, mirrored, and with other brightness, contrast and colours at random."""
    view = cv2.resize(piece, (size_px, size_px), interpolation=interpolation).astype(np.float32)
    if rng.random() < 0.5:
        view = view[:, ::-1]
    if rng.random() < 0.5:
        gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
        view = ((view - 127.5) * gain + 127.5 + rng.uniform(-25, 25)).astype(np.float32)
    return np.clip(view, 0, 255).astype(np.uint8)

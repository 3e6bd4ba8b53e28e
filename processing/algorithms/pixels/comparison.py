"""How far two images are apart."""

from dataclasses import dataclass

import cv2
import numpy as np

from processing.algorithms.codecs.raster import to_rgb

# Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
# similarity", IEEE Transactions on Image Processing 13 (2004): Gaussian window of 11 px, sigma 1.5, K1, K2.
SSIM_WINDOW_PX, SSIM_SIGMA_PX, K1, K2 = 11, 1.5, 0.01, 0.03
PEAK = 255.0
STRIP_ROWS = 512


@dataclass(frozen=True)
class Comparison:
    """PSNR in dB (None: the images are equal, it would be infinite) and SSIM, 1 for equal images."""

    psnr_db: float | None
    ssim: float


def compare(a: np.ndarray, b: np.ndarray) -> Comparison:
    """Compare two images of the same size; a grey one is compared with a colour one as colour.

    Args:
        a, b: uint8 arrays (H, W) or (H, W, 3), RGB, values 0-255.

    Raises:
        ValueError: if the sizes differ.
    """
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"The sizes differ: {a.shape[1]} × {a.shape[0]} and {b.shape[1]} × {b.shape[0]} px.")
    if a.ndim != b.ndim:
        a, b = to_rgb(a), to_rgb(b)
    return Comparison(psnr(a, b), ssim(a, b))


def psnr(a: np.ndarray, b: np.ndarray) -> float | None:
    """Peak signal-to-noise ratio in dB over all channels, for a peak of 255; None for equal images."""
    squared_error = cv2.norm(a, b, cv2.NORM_L2SQR) / a.size
    return None if squared_error == 0 else float(10 * np.log10(PEAK**2 / squared_error))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity, −1 to 1, over all pixels and channels; borders are mirrored.

    Args:
        a, b: uint8 arrays of one shape, (H, W) or (H, W, 3).
    """
    height, overlap_px = a.shape[0], SSIM_WINDOW_PX // 2
    total = 0.0
    for top in range(
        0, height, STRIP_ROWS
    ):  # in strips: whole 50-megapixel float arrays would need gigabytes
        bottom = min(top + STRIP_ROWS, height)
        first, last = max(0, top - overlap_px), min(height, bottom + overlap_px)
        similarity = _ssim_map(a[first:last], b[first:last])
        total += float(similarity[top - first : bottom - first].sum(dtype=np.float64))
    return total / a.size


def _ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    x, y = a.astype(np.float32), b.astype(np.float32)
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x * mean_x
    variance_y = _blur(y * y) - mean_y * mean_y
    covariance = _blur(x * y) - mean_x * mean_y
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    denominator = (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    similarity: np.ndarray = numerator / denominator
    return similarity


def _blur(values: np.ndarray) -> np.ndarray:
    window = (SSIM_WINDOW_PX, SSIM_WINDOW_PX)
    return cv2.GaussianBlur(values, window, SSIM_SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)


def fit_to(source: np.ndarray, *, width: int, height: int) -> np.ndarray:
    """The source at another size, for a comparison with a resized result (area mean down, bicubic up)."""
    if source.shape[:2] == (height, width):
        return source
    is_smaller = width * height < source.shape[0] * source.shape[1]
    return cv2.resize(
        source, (width, height), interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    )

"""Operations on brightness and colour. uint8 RGB (H, W, 3) or grey (H, W) in and out."""

import cv2
import numpy as np

from processing.algorithms.codecs.raster import to_rgb
from processing.algorithms.pixels.visible import histogram, keep_hidden, without_hidden

# Rows: red, green, blue of the result; the usual sepia matrix (W3C Filter Effects, sepia()).
_SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


def grayscale(pixels: np.ndarray) -> np.ndarray:
    """Grey (H, W): luma of ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B). Source: cv2.cvtColor."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels.copy()


def sepia(pixels: np.ndarray, *, blend: float = 1.0) -> np.ndarray:
    """Brown tone of old photographs; the result is always RGB.

    Args:
        pixels: uint8 RGB or grey.
        blend: 0 = unchanged, 1 = full tone.

    Source: matrix of the sepia() filter, W3C Filter Effects Module Level 1.
    """
    matrix = (1 - blend) * np.eye(3) + blend * _SEPIA
    return cv2.transform(np.ascontiguousarray(to_rgb(pixels)), matrix)


def brightness(pixels: np.ndarray, *, factor: float = 1.2) -> np.ndarray:
    """Multiply every value: 1 = unchanged, 1.5 = +50 %, 0 = black."""
    return _mapped(pixels, _levels() * factor)


def contrast(pixels: np.ndarray, alpha: np.ndarray | None = None, *, factor: float = 1.2) -> np.ndarray:
    """Move every value away from the visible image's mean grey: 1 = unchanged, 1.5 = +50 %, 0 = flat grey.

    Source: the definition of PIL.ImageEnhance.Contrast, with rounding.
    """
    shares = histogram(grayscale(pixels), alpha)
    mean = round(float((shares * _levels()).sum() / shares.sum()))
    return _mapped(pixels, mean + (_levels() - mean) * factor)


def saturation(pixels: np.ndarray, *, factor: float = 1.2) -> np.ndarray:
    """Move every colour away from its own grey: 1 = unchanged, 0 = grey; a grey image stays as it is."""
    if pixels.ndim == 2:
        return pixels.copy()
    return cv2.addWeighted(pixels, factor, to_rgb(grayscale(pixels)), 1 - factor, 0)


def gamma(pixels: np.ndarray, *, gamma: float = 1.5) -> np.ndarray:
    """Power curve 255 · (v / 255)^(1 / gamma): above 1 lightens, below 1 darkens, 1 = unchanged."""
    return _mapped(pixels, 255 * (_levels() / 255) ** (1 / gamma))


def autocontrast(
    pixels: np.ndarray, alpha: np.ndarray | None = None, *, cutoff_percent: float = 0.5
) -> np.ndarray:
    """Stretch the tones so that the darkest visible ones become black and the lightest white; hues stay.

    Args:
        pixels: uint8 RGB or grey.
        alpha: uint8 (H, W) or None; pixels count by their opacity.
        cutoff_percent: share of the pixels at either end that may clip, in percent.
    """
    below = np.cumsum(histogram(grayscale(pixels), alpha))
    # The nearest rank, as numpy.percentile counts it.
    ranks = np.rint(np.array([cutoff_percent, 100 - cutoff_percent]) / 100 * max(below[-1] - 1, 0))
    low, high = np.searchsorted(below, np.minimum(ranks, below[-1] - 1e-9), side="right")
    if high <= low:
        return pixels.copy()
    return _mapped(pixels, (_levels() - float(low)) * 255 / (float(high) - float(low)))


def clahe(
    pixels: np.ndarray, alpha: np.ndarray | None = None, *, clip_limit: float = 2.0, tiles: int = 8
) -> np.ndarray:
    """Equalize local contrast (CLAHE), for colour on the lightness of CIE L*a*b*.

    Args:
        pixels: uint8 RGB or grey.
        alpha: uint8 (H, W) or None; hidden pixels count as their nearest visible ones and stay as they are.
        clip_limit: cap of each histogram bin as a multiple of the mean bin; higher allows more contrast.
        tiles: number of tiles along each axis.

    Source: Zuiderveld, Graphics Gems IV (1994); cv2.createCLAHE.
    """
    equalizer = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(tiles, tiles))
    seen = without_hidden(pixels, alpha)
    if pixels.ndim == 2:
        return keep_hidden(equalizer.apply(seen), pixels, alpha)
    lab = cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = equalizer.apply(np.ascontiguousarray(lab[:, :, 0]))
    return keep_hidden(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), pixels, alpha)


def _levels() -> np.ndarray:
    return np.arange(256, dtype=np.float64)


def _mapped(pixels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Replace every value by the table's; values beyond 0 to 255 are clipped."""
    return cv2.LUT(pixels, np.clip(np.rint(table), 0, 255).astype(np.uint8))

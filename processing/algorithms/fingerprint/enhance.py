"""Make the ridges of a fingerprint stand out."""

import numpy as np

from processing.algorithms.pixels.sharpness import blur, sharpen
from processing.algorithms.pixels.tone import brightness, clahe, contrast, grayscale


def enhance(
    pixels: np.ndarray,
    *,
    clip_limit: float = 2.0,
    tiles: int = 8,
    sharpen_amount: float = 1.0,
    contrast_factor: float = 1.5,
    brightness_factor: float = 1.1,
    unsharp_amount: float = 1.5,
    unsharp_radius_px: float = 2.0,
    unsharp_threshold: int = 3,
    smooth_sigma_px: float = 0.5,
    final_sharpen_amount: float = 1.0,
) -> np.ndarray:
    """Enhance a fingerprint in seven steps, each with its own parameters.

    1. Grayscale (BT.601 luma), where the image is not grey already.
    2. CLAHE: ridge contrast with limited amplification of noise (`clip_limit`, `tiles`).
    3. Sharpen (`sharpen_amount`, radius 1 px).
    4. Contrast around the mean (`contrast_factor`, 1.5 = +50 %).
    5. Brightness (`brightness_factor`, 1.1 = +10 %).
    6. Unsharp mask (`unsharp_amount`, `unsharp_radius_px`, `unsharp_threshold`).
    7. Mild Gaussian blur, then sharpen once more (`smooth_sigma_px`, `final_sharpen_amount`).

    Args:
        pixels: uint8, RGB (H, W, 3) or grey (H, W).

    Returns:
        uint8 grey (H, W). Amounts and sigmas of 0 and factors of 1 leave their step out.

    Source: each step as in `tone` and `sharpness`.
    """
    ridges = clahe(grayscale(pixels), clip_limit=clip_limit, tiles=tiles)
    ridges = sharpen(ridges, amount=sharpen_amount)
    ridges = contrast(ridges, factor=contrast_factor)
    ridges = brightness(ridges, factor=brightness_factor)
    ridges = sharpen(ridges, amount=unsharp_amount, radius_px=unsharp_radius_px, threshold=unsharp_threshold)
    ridges = blur(ridges, sigma_px=smooth_sigma_px)
    return sharpen(ridges, amount=final_sharpen_amount)

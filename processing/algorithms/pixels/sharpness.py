"""Blur and sharpen. uint8 RGB (H, W, 3) or grey (H, W) in and out."""

import cv2
import numpy as np

from processing.algorithms.pixels.visible import keep_hidden


def blur(pixels: np.ndarray, *, sigma_px: float = 2.0) -> np.ndarray:
    """Gaussian blur.

    Args:
        pixels: uint8 RGB or grey.
        sigma_px: standard deviation in px; 0 = unchanged.

    Source: cv2.GaussianBlur, mirrored borders.
    """
    return cv2.GaussianBlur(pixels, (0, 0), sigma_px) if sigma_px > 0 else pixels.copy()


def blur_visible(pixels: np.ndarray, alpha: np.ndarray, *, sigma_px: float) -> np.ndarray:
    """Gaussian blur that weighs colours by their opacity: hidden colours do not bleed into seen ones."""
    if sigma_px == 0:
        return pixels.copy()
    weight = alpha.astype(np.float32) / 255
    spread = cv2.GaussianBlur(weight, (0, 0), sigma_px)
    shaped = weight if pixels.ndim == 2 else weight[:, :, None]
    total = spread if pixels.ndim == 2 else spread[:, :, None]
    colours = cv2.GaussianBlur(pixels * shaped, (0, 0), sigma_px)
    blurred = np.divide(colours, total, out=pixels.astype(np.float32), where=total > 1e-4)
    return np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def sharpen(
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    amount: float = 1.0,
    radius_px: float = 1.0,
    threshold: int = 0,
) -> np.ndarray:
    """Unsharp mask: add `amount` times the difference to a blurred copy.

    Args:
        pixels: uint8 RGB or grey.
        alpha: uint8 (H, W) or None; colours count by their opacity, and hidden pixels stay as they are.
        amount: 0 = unchanged, 1 = the whole difference once more.
        radius_px: standard deviation of the blurred copy in px; larger sharpens coarser detail.
        threshold: smallest difference (0 to 255) that is sharpened; spares noise.
    """
    if amount == 0:
        return pixels.copy()
    if alpha is None or alpha.min() == 255:
        soft = cv2.GaussianBlur(pixels, (0, 0), radius_px)
    else:
        soft = blur_visible(pixels, alpha, sigma_px=radius_px)
    sharp = cv2.addWeighted(pixels, 1 + amount, soft, -amount, 0)
    if threshold > 0:
        sharp = np.where(cv2.absdiff(pixels, soft) >= threshold, sharp, pixels)
    return keep_hidden(sharp, pixels, alpha)

"""What can be seen of an image: colours under full transparency must not decide about anything that is visible."""

import cv2
import numpy as np


def without_hidden(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Give hidden pixels the colour of the nearest visible one, for what looks at whole neighbourhoods.

    Args:
        pixels: uint8 RGB or grey.
        alpha: uint8 (H, W) or None; hidden is what has the alpha 0.

    Returns:
        `pixels` itself where nothing, or everything, is hidden.
    """
    if alpha is None or alpha.min() > 0 or alpha.max() == 0:
        return pixels
    is_hidden = (alpha == 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        is_hidden, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    visible = np.flatnonzero(is_hidden == 0)
    place_of_label = np.zeros(int(nearest.max()) + 1, np.int64)
    place_of_label[nearest.ravel()[visible]] = visible
    filled = pixels.copy()
    holes = is_hidden.astype(bool)
    filled[holes] = pixels.reshape(-1, *pixels.shape[2:])[place_of_label[nearest[holes]]]
    return filled


def keep_hidden(changed: np.ndarray, pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """The changed image with its hidden pixels as they were: nobody asked to change them."""
    if alpha is None or alpha.min() > 0 or changed.shape != pixels.shape:
        return changed
    is_hidden = alpha == 0
    return np.where(is_hidden if pixels.ndim == 2 else is_hidden[:, :, None], pixels, changed)


def histogram(levels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """How much of the image has each of the 256 grey levels, float64 (256,): pixels count by their opacity."""
    if alpha is None or alpha.max() == 0:
        return np.bincount(levels.ravel(), minlength=256).astype(np.float64)
    return np.bincount(levels.ravel(), weights=alpha.ravel() / 255.0, minlength=256)

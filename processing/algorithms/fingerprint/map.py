"""An image of what the fingerprint panel has seen: where ridges are, which way they run, how clear they are."""

import cv2
import numpy as np

from processing.algorithms.fingerprint.ridges import STEP_PX, reduced, ridges_of
from processing.algorithms.pixels.tone import grayscale

EVERY = 2  # a stroke at every second point of the grid
LONG_SIDE_PX = 1200
SMALL_SIDE_PX = 600  # smaller prints are drawn at twice their size, or strokes and ridges would be as thick
# Unclear to clear: red, amber, green; strokes also grow longer, for those who see no red.
COLOURS = np.array([[214, 39, 40], [230, 150, 20], [20, 150, 70]], dtype=np.float32)


def ridge_map(pixels: np.ndarray) -> np.ndarray:
    """Draw a stroke along the ridges wherever there are any; longer and greener where they are clearer.

    Args:
        pixels: uint8 RGB (H, W, 3) or grey (H, W); longer than `LONG_SIDE_PX`, a smaller copy is drawn.

    Returns:
        uint8 RGB, its longer side at most `LONG_SIDE_PX`: the print in pale grey below the strokes.
    """
    grey = grayscale(pixels)
    grey = reduced(grey, LONG_SIDE_PX / max(grey.shape))
    scale = 2 if max(grey.shape) <= SMALL_SIDE_PX else 1
    size = (grey.shape[1] * scale, grey.shape[0] * scale)
    pale = cv2.resize(160 + grey // 3, size, interpolation=cv2.INTER_CUBIC)
    canvas = np.repeat(np.minimum(pale, 245)[:, :, None], 3, axis=2)
    ridges = ridges_of(grey)
    clarity = cv2.blur(ridges.clarity, (3, 3))
    for row, column in np.argwhere(ridges.foreground):
        if row % EVERY == 0 and column % EVERY == 0:
            worth = float(np.clip((clarity[row, column] - 0.2) / 0.5, 0, 1))
            middle = np.array([column + 0.5, row + 0.5]) * STEP_PX * scale
            half = STEP_PX * EVERY * scale * (0.25 + 0.22 * worth)
            direction = float(ridges.direction[row, column])
            way = half * np.array([np.cos(direction), np.sin(direction)])
            colour = [float(np.interp(worth, (0, 0.5, 1), channel)) for channel in COLOURS.T]
            ends = [[int(value) for value in np.rint(middle + sign * way)] for sign in (-1, 1)]
            cv2.line(canvas, ends[0], ends[1], colour, 2, cv2.LINE_AA)
    return canvas

"""Store an image of few colours by a palette: every pixel stays, the file becomes smaller."""

from typing import Any

import numpy as np
from PIL import Image

MAX_COLOURS = 256
_STRIP_ROWS = 256


def indexed(image: Image.Image, *, has_alpha: bool) -> tuple[Image.Image, dict[str, Any]]:
    """The same image in the mode 1 or P, where at most 256 colours allow it.

    Args:
        image: mode L, LA, RGB or RGBA.
        has_alpha: whether the format keeps transparency in a palette.

    Returns:
        The image, or the given one where it has too many colours; and the options to save it with.
    """
    if not has_alpha and image.mode in ("LA", "RGBA"):
        return image, {}
    values = _as_numbers(image)
    colours = _colours_of(values)
    if colours is None:
        return image, {}
    if image.mode == "L" and set(colours.tolist()) <= {0xFF000000, 0xFFFFFFFF}:
        return Image.fromarray(values == 0xFFFFFFFF), {}
    if image.mode == "L" and not has_alpha:
        return image, {}  # grey is as small as a palette there
    places = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _STRIP_ROWS):
        places[top : top + _STRIP_ROWS] = np.searchsorted(colours, values[top : top + _STRIP_ROWS])
    channels = colours[:, None] >> np.array([0, 8, 16, 24], np.uint32) & 0xFF
    result = Image.frombytes("P", image.size, places.tobytes())
    result.putpalette(channels[:, :3].astype(np.uint8).tobytes())
    opacities = channels[:, 3].astype(np.uint8)
    if not has_alpha:
        return result, {}
    options: dict[str, Any] = {"bits": _bits(len(colours))}
    if opacities.min() < 255:
        # Hidden and half hidden colours come first, so that the list of opacities may end early.
        options["transparency"] = opacities[: int(np.flatnonzero(opacities < 255)[-1]) + 1].tobytes()
    return result, options


def _as_numbers(image: Image.Image) -> np.ndarray:
    """Each pixel as one number, uint32 (H, W): alpha, blue, green, red from the highest byte down."""
    return np.asarray(image.convert("RGBA")).view("<u4")[:, :, 0]


def _colours_of(values: np.ndarray) -> np.ndarray | None:
    """The sorted colours, or None as soon as there are more than a palette holds."""
    found = np.empty(0, np.uint32)
    for top in range(0, len(values), _STRIP_ROWS):
        found = np.union1d(found, np.unique(values[top : top + _STRIP_ROWS]))
        if len(found) > MAX_COLOURS:
            return None
    return found


def _bits(count: int) -> int:
    return 1 if count <= 2 else 2 if count <= 4 else 4 if count <= 16 else 8

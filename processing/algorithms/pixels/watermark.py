"""Write a text onto an image."""

import unicodedata
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from processing.algorithms.codecs.raster import Raster, from_pillow, to_pillow, to_rgb
from processing.algorithms.errors import InvalidParameter
from processing.algorithms.pixels.geometry import hex_to_rgb

POSITIONS = (
    "top-left",
    "top",
    "top-right",
    "left",
    "center",
    "right",
    "bottom-left",
    "bottom",
    "bottom-right",
)
_COLUMNS = {"left": 0.0, "right": 1.0}
_WEIGHT = 500  # 400 = regular, 600 = semibold
_ROWS = {"top": 0.0, "bottom": 1.0}


def watermark(
    raster: Raster,
    *,
    text: str,
    position: str = "bottom-right",
    opacity: float = 0.5,
    size: float = 5.0,
    colour: str = "#ffffff",
) -> Raster:
    """Write one line of text, in the fonts inside OpenCV 5 (Latin, Greek, Cyrillic, Chinese, ...).

    Args:
        raster: the image; the result is RGB unless image and colour are both grey.
        text: the words; a text too wide for the image is set smaller.
        position: one of `POSITIONS`.
        opacity: 0 = invisible, 1 = solid.
        size: height of the letters in percent of the shorter side.
        colour: `#rrggbb`.
    """
    text = unicodedata.normalize("NFC", text)
    check_text(text)
    is_grey = raster.pixels.ndim == 2 and len(set(hex_to_rgb(colour))) == 1
    picture = to_pillow(raster.pixels if is_grey else to_rgb(raster.pixels), raster.alpha).convert("RGBA")
    layer = Image.new("RGBA", picture.size, (*hex_to_rgb(colour), 0))
    strength = np.rint(_letters(picture.size, text, position, size) * opacity).astype(np.uint8)
    layer.putalpha(Image.fromarray(strength))
    marked = Image.alpha_composite(picture, layer)
    base = "L" if is_grey else "RGB"
    return from_pillow(marked.convert(base if raster.alpha is None else {"L": "LA", "RGB": "RGBA"}[base]))


def check_text(text: str) -> None:
    """Refuse what would come out wrong: letters that the fonts lack become boxes, and OpenCV joins none."""
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text):
        raise InvalidParameter("Right-to-left text is not supported.", field="text")
    missing = _drawn("\U0010fffd", 32)
    letters = sorted({letter for letter in text if not letter.isspace()})
    unknown = [letter for letter in letters if np.array_equal(_drawn(letter, 32), missing)]
    if unknown:
        raise InvalidParameter(f"The fonts have no glyphs for {''.join(unknown[:10])!r}.", field="text")


def _letters(canvas: tuple[int, int], text: str, position: str, size: float) -> np.ndarray:
    """The text as a mask (H, W) in the size of the image, 255 = letter."""
    width, height = canvas
    margin = round(min(canvas) * 0.03)
    font_px, room_px = max(1, round(min(canvas) * size / 100)), width - 2 * margin
    _, _, text_px, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), font_px, _WEIGHT)
    if text_px > room_px:
        font_px = max(1, int(font_px * room_px / text_px))
    words = _drawn(text, font_px)[:height, :width]
    row, _, column = position.partition("-")
    x = round(margin + _COLUMNS.get(column or row, 0.5) * (width - 2 * margin - words.shape[1]))
    y = round(margin + _ROWS.get(row, 0.5) * (height - 2 * margin - words.shape[0]))
    x = max(0, min(x, width - words.shape[1]))
    y = max(0, min(y, height - words.shape[0]))
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + words.shape[0], x : x + words.shape[1]] = words
    return mask


def _drawn(text: str, font_px: int) -> np.ndarray:
    """The text as a mask without empty edges; (0, 0) in size where it leaves no ink."""
    left, top, width, height = cv2.getTextSize((0, 0), text, (0, 0), _font(), font_px, _WEIGHT)
    pad = font_px  # some letters reach over their box
    canvas = np.zeros((height + 2 * pad, width + 2 * pad), np.uint8)
    origin = (pad - left, pad - top)
    cv2.putText(canvas, text, origin, (255,), _font(), font_px, _WEIGHT, cv2.PUT_TEXT_ALIGN_LEFT)
    rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
    if rows.size == 0:
        return canvas[:0, :0]
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@lru_cache(maxsize=1)
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")

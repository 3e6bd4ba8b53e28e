"""Write a text onto a picture."""

from PIL import Image, ImageDraw, ImageFont

from processing.algorithms.errors import InvalidParameter
from processing.algorithms.geometry import hex_to_rgb
from processing.algorithms.raster import Raster, from_pillow, to_pillow, to_rgb

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
    """Write one line of text, in the font that comes with Pillow (Aileron).

    Args:
        raster: the picture; the result is RGB unless picture and colour are both grey.
        text: the words; a text too wide for the picture is set smaller.
        position: one of `POSITIONS`.
        opacity: 0 = invisible, 1 = solid.
        size: height of the letters in percent of the shorter side.
        colour: `#rrggbb`.
    """
    check_text(text)
    is_grey = raster.pixels.ndim == 2 and len(set(hex_to_rgb(colour))) == 1
    picture = to_pillow(raster.pixels if is_grey else to_rgb(raster.pixels), raster.alpha).convert("RGBA")
    layer = Image.new("RGBA", picture.size, (*hex_to_rgb(colour), 0))
    layer.putalpha(_letters(picture.size, text, position, opacity, size))
    marked = Image.alpha_composite(picture, layer)
    base = "L" if is_grey else "RGB"
    return from_pillow(marked.convert(base if raster.alpha is None else {"L": "LA", "RGB": "RGBA"}[base]))


def check_text(text: str) -> None:
    """Refuse letters that the font does not have: they would come out as empty boxes."""
    font = _font(32)
    missing = _shape(font, "\U0010fffd")
    unknown = sorted({letter for letter in text if not letter.isspace() and _shape(font, letter) == missing})
    if unknown:
        raise InvalidParameter(f"The font has no letters for {''.join(unknown[:10])!r}.", field="text")


def _letters(canvas: tuple[int, int], text: str, position: str, opacity: float, size: float) -> Image.Image:
    """The text as a mask in the size of the picture."""
    shorter = min(canvas)
    margin = shorter * 0.03
    font_px = max(shorter * size / 100, 1.0)
    left, top, right, bottom = _font(font_px).getbbox(text)
    if right - left > canvas[0] - 2 * margin:
        font_px = max(font_px * (canvas[0] - 2 * margin) / (right - left), 1.0)
        left, top, right, bottom = _font(font_px).getbbox(text)
    row, _, column = position.partition("-")
    x = margin + _COLUMNS.get(column or row, 0.5) * (canvas[0] - 2 * margin - (right - left)) - left
    y = margin + _ROWS.get(row, 0.5) * (canvas[1] - 2 * margin - (bottom - top)) - top
    mask = Image.new("L", canvas, 0)
    ImageDraw.Draw(mask).text((round(x), round(y)), text, fill=round(255 * opacity), font=_font(font_px))
    return mask


def _font(size_px: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font


def _shape(font: ImageFont.FreeTypeFont, letter: str) -> bytes:
    mask = font.getmask(letter)
    return bytes(mask) + repr(mask.size).encode()

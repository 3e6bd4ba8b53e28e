"""Bring every pixel layout that Pillow knows to 8 bits: grey or colour apart from its transparency."""

import numpy as np
from PIL import Image

_BITS_PER_SAMPLE, _SAMPLE_FORMAT = 258, 339  # TIFF 6.0
_HAS_ALPHA = ("LA", "RGBA", "PA", "La", "RGBa")
Key = int | tuple[int, ...]


def pending_raw_mode(image: Image.Image) -> str:
    """Pillow's name of the layout inside the file; known only until the pixels are loaded."""
    tiles = getattr(image, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def transparent_key(image: Image.Image) -> Key | None:
    """The colour that a file declares transparent, in the values that the pixels will have once loaded.

    Call it before the pixels are loaded: a PNG states the key in the file's own depth, and only the pending
    tile tells that depth (PNG specification, tRNS).
    """
    key = image.info.get("transparency")
    if not isinstance(key, int | tuple) or image.mode == "P":
        return None
    raw_mode = pending_raw_mode(image)
    if isinstance(key, tuple):
        return tuple(value >> 8 for value in key) if "16" in raw_mode else key
    return key * {"L;2": 85, "L;4": 17}.get(raw_mode, 1)


def alpha_channel(image: Image.Image, key: Key | None) -> Image.Image | None:
    """Transparency of a loaded image as a grey image (255 = opaque), or None where it has none."""
    if image.mode in _HAS_ALPHA or (image.mode == "P" and "transparency" in image.info):
        return image.convert("RGBA").getchannel("A")
    if key is None:
        return None
    pixels = np.asarray(image)
    matches = pixels == np.asarray(key)
    if pixels.ndim == 3:
        matches = matches.all(axis=2)
    return Image.fromarray(np.where(matches, 0, 255).astype(np.uint8))


def to_8_bit(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert a loaded image to mode L, RGB, CMYK or LAB without its transparency.

    16-bit values are divided by 257 (65535 becomes 255). 32-bit and float values have no agreed range: 0 to
    1 (float), 0 to 255 and 0 to 65535 are recognised, everything else is stretched from its minimum to its
    maximum, and said in a note.
    """
    mode = image.mode
    if mode in ("L", "RGB", "CMYK", "LAB"):
        return image, ()
    if mode in ("1", "LA"):
        return image.convert("L"), ()
    if mode == "La":
        return image.convert("LA").convert("L"), ()
    if mode.startswith("I;16"):
        return Image.fromarray(_from_16_bit(image)), ()
    if mode in ("I", "F"):
        values = np.asarray(image)
        tags = getattr(image, "tag_v2", {})
        # Pillow reads 32 bits as signed, whatever the file says.
        if mode == "I" and tags.get(_BITS_PER_SAMPLE) == (32,) and tags.get(_SAMPLE_FORMAT, (1,)) == (1,):
            values = values.view(np.uint32)
        pixels, notes = _from_wide(values.astype(np.float64), is_integer=mode == "I")
        return Image.fromarray(pixels), notes
    if mode == "RGBa" or (mode == "P" and "transparency" in image.info):
        image = image.convert("RGBA")  # the transparency was read before and is dropped here
    return image.convert("RGB"), ()


def _from_16_bit(image: Image.Image) -> np.ndarray:
    values = np.asarray(image).astype(np.uint32)
    is_white_zero = getattr(image, "tag_v2", {}).get(262) == 0  # TIFF PhotometricInterpretation
    if is_white_zero:
        values = 65_535 - values
    return ((values + 128) // 257).astype(np.uint8)


def _from_wide(values: np.ndarray, *, is_integer: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    finite = np.isfinite(values)
    notes: tuple[str, ...] = ()
    if not finite.all():
        notes = ("Values that are not numbers were set to black.",)
        values = np.where(finite, values, values[finite].min() if finite.any() else 0.0)
    low, high = float(values.min()), float(values.max())
    for top in (1.0, 255.0, 65_535.0):
        if low >= 0 and high <= top and (top > 1.0 or not is_integer):
            return np.rint(values * (255.0 / top)).astype(np.uint8), notes
    notes += (f"The values {low:.6g} to {high:.6g} were stretched to 0 to 255.",)
    scaled = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
    return np.rint(scaled).astype(np.uint8), notes

"""What a subprocess runs to draw the ridges of a print: a path in, a file's bytes out. No Django here."""

from processing.algorithms.codecs import Limits, decode, encode
from processing.algorithms.fingerprint_map import ridge_map
from processing.algorithms.raster import flatten


def draw_ridge_map(path: str, limits: Limits) -> bytes:
    """The picture of `ridge_map` as PNG.

    Raises:
        ProcessingError: not a picture, refused, too large or damaged.
    """
    with open(path, "rb") as stream:
        decoded = decode(stream, limits=limits)
    return encode(ridge_map(flatten(decoded.pixels, decoded.alpha)), None, format="png")

"""What a subprocess runs to draw the ridges of a print: a path in, a file's bytes out. No Django here."""

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.encoding import encode
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.codecs.raster import flatten
from processing.algorithms.fingerprint.map import ridge_map


def draw_ridge_map(path: str, limits: Limits) -> bytes:
    """The image of `ridge_map` as PNG.

    Raises:
        ProcessingError: not an image, refused, too large or damaged.
    """
    with open(path, "rb") as stream:
        decoded = decode(stream, limits=limits)
    return encode(ridge_map(flatten(decoded.pixels, decoded.alpha)), None, format="png")

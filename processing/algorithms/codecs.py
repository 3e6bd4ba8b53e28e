"""Files in, arrays out, and back: the one door to the formats (`formats`, `probing`, `decoding`, ...)."""

from processing.algorithms.decoding import Decoded, decode
from processing.algorithms.encoding import DEFAULT_QUALITY, encode, flattening_note
from processing.algorithms.formats import FORMATS, WRITABLE_FORMATS, Format, detect_format
from processing.algorithms.metadata import Metadata, read_metadata
from processing.algorithms.probing import ImageInfo, Limits, probe

__all__ = [
    "DEFAULT_QUALITY",
    "FORMATS",
    "WRITABLE_FORMATS",
    "Decoded",
    "Format",
    "ImageInfo",
    "Limits",
    "Metadata",
    "decode",
    "detect_format",
    "encode",
    "flattening_note",
    "probe",
    "read_metadata",
]

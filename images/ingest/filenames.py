"""The name an original is shown and downloaded under: harmless, and with the extension of its content."""

import re
from pathlib import PurePosixPath

from processing.algorithms.codecs.formats import FORMATS

MAX_LENGTH = 255
_JOINERS = "\u200c\u200d"  # inside of emoji and of Persian and Indian words; not printable, and harmless
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,5}")


def safe_filename(name: str, *, format: str) -> str:
    """The sent name without path parts and control characters, ending as its content demands.

    `../holiday.JPG` stays `holiday.JPG` when it is a JPEG and becomes `holiday.png` when it is a PNG.
    """
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(letter for letter in name if letter.isprintable() or letter in _JOINERS).strip(" .")
    suffix = PurePosixPath(name).suffix
    if suffix.lower().lstrip(".") in FORMATS[format].extensions:
        stem, extension = name.removesuffix(suffix), suffix
    else:
        stem = name.removesuffix(suffix) if _EXTENSION.fullmatch(suffix) else name
        extension = f".{format}"
    return (stem.strip(" .") or "image")[: MAX_LENGTH - len(extension)] + extension

"""What worker subprocesses run to measure images. No Django here: a subprocess must start fast."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.codecs.raster import flatten
from processing.algorithms.errors import ProcessingError
from processing.algorithms.fingerprint.quality import FingerprintPanel, panel
from processing.algorithms.quality.causes import measure_causes
from processing.algorithms.quality.metrics import score
from processing.algorithms.quality.specs import Score

# Path of the image, names of metrics, folder of models, what is accepted.
Member = tuple[str, Sequence[str], str, Limits]


@dataclass(frozen=True)
class Causes:
    """The causes of an image, and the panel of a fingerprint."""

    values: Mapping[str, float | None]
    input_size: int
    duration_ms: int
    panel: FingerprintPanel | None


def measure_file(path: str, is_fingerprint: bool, dpi: float | None, limits: Limits) -> Causes:
    """Measure the causes of an image file, and the ridges of a fingerprint.

    Raises:
        ProcessingError: the image cannot be read any more.
    """
    started = time.monotonic()
    pixels = read_picture(path, limits)
    measured = measure_causes(pixels)
    ridges = panel(pixels, dpi) if is_fingerprint else None
    duration_ms = round(1000 * (time.monotonic() - started))
    return Causes(measured.values, measured.input_size, duration_ms, ridges)


def score_files(members: Sequence[Member]) -> list[list[Score] | ProcessingError]:
    """Score images by metrics, those of one metric together; an image that is at fault fails alone.

    Returns:
        For each member its scores in the order of its metrics, or what is wrong with it.
    """
    pictures: list = []
    for path, _, _, limits in members:
        try:
            pictures.append(read_picture(path, limits))
        except ProcessingError as error:
            pictures.append(error)
    positions: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, (_, metrics, folder, _) in enumerate(members):
        for name in metrics:
            positions[name, folder].append(place)
    results: dict[tuple[int, str], Score | ProcessingError] = {}
    for (name, folder), places in positions.items():
        usable = [place for place in places if isinstance(pictures[place], np.ndarray)]
        scores: Sequence[Score | ProcessingError]
        try:
            scores = score(name, [pictures[place] for place in usable], folder=folder)
        except ProcessingError as error:  # its file went away since the submission
            scores = [error] * len(usable)
        results.update({(place, name): scored for place, scored in zip(usable, scores, strict=True)})
    answers: list = []
    for place, (_, metrics, _, _) in enumerate(members):
        is_read = isinstance(pictures[place], np.ndarray)
        found = [results[place, name] for name in metrics] if is_read else [pictures[place]]
        errors = [each for each in found if isinstance(each, ProcessingError)]
        answers.append(errors[0] if errors else found)
    return answers


def read_picture(path: str, limits: Limits) -> np.ndarray:
    """A whole image upright in sRGB, what is transparent on white: uint8 RGB or grey."""
    with open(path, "rb") as stream:
        decoded = decode(stream, limits=limits)
    return flatten(decoded.pixels, decoded.alpha)

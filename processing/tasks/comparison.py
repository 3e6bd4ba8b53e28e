"""Compares a result's file with its source's, in a subprocess: no Django here."""

from dataclasses import dataclass

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.codecs.raster import flatten
from processing.algorithms.pixels.comparison import compare, fit_to

SAME_SHAPE = 0.02  # how far two aspect ratios may be apart for one image to be the other one resized


@dataclass(frozen=True)
class FileComparison:
    """PSNR in dB and SSIM of a result against its source; None where they say nothing, with the reason."""

    psnr_db: float | None
    ssim: float | None
    is_identical: bool
    note: str


def compare_files(source_path: str, result_path: str, limits: Limits) -> FileComparison:
    """Decode both files and compare what is seen; transparency counts as white.

    Raises:
        ProcessingError: one of the files is damaged.
    """
    with open(source_path, "rb") as stream:
        source = decode(stream, limits=limits)
    with open(result_path, "rb") as stream:
        result = decode(stream, limits=limits)
    before, after = flatten(source.pixels, source.alpha), flatten(result.pixels, result.alpha)
    (height, width), (source_height, source_width) = after.shape[:2], before.shape[:2]
    if abs((width / height) / (source_width / source_height) - 1) > SAME_SHAPE:
        return FileComparison(None, None, False, "The result and its source have different shapes.")
    comparison = compare(fit_to(before, width=width, height=height), after)
    note = (
        ""
        if before.shape[:2] == after.shape[:2]
        else f"Compared at the size of the result, {width} × {height} px."
    )
    return FileComparison(comparison.psnr_db, comparison.ssim, comparison.psnr_db is None, note)

"""What is said about an image's noise before it is denoised."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings

from processing import files
from processing.algorithms.errors import ProcessingError
from processing.engine.subprocesses import run_isolated
from processing.handlers import input_limits
from processing.tasks import operations as compute

DENOISE = "denoise"


def notes(steps: Iterable[tuple[str, dict[str, Any]]], images: Sequence[Any]) -> list[str]:
    """How noisy the image is, and whether it would be left as it is: for one image, since it has to be decoded."""
    wanted = [parameters for name, parameters in steps if name == DENOISE]
    if not wanted or len(images) != 1:
        return []
    try:
        sigma = _sigma(images[0])
    except (ProcessingError, OSError):
        return []  # the operation itself says what is wrong with the file
    least = min(parameters["min_sigma"] for parameters in wanted)
    words = f"The noise of this image is about {sigma:.1f} of 255 levels"
    if sigma >= least:
        return [f"{words}."]
    return [
        f"{words}, less than min_sigma ({least:g}). Denoising would only blur it, so it would be left unchanged."
    ]


def _sigma(image: Any) -> float:
    with files.local_copy(image.file) as path:
        found: float = run_isolated(
            compute.noise_of,
            path,
            input_limits(),
            timeout_s=settings.DECODE_TIMEOUT_SECONDS,
            memory_bytes=settings.DECODE_MEMORY_BYTES,
        )
    return found

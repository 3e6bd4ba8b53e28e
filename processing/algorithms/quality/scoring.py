"""Metrics at work: images reduced, gathered by size into tensors, scored; what cannot be scored says why."""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from processing.algorithms.codecs.raster import to_rgb
from processing.algorithms.offline import offline
from processing.algorithms.quality.causes import bound
from processing.algorithms.quality.networks import NotTheWeights, network
from processing.algorithms.quality.specs import Availability, MetricSpec, Score

MOST_TOGETHER = 8  # images in one tensor: enough to keep the cores busy, few enough for the memory


def score_pictures(
    spec: MetricSpec, availability: Availability, pictures: Sequence[np.ndarray], *, folder: Path | str
) -> list[Score]:
    """See `quality.score`."""
    with offline():
        try:
            metric = network(spec.name, availability.weights_sha256, folder)
        except NotTheWeights as error:  # the other metrics of these images go on
            refusal = ("model_unavailable", str(error))
            return [_score(spec, availability, picture, error=refusal) for picture in pictures]
        reduced = [bound(picture, long_side_px=spec.long_side_px) for picture in pictures]
        scores: dict[int, Score] = {}
        for places in _groups(reduced, most=MOST_TOGETHER if spec.is_batched else 1):
            members = [reduced[place] for place in places]
            scores.update(zip(places, _score_group(spec, availability, metric, members), strict=True))
    return [scores[place] for place in range(len(pictures))]


def _groups(pictures: Sequence[np.ndarray], *, most: int) -> list[list[int]]:
    """The places of images of equal size, at most so many together; one of a single colour stands alone.

    Such a one makes pyiqa refuse its tensor, or only if it is alone in it.
    """
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, picture in enumerate(pictures):
        alone = (place,) if (picture == picture[0, 0]).all() else ()
        by_size[picture.shape[:2] + alone].append(place)
    return [places[at : at + most] for places in by_size.values() for at in range(0, len(places), most)]


def _score_group(
    spec: MetricSpec, availability: Availability, metric: Callable[[Any], Any], pictures: list[np.ndarray]
) -> list[Score]:
    height, width = pictures[0].shape[:2]
    if min(height, width) < spec.min_side_px:
        detail = (
            f"{spec.title} needs at least {spec.min_side_px} px on the shorter side; this image is measured at "
            f"{width} × {height} px."
        )
        return [_score(spec, availability, picture, error=("too_small", detail)) for picture in pictures]
    started = time.perf_counter()
    values = _values(metric, pictures)
    duration_ms = round(1000 * (time.perf_counter() - started) / len(pictures))
    return [
        _score(spec, availability, picture, value=value, duration_ms=duration_ms)
        for picture, value in zip(pictures, values, strict=True)
    ]


def _values(metric: Callable[[Any], Any], pictures: list[np.ndarray]) -> list[float]:
    """Values of images of one size; not a number where the metric has none for an image (one without structure)."""
    import torch
    from torch.linalg import LinAlgError

    try:
        with torch.inference_mode():
            planes = [torch.from_numpy(np.array(to_rgb(each))).permute(2, 0, 1) for each in pictures]
            answer = metric(torch.stack(planes).float() / 255)
            return [float(value) for value in answer.reshape(len(pictures), -1)[:, 0]]
    except (AssertionError, ValueError, ArithmeticError, LinAlgError):
        if len(pictures) == 1:
            return [math.nan]
        return [value for picture in pictures for value in _values(metric, [picture])]


def _score(
    spec: MetricSpec,
    availability: Availability,
    picture: np.ndarray,
    *,
    value: float = math.nan,
    duration_ms: int = 0,
    error: tuple[str, str] = ("", ""),
) -> Score:
    is_number = math.isfinite(value)
    if not is_number and not error[0]:
        error = (
            "not_measurable",
            f"{spec.title} cannot score this image because it has too little structure.",
        )
    return Score(
        metric=spec.name,
        version=availability.version,
        weights_sha256=availability.weights_sha256,
        input_size=max(picture.shape[:2]),
        duration_ms=duration_ms,
        value=value if is_number else None,
        normalized=spec.normalized(value) if is_number else None,
        error_code=error[0],
        error_detail=error[1],
    )

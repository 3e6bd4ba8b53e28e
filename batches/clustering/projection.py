"""The map of a batch: where a run's projection puts each image, and what is known of it."""

import colorsys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from api.core.errors import ApiError, ErrorCode
from batches.models import Batch, BatchImage, ClusterAssignment, ClusterRun
from images.models import Embedding
from images.vectors.embeddings import numbers_of

PLACING_MODES = (ClusterRun.Mode.FULL, ClusterRun.Mode.INCREMENTAL)
GOLDEN_ANGLE = 137.508 / 360
_LIGHTNESS = (0.50, 0.40, 0.58)
_COLUMNS = (
    "image_id",
    "image__title",
    "image__original_filename",
    "group_id",
    "image__quality_grade",
    "outlier_score",
    "probability",
    "decision",
)


@dataclass(frozen=True)
class Point:
    """One image on the map.

    Attributes:
        x, y: in the plane of the run's projection.
        group_label: of the group that it is in now; None for none.
        run_label: what the run said of it; −1 for noise, None where it came later.
        quality: grade, 0 to 100, where it was measured.
        outlier_score, probability: 0 to 1, of the run; of its place now where the run has not seen it.
    """

    image: str
    name: str
    x: float
    y: float
    group_label: str | None
    run_label: int | None
    quality: float | None
    outlier_score: float | None
    probability: float | None
    decision: str


@dataclass(frozen=True)
class MapGroup:
    label: str
    title: str
    colour: str


@dataclass(frozen=True)
class Map:
    """All that the page draws.

    Attributes:
        proposed: the groups of the run, labelled by `Point.run_label`.
        unplaced: images of the batch for which the run has no place.
    """

    run: int | None
    points: list[Point]
    groups: list[MapGroup]
    proposed: list[MapGroup]
    unplaced: int
    version: int

    def as_json(self) -> dict[str, Any]:
        rows = {
            "points": [vars(point) for point in self.points],
            "groups": [vars(row) for row in self.groups],
            "proposed": [vars(row) for row in self.proposed],
        }
        return vars(self) | rows


def points(batch: Batch, run: int | None = None) -> Map:
    """Every present image that has a place, in the batch's order.

    Images that came after the run are put onto its plane by their vector, where they have one of the same weights.

    Args:
        run: the number of a run; without it the active one, else the last one that placed images.

    Raises:
        ApiError: 404 for a run that the batch does not have, 409 for one that placed no images.
    """
    chosen = _run(batch, run)
    groups = {
        group.pk: MapGroup(group.label, group.title, group.colour or colour_of(group.label))
        for group in batch.groups.all()
    }
    labels = {key: group.label for key, group in groups.items()}
    present = BatchImage.objects.filter(batch=batch).present().order_by("position", "id")
    rows = list(present.values_list(*_COLUMNS))
    placed: dict[UUID, _Place] = {}
    if chosen is not None:
        keys = {row[0] for row in rows}
        columns = ("image_id", "x", "y", "label", "outlier_score", "probability")
        assigned = ClusterAssignment.objects.filter(run=chosen).values_list(*columns)
        placed = {key: tuple(place) for key, *place in assigned if key in keys}
        placed |= _projected(chosen, keys - placed.keys())
    points_shown = [_point(row, placed[row[0]], labels) for row in rows if row[0] in placed]
    run_labels = {point.run_label for point in points_shown}
    numbers = sorted(label for label in run_labels if label is not None and label >= 0)
    return Map(
        run=chosen.number if chosen else None,
        points=points_shown,
        groups=sorted(groups.values(), key=lambda group: (len(group.label), group.label)),
        # In the colours that the groups have once the run is activated.
        proposed=[MapGroup(str(n), f"Proposed {n + 1}", colour_of(str(n + 1))) for n in numbers],
        unplaced=len(rows) - len(points_shown),
        version=batch.version,
    )


def packed(batch: Batch, run: int | None = None) -> bytes:
    """The points as little-endian float32 (N, 5), in the order of `points`.

    Columns: x, y, place of the group in `groups` (−1 for none), quality (NaN where not measured), outlier score
    (NaN where there is none).
    """
    drawn = points(batch, run)
    place = {group.label: float(index) for index, group in enumerate(drawn.groups)}
    nan = float("nan")
    rows = [
        (
            point.x,
            point.y,
            -1.0 if point.group_label is None else place[point.group_label],
            nan if point.quality is None else point.quality,
            nan if point.outlier_score is None else point.outlier_score,
        )
        for point in drawn.points
    ]
    return np.asarray(rows, "<f4").reshape(-1, 5).tobytes()


def placing_runs(batch: Batch) -> Any:
    """The runs that have a map, the newest first."""
    done = batch.runs.filter(status=ClusterRun.Status.COMPLETED, mode__in=PLACING_MODES)
    return done.defer("centroids", "projection", "grid", "groups").order_by("-number")


def _run(batch: Batch, number: int | None) -> ClusterRun | None:
    runs = batch.runs.defer("centroids", "grid", "groups")
    if number is not None:
        run: ClusterRun | None = runs.filter(number=number).first()
        if run is None:
            raise ApiError(ErrorCode.NOT_FOUND, f"This batch has no run {number}.")
        if run.status != ClusterRun.Status.COMPLETED or run.mode not in PLACING_MODES:
            raise ApiError(ErrorCode.CONFLICT, f"Run {number} ({run.mode}, {run.status}) has no map.")
        return run
    if batch.active_run_id:
        return runs.filter(pk=batch.active_run_id).first()
    done = runs.filter(status=ClusterRun.Status.COMPLETED, mode__in=PLACING_MODES)
    return done.order_by("-number").first()


def colour_of(label: str) -> str:
    """A colour that a label always has, far from those of the neighbouring numbers, such as #b3427a."""
    number = int(label) if label.isascii() and label.isdigit() else zlib.crc32(label.encode())
    hue, lightness = number * GOLDEN_ANGLE % 1, _LIGHTNESS[number % len(_LIGHTNESS)]
    channels = colorsys.hls_to_rgb(hue, lightness, 0.62)
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


_Place = tuple[
    float, float, int | None, float | None, float | None
]  # x, y, label, outlier score, probability


def _projected(run: ClusterRun, missing: set[UUID]) -> dict[UUID, _Place]:
    """Places of images that came after the run, by its mean and components."""
    stored = np.frombuffer(bytes(run.projection), "<f4")
    if not missing or not stored.size:
        return {}
    mean, *components = stored.reshape(3, -1)
    vectors = Embedding.objects.filter(
        image__in=missing, model=run.model, weights_sha256=run.weights_sha256, dim=len(mean)
    )
    rows = list(vectors)
    if not rows:
        return {}
    places = (np.stack([numbers_of(row) for row in rows]) - mean) @ np.stack(components).T
    return {
        row.image_id: (float(x), float(y), None, None, None) for row, (x, y) in zip(rows, places, strict=True)
    }


def _point(row: tuple[Any, ...], place: _Place, labels: Mapping[UUID, str]) -> Point:
    image, title, filename, group, quality, outlier, probability, decision = row
    x, y, label, run_outlier, run_probability = place
    return Point(
        image=str(image),
        name=title or filename,
        x=x,
        y=y,
        group_label=labels.get(group),
        run_label=label,
        quality=quality,
        outlier_score=outlier if run_outlier is None else run_outlier,
        probability=probability if run_probability is None else run_probability,
        decision=decision,
    )

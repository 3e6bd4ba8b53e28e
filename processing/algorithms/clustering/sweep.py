"""What several parameters would give: a grid of least group sizes and neighbours, tried on the same vectors.

The distances are measured once and a tree is made for each number of neighbours; a group size only cuts the tree anew.
Memory is that of one clustering (4 n² bytes for the distances) and 4 n bytes for the labels of each cell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from processing.algorithms.clustering.cluster import DENSE_LIMIT, refuse_too_many
from processing.algorithms.clustering.linkage import Linkages, cut, scaled
from processing.algorithms.clustering.piles import Piles, find_piles
from processing.algorithms.clustering.points import ClusterParameters, Metric, Selection, as_points
from processing.algorithms.clustering.tree import Progress
from processing.algorithms.clustering.validity import validity
from processing.algorithms.errors import InvalidParameter

MOST_CELLS = 64
SIZES_TOLD = 10
_FIRST = 0.2  # share of the work until the distances are there


@dataclass(frozen=True, eq=False)
class Trial:
    """What one cell of the grid gives.

    Attributes:
        min_cluster_size, min_samples: of the cell, as asked; min_samples None is min_cluster_size.
        groups: how many.
        noise_share: share of the vectors in no group, 0 to 1; 0 where there are no vectors.
        validity: DBCV, −1 to 1, as in `cluster`; None for fewer than two groups.
        stability: mean persistence of the groups, 0 to 1; None where there are none.
        largest_share: share of all vectors that the largest group holds, 0 to 1.
        sizes: of the largest ten groups, in falling order.
        labels: int32 (n,), those of `cluster` with the same parameters; −1 for noise.
    """

    min_cluster_size: int
    min_samples: int | None
    groups: int
    noise_share: float
    validity: float | None
    stability: float | None
    largest_share: float
    sizes: tuple[int, ...]
    labels: np.ndarray = field(repr=False)


def sweep(
    vectors: np.ndarray,
    min_cluster_sizes: Sequence[int],
    min_samples: Sequence[int | None],
    *,
    metric: Metric = "euclidean",
    cluster_selection_method: Selection = "eom",
    epsilon: float = 0.0,
    seed: int = 0,
    dense_limit: int = DENSE_LIMIT,
    progress: Progress | None = None,
) -> list[Trial]:
    """Try every pair of a group size and a number of neighbours.

    Args:
        vectors: as in `cluster`; n may be 0.
        min_cluster_sizes: each at least 2.
        min_samples: each at least 1, or None for as many as the group size.
        seed: draws the sample for the validity.
        dense_limit: as in `cluster`.
        progress: called with numbers from 0 to 1, at last with 1.

    Returns:
        One trial for each pair, by group size, then neighbours, in the order given; what is given twice counts once.

    Raises:
        InvalidParameter: as `cluster`, an empty grid, or one of more than 64 cells.
    """
    parameters = ClusterParameters(
        metric=metric,
        cluster_selection_method=cluster_selection_method,
        cluster_selection_epsilon=epsilon,
    )
    cells = _cells(parameters, min_cluster_sizes, min_samples)
    points = as_points(vectors, metric)
    refuse_too_many(len(points))
    linkages = Linkages(points, parameters, dense_limit=dense_limit)
    piles = find_piles(points)
    judge = _Judge(points, seed)
    trials: dict[ClusterParameters, Trial] = {}
    for done, (cell, labels, persistence) in enumerate(
        _labelled(linkages, piles, cells, len(points), progress), 1
    ):
        trials[cell] = judge.trial(cell, labels, persistence)
        if progress:
            progress(_FIRST + (1 - _FIRST) * done / len(cells))
    return [trials[cell] for cell in cells]


def _cells(
    parameters: ClusterParameters, sizes: Sequence[int], samples: Sequence[int | None]
) -> list[ClusterParameters]:
    for name, values in (("min_cluster_sizes", sizes), ("min_samples", samples)):
        if not len(values):
            raise InvalidParameter(f"{name}: Enter at least one value.", field=name)
    pairs = [(size, neighbours) for size in sizes for neighbours in samples]
    cells = list(
        dict.fromkeys(
            replace(parameters, min_cluster_size=size, min_samples=neighbours) for size, neighbours in pairs
        )
    )
    if len(cells) > MOST_CELLS:
        detail = f"{len(cells)} combinations of parameters are too many at once; the limit is {MOST_CELLS}."
        raise InvalidParameter(detail, field="min_cluster_sizes")
    return cells


def _labelled(
    linkages: Linkages, piles: Piles, cells: list[ClusterParameters], count: int, progress: Progress | None
) -> Iterator[tuple[ClusterParameters, np.ndarray, np.ndarray]]:
    """Labels and persistence of each cell; cells of the same tree one after the other."""
    for cell in [cell for cell in cells if count < cell.min_cluster_size]:
        yield cell, np.full(count, -1, np.intp), np.zeros(0)
    large = [cell for cell in cells if count >= cell.min_cluster_size]
    if large and linkages.tree == "matrix":
        linkages.measure(scaled(progress, first=0, last=_FIRST))
    for neighbours in sorted({cell.neighbours(count) for cell in large}):
        linkage = linkages.of(neighbours)
        for cell in large:
            if cell.neighbours(count) == neighbours:
                _, labels, _, persistence = cut(linkage, cell)
                grouped = piles.group(labels, least=cell.min_cluster_size)
                yield cell, grouped, np.append(persistence, np.ones(grouped.max() - labels.max()))


class _Judge:
    """Measures labels; neighbouring cells often have the same, whose validity is computed once."""

    def __init__(self, points: np.ndarray, seed: int) -> None:
        self._points, self._seed = points, seed
        self._validity: dict[bytes, float | None] = {}

    def trial(self, cell: ClusterParameters, labels: np.ndarray, persistence: np.ndarray) -> Trial:
        sizes = np.sort(np.bincount(labels[labels >= 0]))[::-1]
        count = max(1, len(labels))
        return Trial(
            cell.min_cluster_size,
            cell.min_samples,
            len(sizes),
            float(np.count_nonzero(labels < 0) / count),
            self._index(labels),
            float(persistence.mean()) if len(persistence) else None,
            float(sizes[0] / count) if len(sizes) else 0.0,
            tuple(sizes[:SIZES_TOLD].tolist()),
            labels.astype(np.int32),
        )

    def _index(self, labels: np.ndarray) -> float | None:
        key = labels.tobytes()
        if key not in self._validity:
            self._validity[key] = validity(self._points, labels, seed=self._seed)
        return self._validity[key]

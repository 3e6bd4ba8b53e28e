"""Which groups of a new run are the earlier ones again: names go along, and people see what a run would change."""

from dataclasses import dataclass

import numpy as np

from processing.algorithms.errors import InvalidParameter

NONE = -1  # in no group
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class GroupChange:
    """What becomes of one new group.

    Attributes:
        label: of the new group.
        size: its images.
        carries_on: label of the old group that it is; None for a new one.
        kept: images that were in that old group already; 0 for a new one.
        gained: from which other old group (−1: from none) how many images came.
        lost: to which other new group (−1: to none) how many images of the old group that it carries on went.
    """

    label: int
    size: int
    carries_on: int | None
    kept: int
    gained: dict[int, int]
    lost: dict[int, int]


@dataclass(frozen=True)
class Matching:
    """Old groups beside new ones.

    Attributes:
        groups: a change for each new group, in the order of the labels.
        dissolved: for each old group that no new one carries on, to which new group (−1: to none) how many of its
            images went.
        moved: images that change from one group into another one that does not carry on their own.
    """

    groups: tuple[GroupChange, ...]
    dissolved: dict[int, dict[int, int]]
    moved: int

    @property
    def carried(self) -> dict[int, int]:
        """Label of the old group for each new one that carries one on."""
        return {group.label: group.carries_on for group in self.groups if group.carries_on is not None}


def match_groups(old: np.ndarray, new: np.ndarray) -> Matching:
    """Find the new group that carries on each old one.

    A pair can only be when at least half of the smaller of the two groups is in both: a group that broke apart keeps
    its name on a part, one that was swallowed by images without a group keeps it on the larger group, and one that
    merely touched another does not. Of all such one-to-one pairings the one with most images in common is taken
    (the assignment problem); where several have equally many, the one whose pairs are more alike (intersection
    over union). So when groups merge, the largest names the whole.

    Args:
        old, new: integers (n,), labels of the same images; −1 for no group. Labels need not be consecutive.

    Raises:
        InvalidParameter: arrays of different lengths, or other than whole numbers of at least −1.
    """
    before, after = _checked("old", old), _checked("new", new)
    if len(before) != len(after):
        detail = f"new: has {len(after)} labels, old has {len(before)}; both are of the same images."
        raise InvalidParameter(detail, field="new")
    coming, going = _counts(after, before), _counts(before, after)
    carried = _carried(coming, going)
    groups = tuple(_change(label, carried.get(label), coming, going) for label in coming if label != NONE)
    gone = going.keys() - {NONE} - set(carried.values())
    moved = sum(count for group in groups for label, count in group.gained.items() if label != NONE)
    return Matching(groups, {label: going[label] for label in sorted(gone)}, moved)


Counts = dict[int, dict[int, int]]


def _counts(one: np.ndarray, other: np.ndarray) -> Counts:
    """For each label of one how many images have which label of the other; both in rising order."""
    pairs, images = np.unique(np.column_stack([one, other]), axis=0, return_counts=True)
    counts: Counts = {}
    for (label, its), count in zip(pairs.tolist(), images.tolist(), strict=True):
        counts.setdefault(label, {})[its] = count
    return counts


def _change(new: int, old: int | None, coming: Counts, going: Counts) -> GroupChange:
    gained = {label: count for label, count in coming[new].items() if label != old}
    lost = {} if old is None else {label: count for label, count in going[old].items() if label != new}
    size = sum(coming[new].values())
    return GroupChange(new, size, old, size - sum(gained.values()), gained, lost)


def _carried(coming: Counts, going: Counts) -> dict[int, int]:
    """Old group for each new one that carries one on; groups that have nothing to do with each other are apart, so
    that thousands of them need no large table."""
    from scipy.sparse import coo_array  # slow imports
    from scipy.sparse.csgraph import connected_components

    may = [
        (old, new, count, alike)
        for new, sources in coming.items()
        for old, count in sources.items()
        if NONE not in (old, new) and (alike := _likeness(count, going[old], coming[new]))
    ]
    if not may:
        return {}
    olds, rows = np.unique([pair[0] for pair in may], return_inverse=True)
    news, columns = np.unique([pair[1] for pair in may], return_inverse=True)
    nodes = len(olds) + len(news)
    graph = coo_array((np.ones(len(may)), (rows, columns + len(olds))), (nodes, nodes))
    _, part = connected_components(graph, directed=False)
    together: dict[int, list[tuple[int, int, int, float]]] = {}
    for place, pair in zip(part[rows].tolist(), may, strict=True):
        together.setdefault(place, []).append(pair)
    return {new: old for pairs in together.values() for new, old in _assigned(pairs).items()}


def _likeness(common: int, old: dict[int, int], new: dict[int, int]) -> float:
    """Intersection over union, 0 to 1; 0 where the groups have too little in common."""
    sizes = sum(old.values()), sum(new.values())
    return common / (sum(sizes) - common) if common >= LEAST_SHARE * min(sizes) else 0.0


def _assigned(pairs: list[tuple[int, int, int, float]]) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment  # slow import

    olds, rows = np.unique([old for old, _, _, _ in pairs], return_inverse=True)
    news, columns = np.unique([new for _, new, _, _ in pairs], return_inverse=True)
    worth = np.zeros((len(olds), len(news)))
    # all likenesses together weigh less than one image, so that they only decide between equal sums
    worth[rows, columns] = [count + alike / (1 + min(worth.shape)) for _, _, count, alike in pairs]
    chosen = zip(*linear_sum_assignment(worth, maximize=True), strict=True)
    return {int(news[column]): int(olds[row]) for row, column in chosen if worth[row, column] > 0}


def _checked(name: str, labels: np.ndarray) -> np.ndarray:
    given = np.asarray(labels)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        detail = f"{name}: must be a list of whole numbers, not {given.dtype} of the shape {given.shape}."
        raise InvalidParameter(detail, field=name)
    if given.size and int(given.min()) < NONE:
        detail = f"{name}: labels are at least -1 (in no group), not {int(given.min())}."
        raise InvalidParameter(detail, field=name)
    return given.astype(np.int64)

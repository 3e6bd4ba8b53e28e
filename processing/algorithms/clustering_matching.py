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
    table = _Table(before, after)
    pairs = _pairs(table.groups_only())
    carried = {table.new[column]: table.old[row] for row, column in pairs}
    groups = tuple(table.change(label, carried.get(label)) for label in table.new if label != NONE)
    gone = [label for label in table.old if label != NONE and label not in set(carried.values())]
    moved = sum(count for group in groups for label, count in group.gained.items() if label != NONE)
    return Matching(groups, {label: table.going(label) for label in gone}, moved)


class _Table:
    """Counts of images by old and new label; the first row and column are those in no group."""

    def __init__(self, before: np.ndarray, after: np.ndarray) -> None:
        old, rows = np.unique(np.append(before, NONE), return_inverse=True)
        new, columns = np.unique(np.append(after, NONE), return_inverse=True)
        places = rows[:-1] * len(new) + columns[:-1]
        self.counts = np.bincount(places, minlength=len(old) * len(new)).reshape(len(old), len(new))
        self.old: list[int] = old.tolist()
        self.new: list[int] = new.tolist()

    def groups_only(self) -> "_Overlaps":
        inside = self.counts[1:, 1:]
        return _Overlaps(inside, self.counts[1:].sum(axis=1), self.counts[:, 1:].sum(axis=0))

    def going(self, old: int, *, but: int | None = None) -> dict[int, int]:
        row = self.counts[self.old.index(old)]
        return _named(self.new, row, but)

    def change(self, new: int, old: int | None) -> GroupChange:
        column = self.counts[:, self.new.index(new)]
        gained = _named(self.old, column, old)
        size = int(column.sum())
        lost = {} if old is None else self.going(old, but=new)
        return GroupChange(new, size, old, size - sum(gained.values()), gained, lost)


@dataclass(frozen=True)
class _Overlaps:
    """Images in both, intp (old groups, new groups), and the sizes of the groups."""

    common: np.ndarray
    old_sizes: np.ndarray
    new_sizes: np.ndarray


def _pairs(overlaps: _Overlaps) -> list[tuple[int, int]]:
    """Rows and columns, counted with the row and column of those in no group."""
    from scipy.optimize import linear_sum_assignment  # slow import

    common, old_sizes, new_sizes = overlaps.common, overlaps.old_sizes[:, None], overlaps.new_sizes[None]
    may = (common > 0) & (common >= LEAST_SHARE * np.minimum(old_sizes, new_sizes))
    alike = common / np.maximum(1, old_sizes + new_sizes - common)
    # all likenesses together weigh less than one image, so that they only decide between equal sums
    worth = np.where(may, common + alike / (1 + min(common.shape)), 0)
    rows, columns = linear_sum_assignment(worth, maximize=True)
    return [(row + 1, column + 1) for row, column in zip(rows, columns, strict=True) if may[row, column]]


def _named(labels: list[int], counts: np.ndarray, but: int | None) -> dict[int, int]:
    return {labels[place]: int(counts[place]) for place in np.flatnonzero(counts) if labels[place] != but}


def _checked(name: str, labels: np.ndarray) -> np.ndarray:
    given = np.asarray(labels)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        detail = f"{name}: must be a list of whole numbers, not {given.dtype} of the shape {given.shape}."
        raise InvalidParameter(detail, field=name)
    if given.size and int(given.min()) < NONE:
        detail = f"{name}: labels are at least -1 (in no group), not {int(given.min())}."
        raise InvalidParameter(detail, field=name)
    return given.astype(np.int64)

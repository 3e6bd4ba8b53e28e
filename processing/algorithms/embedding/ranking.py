"""Where a ranked list stops being an answer."""

from collections.abc import Sequence

import numpy as np

MIN_GAP = 0.02
TIMES_THE_USUAL_GAP = 4


def cut_at_gap(scores: Sequence[float]) -> int:
    """How many of the best stand apart from the rest.

    A network gives every image some likeness to every sentence, so that there is no fixed score from which on it
    fits. What fits usually lies clearly above what does not: the list is cut at its widest gap, if that is
    `TIMES_THE_USUAL_GAP` as wide as the median one and at least `MIN_GAP`. Without such a gap all are kept.

    Args:
        scores: cosines, the highest first, also of some that are farther than what would be shown.

    Returns:
        How many to keep, from 1; 0 for no scores.
    """
    if len(scores) < 3:
        return len(scores)
    gaps = -np.diff(np.asarray(scores, np.float64))
    widest = int(gaps.argmax())
    is_clear = gaps[widest] >= max(MIN_GAP, TIMES_THE_USUAL_GAP * float(np.median(gaps)))
    return widest + 1 if is_clear else len(scores)

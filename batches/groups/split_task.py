"""What the model worker's subprocess runs to split a group. No Django here: a subprocess must start fast."""

from dataclasses import dataclass

import numpy as np

from processing.algorithms.clustering.split import split_group


@dataclass(frozen=True)
class Parts:
    """A group's members, the part of each (the largest is 0), and a sentence for people."""

    members: tuple[str, ...]
    labels: tuple[int, ...]
    note: str


def split(members: tuple[str, ...], vectors: bytes) -> Parts:
    """Split a group's members.

    Args:
        members: ids of n images.
        vectors: float32 (n, dim), of length 1.

    Raises:
        InvalidParameter: unusable vectors, or too many.
    """
    parts = split_group(np.frombuffer(vectors, np.float32).reshape(len(members), -1))
    return Parts(members, tuple(int(label) for label in parts.labels), parts.note)

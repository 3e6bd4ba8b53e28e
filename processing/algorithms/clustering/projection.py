"""Principal components: vectors on a map of two dimensions, or on few dimensions for speed."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Projection:
    """Where vectors lie on a plane, and how to put others onto it.

    Attributes:
        mean: float32 (d,).
        components: float32 (k, d), orthonormal; rows of zeros where the vectors span fewer dimensions.
        explained: float64 (k,), share of the variance along each, 0–1.
        coordinates: float32 (n, k), of the vectors it was made from.
    """

    mean: np.ndarray
    components: np.ndarray
    explained: np.ndarray
    coordinates: np.ndarray

    def place(self, points: np.ndarray) -> np.ndarray:
        """float32 (m, k) of points (m, d) in the form that `as_points` gives them."""
        placed: np.ndarray = ((points - self.mean) @ self.components.T).astype(np.float32)
        return placed


def project(points: np.ndarray, dimensions: int = 2) -> Projection:
    """Principal components by the eigenvectors of the covariance matrix.

    Args:
        points: float64 (n, d); n may be 0.
        dimensions: how many to keep.

    The sign of a component is chosen so that its largest number is positive: otherwise maps would flip by chance.
    """
    from scipy.linalg import eigh  # slow import

    count, width = points.shape
    mean = points.mean(axis=0) if count else np.zeros(width)
    centred = points - mean
    covariance = centred.T @ centred / max(1, count)
    last = (max(0, width - dimensions), width - 1)
    variances, vectors = eigh(covariance, subset_by_index=last)  # all of them take several times as long
    kept = np.flatnonzero(variances > np.finfo(np.float64).eps * width * max(variances[-1], 0))[::-1]
    components, explained = np.zeros((dimensions, width)), np.zeros(dimensions)
    components[: len(kept)] = vectors[:, kept].T
    explained[: len(kept)] = variances[kept] / np.trace(covariance)
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    components *= np.where(largest < 0, -1, 1)
    coordinates = centred @ components.T
    return Projection(
        mean.astype(np.float32), components.astype(np.float32), explained, coordinates.astype(np.float32)
    )

"""The slowest parts of pyiqa's NIQE and IL-NIQE done faster, to the same numbers.

On one photograph IL-NIQE took 31 s of processor time and 1.6 GB: PyTorch has no fast convolution of float64, searched
a table of 9801 values by subtracting all of it from each of 2808 blocks' values, and inverted a symmetric matrix as a
general one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np


@contextmanager
def faster_statistics() -> Iterator[None]:
    """Within it, pyiqa's module of NIQE and IL-NIQE uses the functions of this one."""
    import torch
    from pyiqa.archs import brisque_arch, niqe_arch

    changes: tuple[tuple[Any, str, Any], ...] = (
        (niqe_arch, "conv2d", convolve),
        (niqe_arch, "blockproc", _by_rows(niqe_arch.blockproc)),
        (niqe_arch, "estimate_aggd_param", asymmetric_gaussian),
        (brisque_arch, "estimate_aggd_param", asymmetric_gaussian),
        (torch.linalg, "pinv", _symmetric_inverse(torch.linalg.pinv)),
    )
    before = [getattr(place, name) for place, name, _ in changes]
    for place, name, function in changes:
        setattr(place, name, function)
    try:
        yield
    finally:
        for (place, name, _), function in zip(changes, before, strict=True):
            setattr(place, name, function)


def convolve(values: Any, weight: Any, groups: int = 1) -> Any:
    """`conv2d` of pyiqa's matlab_utils for what IL-NIQE asks of it: each plane by one separable kernel, zeros outside.

    Args:
        values: float64 tensor (N, C, H, W).
        weight: float64 tensor (C, 1, K, K) of equal kernels, K odd.
    """
    import torch

    kernel = weight[0, 0].numpy()[::-1, ::-1]  # turned round, because OpenCV correlates
    left, strengths, right = np.linalg.svd(kernel)
    if strengths[1] > 1e-9 * strengths[0] or groups not in (1, values.shape[1]):
        raise ValueError("This convolution is for separable kernels, plane by plane.")
    down, across = left[:, 0] * strengths[0], right[0]
    correlated = np.empty(values.shape, np.float64)
    for index in np.ndindex(values.shape[:2]):
        plane = np.ascontiguousarray(values[index].numpy(), np.float64)
        correlated[index] = cv2.sepFilter2D(plane, cv2.CV_64F, across, down, borderType=cv2.BORDER_CONSTANT)
    return torch.from_numpy(correlated)


def asymmetric_gaussian(block: Any, return_sigma: bool = False) -> tuple[Any, Any, Any]:
    """`estimate_aggd_param` of pyiqa: alpha and the two widths of the generalised Gaussian of each block.

    Args:
        block: tensor (N, 1, H, W).
        return_sigma: give the deviations of the two sides instead of their beta.
    """
    import torch

    values = block.flatten(1)
    squares = values * values
    sides = [values < 0, values > 0]
    left, right = (
        torch.sqrt((squares * side).sum(1) / side.sum(1, dtype=torch.float32)).to(values) for side in sides
    )
    ratio = left / right
    spread = values.abs().mean(1).pow(2) / squares.mean(1)
    target = spread * (ratio.pow(3) + 1) * (ratio + 1) / (ratio.pow(2) + 1).pow(2)
    gamma = torch.arange(0.2, 10 + 0.001, 0.001).to(values)
    table = (2 * torch.lgamma(2 / gamma) - torch.lgamma(1 / gamma) - torch.lgamma(3 / gamma)).exp()
    alpha = gamma[_nearest(table, target)]
    if return_sigma:
        return alpha, left, right
    scale = (torch.lgamma(1 / alpha) - torch.lgamma(3 / alpha)).exp().sqrt()
    return alpha, left * scale, right * scale


def _nearest(table: Any, target: Any) -> Any:
    """The place of the nearest value in a rising table; the first for what is no number, as argmin does it."""
    import torch

    above = torch.searchsorted(table, torch.nan_to_num(target)).clamp(1, len(table) - 1)
    is_lower = (target - table[above - 1]) <= (table[above] - target)
    place = torch.where(is_lower, above - 1, above)
    return torch.where(torch.isnan(target), torch.zeros_like(place), place)


def _by_rows(blockproc: Any) -> Any:
    """One row of blocks after the other: all of them at once are copied several times as 109 planes of float64."""
    import torch

    def process(values: Any, kernel: Any, fun: Any, **options: Any) -> Any:
        height = int(kernel[0])
        rows = range(0, values.shape[2] - height + 1, height)
        return torch.cat(
            [blockproc(values[:, :, top : top + height], kernel, fun, **options) for top in rows], 1
        )

    return process


def _symmetric_inverse(pinv: Any) -> Any:
    def inverse(matrix: Any) -> Any:
        is_symmetric = (matrix - matrix.mT).abs().max() <= 1e-9 * matrix.abs().max()
        return pinv(matrix, hermitian=bool(is_symmetric))

    return inverse

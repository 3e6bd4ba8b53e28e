"""A narrower network out of a wider one: the hidden channels that matter least are left out, the rest makes up for it.

Of each block those hidden channels stay whose output, times the weights that read it, varies most; the convolution
that reads them is then fitted anew, by least squares, to what the whole block gave. Source of fitting after leaving
channels out: He et al., "Channel Pruning for Accelerating Very Deep Neural Networks" (2017).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml_models.pix_small import Block, InvertedResiduals, PixSmall
from ml_models.training.teacher import MobileNetV2

_RIDGE = 1e-4  # of the mean variance: keeps the least squares stable where channels are nearly the same


def prune(teacher: MobileNetV2, batches: Iterable[Tensor]) -> PixSmall:
    """PixSmall with what it can keep of the teacher; its projection stays as it was initialised.

    Args:
        batches: images as the networks take them, on which the hidden channels are watched.
    """
    student = PixSmall()
    with torch.no_grad():
        for target, source in ((student.stem, teacher.stem), (student.head, teacher.head)):
            target.load_state_dict(source.state_dict())
        statistics = _watch(teacher, batches)
        for narrow, wide, (mean, covariance) in zip(
            _blocks(student), _blocks(teacher), statistics, strict=True
        ):
            _narrow(narrow, wide, mean, covariance)
    return student


def _watch(teacher: MobileNetV2, batches: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Mean and covariance of the hidden channels of each block."""
    count = 0
    sums: list[Tensor] = []
    products: list[Tensor] = []
    for pictures in batches:
        value = functional.relu6(teacher.stem(pictures))
        for index, block in enumerate(_blocks(teacher)):
            hidden = block.hidden(value)
            rows = hidden.permute(0, 2, 3, 1).reshape(-1, hidden.shape[1])[:: max(1, hidden.shape[2] // 14)]
            rows = rows[torch.linspace(0, len(rows) - 1, min(len(rows), 2000)).long()].double()
            if count == 0:
                sums.append(torch.zeros(rows.shape[1], dtype=torch.float64))
                products.append(torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64))
            sums[index] += rows.mean(0)
            products[index] += rows.T @ rows / len(rows)
            narrowed = block.narrow(hidden)
            value = value + narrowed if block.is_residual else narrowed
        count += 1
    means = [total / count for total in sums]
    return [
        (mean, product / count - torch.outer(mean, mean))
        for mean, product in zip(means, products, strict=True)
    ]


def _blocks(network: InvertedResiduals) -> list[Block]:
    return [block for block in network.blocks if isinstance(block, Block)]


def _narrow(narrow: Block, wide: Block, mean: Tensor, covariance: Tensor) -> None:
    kept_count = narrow.filter.out_channels
    reading = wide.narrow.weight.flatten(1).double()
    importance = covariance.diagonal() * reading.square().sum(0)
    kept = importance.topk(kept_count).indices.sort().values
    if narrow.widen is not None and wide.widen is not None:
        _keep(narrow.widen, wide.widen, kept)
    _keep(narrow.filter, wide.filter, kept)
    among = covariance[kept][:, kept]
    ridge = _RIDGE * among.diagonal().mean() * torch.eye(kept_count, dtype=torch.float64)
    fitted = torch.linalg.solve(among + ridge, covariance[kept] @ reading.T).T
    bias = _bias(wide.narrow).double() + reading @ mean - fitted @ mean[kept]
    narrow.narrow.weight.copy_(fitted[:, :, None, None])
    _bias(narrow.narrow).copy_(bias)


def _keep(target: nn.Conv2d, source: nn.Conv2d, kept: Tensor) -> None:
    target.weight.copy_(source.weight[kept])
    _bias(target).copy_(_bias(source)[kept])


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias

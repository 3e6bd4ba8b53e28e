"""PixSmall with fewer passes over memory, on a processor: the same numbers but for rounding.

A convolution of oneDNN cuts off below 0 and above 6, or adds the block's input, while it writes its result; PyTorch
lets these be passes of their own, and its padding at the right and the bottom is a copy of the widest images. One
core needed 7.8 ms an image instead of 12 for it.
"""

from typing import cast

import torch
from torch import Tensor, nn

from ml_models.pix_small import Block, PixSmall


def is_possible() -> bool:
    """Whether this PyTorch has the kernels, which it keeps for its own compiler."""
    kernels = torch.ops.mkldnn
    return torch.backends.mkldnn.is_available() and hasattr(kernels, "_convolution_pointwise")


class FusedPixSmall(nn.Module):
    """Takes and gives what `PixSmall` does, whose parameters it shares."""

    def __init__(self, network: PixSmall) -> None:
        super().__init__()
        self.stem = _Convolution(network.stem)
        self.blocks = nn.Sequential(*(_Block(cast(Block, block)) for block in network.blocks))
        self.head = _Convolution(network.head)
        self.project = network.project

    def forward(self, picture: Tensor) -> Tensor:
        features = self.head(self.blocks(self.stem(picture))).mean(dim=(2, 3))
        result: Tensor = self.project(features)
        return result


class _Block(nn.Module):
    def __init__(self, block: Block) -> None:
        super().__init__()
        self.widen = nn.Identity() if block.widen is None else _Convolution(block.widen)
        self.filter, self.narrow = _Convolution(block.filter), block.narrow
        self.is_residual = block.is_residual

    def forward(self, value: Tensor) -> Tensor:
        hidden = self.filter(self.widen(value))
        if not self.is_residual:
            result: Tensor = self.narrow(hidden)
            return result
        layer = self.narrow
        facts = layer.padding, layer.stride, layer.dilation, layer.groups
        summed: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(
            hidden, value, layer.weight, layer.bias, *facts, "add", 1.0, None, [], None
        )
        return summed


class _Convolution(nn.Module):
    """A convolution and ReLU6."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer
        if layer.stride == (2, 2):
            # The same with padding on all sides, which oneDNN does on its own: each window begins a pixel earlier,
            # and a row and a column of zeros before the weights leave that pixel out.
            self.layer = nn.Conv2d(layer.in_channels, layer.out_channels, 4, 2, 1, groups=layer.groups)
            self.layer.weight = nn.Parameter(nn.functional.pad(layer.weight.detach(), (1, 0, 1, 0)))
            self.layer.bias = layer.bias

    def forward(self, value: Tensor) -> Tensor:
        layer = self.layer
        facts = layer.padding, layer.stride, layer.dilation, layer.groups
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(
            value, layer.weight, layer.bias, *facts, "hardtanh", [0.0, 6.0], ""
        )
        return result

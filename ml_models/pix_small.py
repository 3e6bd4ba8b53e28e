"""PixSmall, an embedding network of Pix's own that needs no download.

Plain residual blocks of 3 × 3 convolutions: on a CPU they run several times nearer to the peak than the depthwise
convolutions of networks with fewer multiplications. Its five stages give maps of the same sizes and channels as its
teacher's, which lets each be taught by itself (see `training/embedder.py`).
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

INPUT_PX = 224
DIMENSIONS = 384
FEATURES = 1280
MEAN = (127.5, 127.5, 127.5)
SCALE = 127.5  # (pixel - 127.5) / 127.5: from 0–255 to -1–1
# Channels in, width, channels out, residual blocks, stride of each stage.
STAGES = (
    (3, 48, 24, 1, 4),
    (24, 64, 32, 2, 2),
    (32, 128, 64, 2, 2),
    (64, 128, 96, 2, 1),
    (96, 224, 320, 3, 2),
)


def _convolution(inputs: int, outputs: int, size: int, *, stride: int, is_training: bool) -> nn.Sequential:
    """A convolution; in training without bias, followed by the batch normalisation that `fold` merges into it."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=not is_training)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs)) if is_training else nn.Sequential(layer)


class _Residual(nn.Module):
    def __init__(self, width: int, *, is_training: bool) -> None:
        super().__init__()
        self.first = _convolution(width, width, 3, stride=1, is_training=is_training)
        self.second = _convolution(width, width, 3, stride=1, is_training=is_training)

    def forward(self, value: Tensor) -> Tensor:
        return functional.relu_(value + self.second(functional.relu_(self.first(value))))


class _Stage(nn.Module):
    def __init__(
        self, inputs: int, width: int, outputs: int, blocks: int, stride: int, *, is_training: bool
    ) -> None:
        super().__init__()
        widths = [inputs, 32, width] if stride == 4 else [inputs, width]
        strides = [2, 2] if stride == 4 else [stride]
        self.enter = nn.ModuleList(
            _convolution(before, after, 3, stride=step, is_training=is_training)
            for (before, after), step in zip(pairwise(widths), strides, strict=True)
        )
        self.blocks = nn.Sequential(*(_Residual(width, is_training=is_training) for _ in range(blocks)))
        self.leave = _convolution(width, outputs, 1, stride=1, is_training=is_training)

    def forward(self, value: Tensor) -> Tensor:
        for layer in self.enter:
            value = functional.relu_(layer(value))
        result: Tensor = self.leave(self.blocks(value))
        return result


class PixSmall(nn.Module):
    """Pictures as float tensors (N, 3, H, W), RGB, -1 to 1, to embeddings (N, 384), not normalised.

    Args:
        is_training: with the batch normalisation that training needs; `fold` gives the network without.
    """

    def __init__(self, *, is_training: bool = False) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_Stage(*sizes, is_training=is_training) for sizes in STAGES)
        self.head = _convolution(STAGES[-1][2], FEATURES, 1, stride=1, is_training=is_training)
        self.project = nn.Linear(FEATURES, DIMENSIONS)

    def features(self, last_map: Tensor) -> Tensor:
        """From the last stage's map to 1280 numbers, none negative."""
        return functional.relu_(self.head(last_map)).mean(dim=(2, 3))

    def forward(self, picture: Tensor) -> Tensor:
        for stage in self.stages:
            picture = stage(picture)
        result: Tensor = self.project(self.features(picture))
        return result


def fold(trained: PixSmall) -> PixSmall:
    """The same network with every batch normalisation merged into the convolution before it."""
    folded = PixSmall()
    pairs = zip(_convolutions(trained), _convolutions(folded), strict=True)
    for source, target in pairs:
        convolution, normalisation = source[0], source[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(normalisation, nn.BatchNorm2d)
        merged = torch.nn.utils.fusion.fuse_conv_bn_eval(convolution.eval(), normalisation.eval())
        target[0].load_state_dict(merged.state_dict())
    folded.project.load_state_dict(trained.project.state_dict())
    return folded.eval()


def _convolutions(network: PixSmall) -> Sequence[nn.Sequential]:
    return [
        module
        for module in network.modules()
        if isinstance(module, nn.Sequential) and isinstance(module[0], nn.Conv2d)
    ]

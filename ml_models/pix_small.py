"""PixSmall, the embedding network that comes with Pix and needs no download.

Inverted residuals with linear bottlenecks, narrower inside than MobileNetV2's (expansion 5 instead of 6), and a
projection to 384 numbers. Source of the blocks: Sandler et al., "MobileNetV2" (2018). How its weights are made:
`training/embedder.py`.
"""

from itertools import chain

from torch import Tensor, nn
from torch.nn import functional

INPUT_PX = 224
DIMENSIONS = 384
FEATURES = 1280
MEAN = (127.5, 127.5, 127.5)
SCALE = 127.5  # (pixel - 127.5) / 127.5: from 0–255 to -1–1
STEM = 32
Groups = tuple[tuple[int, int, int, int], ...]
EXPANSION = 5
# (expansion, channels, blocks, stride) of each group of blocks.
GROUPS: Groups = (
    (1, 16, 1, 1),
    (EXPANSION, 24, 2, 2),
    (EXPANSION, 32, 3, 2),
    (EXPANSION, 64, 4, 2),
    (EXPANSION, 96, 3, 1),
    (EXPANSION, 160, 3, 2),
    (EXPANSION, 320, 1, 1),
)


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does: at stride 2 at the right and the bottom only."""

    def forward(self, picture: Tensor) -> Tensor:
        if self.stride == (2, 2):
            picture = functional.pad(picture, (0, 1, 0, 1))
        return super().forward(picture)


def convolution(inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> SameConv:
    """A convolution with bias whose result has the side of its input divided by the stride."""
    padding = size // 2 if stride == 1 else 0
    return SameConv(inputs, outputs, size, stride, padding, groups=groups)


class Block(nn.Module):
    """Widen, filter each channel, narrow; the input is added where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.widen = None if expansion == 1 else convolution(inputs, hidden, 1)
        self.filter = convolution(hidden, hidden, 3, stride=stride, groups=hidden)
        self.narrow = convolution(hidden, outputs, 1)
        self.is_residual = stride == 1 and inputs == outputs

    def hidden(self, value: Tensor) -> Tensor:
        """What the last convolution of the block receives."""
        if self.widen is not None:
            value = functional.relu6(self.widen(value), inplace=True)
        return functional.relu6(self.filter(value), inplace=True)

    def forward(self, value: Tensor) -> Tensor:
        result: Tensor = self.narrow(self.hidden(value))
        return value + result if self.is_residual else result


def make_blocks(groups: Groups) -> list[Block]:
    """The blocks of a table of groups, one after the other."""
    inputs, blocks = STEM, list[Block]()
    for expansion, channels, count, stride in groups:
        for step in chain((stride,), (1,) * (count - 1)):
            blocks.append(Block(inputs, channels, expansion=expansion, stride=step))
            inputs = channels
    return blocks


class InvertedResiduals(nn.Module):
    """Images as float tensors (N, 3, H, W), RGB, -1 to 1, to features (N, 1280), none negative."""

    def __init__(self, groups: Groups) -> None:
        super().__init__()
        self.stem = convolution(3, STEM, 3, stride=2)
        self.blocks = nn.ModuleList(make_blocks(groups))
        self.head = convolution(groups[-1][1], FEATURES, 1)

    def features(self, picture: Tensor) -> Tensor:
        value = functional.relu6(self.stem(picture), inplace=True)
        for block in self.blocks:
            value = block(value)
        return functional.relu6(self.head(value), inplace=True).mean(dim=(2, 3))

    def forward(self, picture: Tensor) -> Tensor:
        return self.features(picture)


class PixSmall(InvertedResiduals):
    """Images as float tensors (N, 3, H, W), RGB, -1 to 1, to embeddings (N, 384), not normalised."""

    def __init__(self) -> None:
        super().__init__(GROUPS)
        self.project = nn.Linear(FEATURES, DIMENSIONS)

    def forward(self, picture: Tensor) -> Tensor:
        result: Tensor = self.project(self.features(picture))
        return result

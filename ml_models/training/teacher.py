"""MobileNetV2 as a teacher: the network whose embeddings a smaller one learns to give.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018). The weights are a file whose
keys are `conv00.weight` … `conv51.bias` (and the classifier's, which is not used), batch normalisation merged in.
TensorFlow's "SAME" padding: at stride 2 one row and column are added at the right and the bottom only.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml_models.layout import channels_last

# (expansion, channels, blocks, stride) of each group of blocks.
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
DIMENSIONS = 1280
# Channels of the maps that `MobileNetV2.stages` answers, at 1/4, 1/8, 1/16, 1/16 and 1/32 of the side.
STAGE_CHANNELS = (24, 32, 64, 96, 320)


class _SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does."""

    def forward(self, picture: Tensor) -> Tensor:
        if self.kernel_size == (1, 1):
            return super().forward(picture)
        padding = (0, 1, 0, 1) if self.stride == (2, 2) else (1, 1, 1, 1)
        result: Tensor = self._conv_forward(functional.pad(picture, padding), self.weight, self.bias)
        return result


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        layers: list[nn.Module] = (
            [] if expansion == 1 else [_SameConv(inputs, width, 1), nn.ReLU6(inplace=True)]
        )
        layers += [_SameConv(width, width, 3, stride=stride, groups=width), nn.ReLU6(inplace=True)]
        layers.append(_SameConv(width, outputs, 1))
        self.layers = nn.Sequential(*layers)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, picture: Tensor) -> Tensor:
        result: Tensor = self.layers(picture)
        return picture + result if self.is_residual else result


class MobileNetV2(nn.Module):
    """Pictures as float tensors (N, 3, H, W), RGB, -1 to 1, to embeddings (N, 1280), not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_SameConv(3, 32, 3, stride=2), nn.ReLU6(inplace=True))
        inputs = 32
        groups = []
        for expansion, channels, count, stride in GROUPS:
            blocks = []
            for index in range(count):
                first = stride if index == 0 else 1
                blocks.append(_Block(inputs, channels, expansion=expansion, stride=first))
                inputs = channels
            groups.append(nn.Sequential(*blocks))
        self.groups = nn.ModuleList(groups)
        self.head = nn.Sequential(_SameConv(inputs, DIMENSIONS, 1), nn.ReLU6(inplace=True))

    def stages(self, picture: Tensor) -> list[Tensor]:
        """The maps after the groups with 24, 32, 64, 96 and 320 channels."""
        maps = []
        value = self.stem(picture)
        for index, group in enumerate(self.groups):
            value = group(value)
            if index in (1, 2, 3, 4, 6):
                maps.append(value)
        return maps

    def embed(self, last_map: Tensor) -> Tensor:
        """From the map with 320 channels to the embedding."""
        result: Tensor = self.head(last_map).mean(dim=(2, 3))
        return result

    def forward(self, picture: Tensor) -> Tensor:
        return self.embed(self.stages(picture)[-1])


def load_teacher(path: Path) -> MobileNetV2:
    """The teacher with the weights of a file, ready for inference.

    Raises:
        ValueError: the file has other tensors.
    """
    tensors = torch.load(path, weights_only=True, map_location="cpu")
    network = MobileNetV2()
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    last = f"conv{len(convolutions) - 1:02d}.weight"
    if last not in tensors:
        raise ValueError(f"{path.name} has no {last}: it is not the teacher's file.")
    with torch.no_grad():
        for index, layer in enumerate(convolutions):
            assert layer.bias is not None
            layer.weight.copy_(tensors[f"conv{index:02d}.weight"].float())
            layer.bias.copy_(tensors[f"conv{index:02d}.bias"].float())
    return channels_last(network.eval().requires_grad_(False))

"""MobileNetV2 as a teacher: the network whose embeddings a smaller one learns to give.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (2018). The weights are a file whose
keys are `conv00.weight` … `conv51.bias` (and the classifier's, which is not used), batch normalisation merged in.
"""

from pathlib import Path

import torch
from torch import nn

from ml_models.layout import channels_last
from ml_models.pix_small import InvertedResiduals

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


class MobileNetV2(InvertedResiduals):
    """Images as float tensors (N, 3, H, W), RGB, -1 to 1, to embeddings (N, 1280), not normalised."""

    def __init__(self) -> None:
        super().__init__(GROUPS)


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

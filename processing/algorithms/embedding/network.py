"""Run an embedding network as fast as this machine can without changing its numbers noticeably."""

from collections.abc import Callable, Collection

import numpy as np
import torch
from torch import Tensor, nn

from ml_models import pix_small_fused
from ml_models.layout import channels_last
from ml_models.pix_small import PixSmall
from processing.algorithms.torch_engine import engines, memory_errors

Run = Callable[[np.ndarray], np.ndarray]


def plain(network: nn.Module) -> Run:
    """The network as it is, in float32 on the CPU: what the fast path is compared with."""
    network = network.float().eval()

    def run(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            result: Tensor = network(torch.from_numpy(values))
            return result.numpy()

    return run


def fastest(network: nn.Module, precisions: Collection[str]) -> tuple[Run, str]:
    """The network prepared for this machine, and where and in which precision it computes.

    Batch normalisation is merged into the convolutions before it, convolutions run channels-last, and PixSmall with
    fewer passes over memory (see `ml_models.pix_small_fused`). In bfloat16
    only where `torch_engine.engines` finds it faster: on a processor without matrix units (AMX) float32 was 1.2, 1.4
    and 1.1 times as fast for ResNet-50, ViT-S/14 and ViT-B/32, although it has instructions for bfloat16.
    """
    engine = next(candidate for candidate in engines() if candidate.precision in precisions)
    network = merged(network.float().eval())
    if engine.device == "cpu" and isinstance(network, PixSmall) and pix_small_fused.is_possible():
        network = pix_small_fused.FusedPixSmall(network)
    network = channels_last(network.to(device=engine.device, dtype=engine.dtype))

    def run(values: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), memory_errors():
            batch = torch.from_numpy(values).to(device=engine.device, dtype=engine.dtype)
            result: Tensor = network(batch.contiguous(memory_format=torch.channels_last))
            return result.float().cpu().numpy()

    return run, f"{engine.precision} on {engine.device}"


def merged(network: nn.Module) -> nn.Module:
    """The network with each batch normalisation merged into the convolution that stands before it.

    It changes `network` in place. As in torchvision's networks, a convolution and its normalisation are neighbours
    among the children of one module, in the order in which they run.
    """
    for module in list(network.modules()):
        children = list(module.named_children())
        for (name, layer), (next_name, follower) in zip(children, children[1:], strict=False):
            if isinstance(layer, nn.Conv2d) and isinstance(follower, nn.BatchNorm2d):
                setattr(module, name, nn.utils.fusion.fuse_conv_bn_eval(layer, follower))
                setattr(module, next_name, nn.Identity())
    return network

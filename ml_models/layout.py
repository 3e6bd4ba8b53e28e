"""How a network's tensors lie in memory."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """Let the network's convolutions run with their channels innermost, which is faster on CPUs and cards."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network

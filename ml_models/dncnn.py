"""DnCNN, a convolutional network that removes Gaussian noise of unknown strength.

Source: Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image Denoising" (2017), in the
form whose batch normalisation is merged into the convolutions: keys `model.{2i}.weight` and `model.{2i}.bias`.
"""

import torch
from torch import Tensor, nn

DEPTH = 20
FEATURES = 64
RECEPTIVE_RADIUS_PX = DEPTH  # each 3 × 3 convolution sees one pixel further


class DnCNN(nn.Module):
    """20 convolutions of 3 × 3 with ReLU between them; they estimate the noise, which is then subtracted.

    Input and output: float tensors (N, channels, H, W), 0–1, RGB where channels is 3.
    """

    def __init__(self, channels: int = 3, *, features: int = FEATURES, depth: int = DEPTH) -> None:
        super().__init__()
        widths = [channels, *[features] * (depth - 1), channels]
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*layers[:-1])
        self.channels = channels

    def forward(self, picture: Tensor) -> Tensor:
        """The image without its noise; values may leave 0–1 slightly."""
        noise: Tensor = self.model(picture)
        return picture - noise


def initialise(network: DnCNN, *, seed: int, scale: float = 0.4) -> None:
    """Start near the identity, so that twenty layers train without batch normalisation.

    The layers between the first and the last pass their input on and add a little of He's random weights, as a
    residual block would; the last one is so small that the first estimate of the noise is close to none.
    Source: He et al. (2015) for the random part; Zagoruyko and Komodakis, "DiracNets" (2017) for the identity.
    """
    generator = torch.Generator().manual_seed(seed)
    convolutions = [layer for layer in network.model if isinstance(layer, nn.Conv2d)]
    for index, layer in enumerate(convolutions):
        deviation = (2 / (layer.in_channels * 9)) ** 0.5
        is_between = 0 < index < len(convolutions) - 1
        factor = scale if is_between else (1.0 if index == 0 else 0.1)
        with torch.no_grad():
            layer.weight.normal_(0, deviation * factor, generator=generator)
            assert layer.bias is not None
            layer.bias.zero_()
            if is_between:
                diagonal = torch.arange(layer.out_channels)
                layer.weight[diagonal, diagonal, 1, 1] += 1


def grey_from_colour(colour: DnCNN) -> DnCNN:
    """A network for one channel that begins with what a network for three has learned."""
    grey = DnCNN(1)
    state = colour.state_dict()
    last = f"model.{2 * (DEPTH - 1)}"
    state["model.0.weight"] = state["model.0.weight"].sum(1, keepdim=True)
    for key in (f"{last}.weight", f"{last}.bias"):
        state[key] = state[key].mean(0, keepdim=True)
    grey.load_state_dict(state)
    return grey

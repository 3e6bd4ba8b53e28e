"""DnCNN as it runs here: loaded from a checked file, on the fastest engine that it bears. Torch is imported inside."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ml_models import weights
from processing.algorithms.context import ignore_progress
from processing.algorithms.errors import ProcessingError
from processing.algorithms.torch_engine import Engine, engines, ready

if TYPE_CHECKING:
    from torch import Tensor

    from ml_models.dncnn import DnCNN
    from ml_models.winograd import Layer

# 0.02 dB at 33.9 dB, which DnCNN reaches for noise of 15. float16 stays below it (0.12); bfloat16 does not with the
# published weights (1.0: 0.03 to 0.2 dB less on most photographs, 2 dB on very smooth ones).
MAX_ROUNDING = 0.35


@dataclass(frozen=True)
class NoiseFinder:
    """A network on an engine.

    Attributes:
        network: laid out for the engine (`torch_engine.ready`).
    """

    network: "DnCNN"
    engine: Engine = Engine()

    @property
    def channels(self) -> int:
        return int(self.network.channels)

    def noise_in(self, picture: "Tensor", progress: Callable[[float], None] = ignore_progress) -> "Tensor":
        """The noise in an image, both float (1, channels, H, W) on the engine's device; called in inference mode."""
        layers = list(self.network.model)
        if self.engine.method == "winograd":
            return self._noise_by_winograd(picture, progress)
        values = picture.to(self.engine.dtype)
        for number, layer in enumerate(layers, 1):
            values = layer(values)
            progress(number / len(layers))
        return values.float()

    def _noise_by_winograd(self, picture: "Tensor", progress: Callable[[float], None]) -> "Tensor":
        """The first and the last layer have too few channels for it; they are computed directly."""
        from ml_models import winograd

        first, last = self.network.model[0], self.network.model[-1]
        count = len(self._transformed) + 1
        features = winograd.chain(
            first(picture).relu_(), self._transformed, lambda number: progress(number / count)
        )
        noise: Tensor = last(features)
        progress(1)
        return noise

    @cached_property
    def _transformed(self) -> list["Layer"]:
        from torch import nn

        from ml_models import winograd

        convolutions = [layer for layer in self.network.model if isinstance(layer, nn.Conv2d)]
        return [winograd.Layer.of(layer) for layer in convolutions[1:-1]]


def sha256_of(name: str, folder: Path) -> str:
    """The hash of a model's file.

    Raises:
        ProcessingError: `model_unavailable`; the sentence names the command that installs it.
    """
    try:
        return weights.sha256_of(name, folder)
    except weights.ModelUnavailable as error:
        raise ProcessingError(error.detail, code="model_unavailable", field="model") from error


@lru_cache(maxsize=4)
def finder(name: str, folder: Path, _sha256: str) -> NoiseFinder:
    """Loaded once a process and for each state of the file.

    Raises:
        ProcessingError: see `sha256_of`; also for a file that holds another network.
    """
    try:
        tensors = weights.load_tensors(name, folder)
    except weights.ModelUnavailable as error:
        raise ProcessingError(error.detail, code="model_unavailable", field="model") from error
    return best_finder(lambda: _built(name, tensors))


def best_finder(build: "Callable[[], DnCNN]") -> NoiseFinder:
    """The fastest engine whose rounding a network bears.

    On two cores with AVX-512 and without AMX, shared with other work, Winograd took 0.6 of the time of PyTorch's plain
    float32 module, and the direct sum with the channels last 0.7. Four times as fast needs matrix units or a card, and
    weights that bear their short floats.
    """
    exact = NoiseFinder(ready(build(), Engine()))
    for engine in engines()[:-1]:
        candidate = NoiseFinder(ready(build(), engine), engine)
        if rounding(candidate, exact) <= MAX_ROUNDING:
            return candidate
    return NoiseFinder(ready(build(), engines()[-1]), engines()[-1])


def _built(name: str, tensors: "dict[str, Tensor]") -> "DnCNN":
    from ml_models.dncnn import DnCNN  # slow import: torch

    try:
        network = DnCNN(tensors["model.0.weight"].shape[1])
        network.load_state_dict(tensors)
    except (KeyError, IndexError, RuntimeError) as error:
        detail = (
            f"The file of the model {name} does not contain a DnCNN with 20 layers. Install the correct file."
        )
        raise ProcessingError(detail, code="model_unavailable", field="model") from error
    return network


def rounding(candidate: NoiseFinder, exact: NoiseFinder) -> float:
    """How far an engine's rounding leads a network off: root mean square, in grey levels of 255."""
    import torch

    # The sample is a gradient with an edge and Gaussian noise of 15, float32 (96, 96, channels), 0 to 1.
    rows, columns = np.mgrid[0:96, 0:96] / 96
    clean = np.where(rows + columns > 1, 0.8 - 0.3 * rows, 0.2 + 0.4 * columns)[:, :, None]
    noise = np.random.default_rng(0).normal(0, 15 / 255, (96, 96, exact.channels))
    sample = torch.from_numpy(np.asarray(clean + noise, np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        found = candidate.noise_in(sample.to(candidate.engine.device)).cpu()
        difference = found - exact.noise_in(sample)
    return float(255 * difference.square().mean().sqrt())

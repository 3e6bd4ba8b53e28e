"""Where networks run best on this machine. Only model workers call this: torch is slow to import."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_SIDE_PX = 128
_FEATURES = 64
_ROUNDS = 3
_CLEARLY_FASTER = 0.8  # share of the float32 time below which bfloat16 is worth its rounding


@dataclass(frozen=True)
class Engine:
    """Where and how convolutions are computed.

    Attributes:
        device: cpu or cuda.
        precision: float32 or bfloat16; sums are float32 in either case.
    """

    device: str = "cpu"
    precision: str = "float32"

    @property
    def dtype(self) -> "torch.dtype":
        import torch

        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@cache
def best_engine() -> Engine:
    """CUDA where there is a card; else the precision that a short measurement finds faster. Chosen once a process.

    A processor that has bfloat16 instructions need not be faster with them: one with AMX took 0.24 of the float32
    time, one with AVX-512 BF16 alone 1.6 times as long.
    """
    import torch

    if torch.cuda.is_available():
        return Engine("cuda", "bfloat16" if torch.cuda.is_bf16_supported() else "float32")
    # Without the instructions bfloat16 is emulated, which is never faster.
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return Engine()
    is_faster = _seconds(torch.bfloat16) < _CLEARLY_FASTER * _seconds(torch.float32)
    return Engine("cpu", "bfloat16" if is_faster else "float32")


def _seconds(dtype: "torch.dtype") -> float:
    """Best time of a convolution like those of DnCNN, after one that warms up."""
    import torch

    layer = torch.nn.Conv2d(_FEATURES, _FEATURES, 3, padding=1)
    layer = layer.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    picture = torch.zeros(1, _FEATURES, _SIDE_PX, _SIDE_PX, dtype=dtype)
    picture = picture.contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        for _ in range(_ROUNDS + 1):
            started = time.perf_counter()
            layer(picture)
            times.append(time.perf_counter() - started)
    return min(times[1:])


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's own way of running out of memory into MemoryError, which travels without torch.

    Raises:
        MemoryError: on the processor or on the card.
    """
    try:
        yield
    except RuntimeError as error:
        words = str(error)
        if "can't allocate memory" in words or "out of memory" in words:
            raise MemoryError(words.splitlines()[0]) from None
        raise


def ready(network: "torch.nn.Module", engine: Engine) -> Any:
    """A network laid out for an engine: channels last, in its precision, on its device, for inference."""
    import torch

    network = network.eval().requires_grad_(False)
    return network.to(device=engine.device, dtype=engine.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

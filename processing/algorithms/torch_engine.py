"""Where networks run best on this machine. Only model workers call this: torch is slow to import."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch

_SIDE_PX = 128
_FEATURES = 64
_ROUNDS = 5
_CLEARLY_FASTER = 0.9  # share of the plain time below which another way is worth taking


@dataclass(frozen=True)
class Engine:
    """Where and how convolutions are computed.

    Attributes:
        device: cpu or cuda.
        precision: float32, float16 or bfloat16; sums are float32 in either case.
        method: direct or winograd (see `ml_models.winograd`).
    """

    device: str = "cpu"
    precision: str = "float32"
    method: str = "direct"

    @property
    def dtype(self) -> "torch.dtype":
        import torch

        return cast("torch.dtype", getattr(torch, self.precision))

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@cache
def engines() -> tuple[Engine, ...]:
    """Where convolutions can run here, the fastest first; measured once a process. The last is always the plain one.

    A processor that has instructions for short floats need not be faster with them: one with AMX took 0.24 of the
    float32 time for bfloat16, one with AVX-512 BF16 alone 1.6 times as long. Whether a network bears the rounding is
    another question: ask that before using any but the last.
    """
    import torch

    if torch.cuda.is_available():
        return Engine("cuda", "float16"), Engine("cuda")
    kernels = torch.ops.mkldnn
    # Without the instructions they are emulated, which is never faster.
    known = {
        "float16": kernels._is_mkldnn_fp16_supported(),
        "bfloat16": kernels._is_mkldnn_bf16_supported(),
    }
    candidates = [Engine("cpu", name) for name, is_there in known.items() if is_there]
    candidates.append(Engine(method="winograd"))
    limit_s = _CLEARLY_FASTER * _seconds(Engine())
    times = [(_seconds(engine), engine) for engine in candidates]
    faster = sorted((timed for timed in times if timed[0] < limit_s), key=lambda timed: timed[0])
    return *(engine for _, engine in faster), Engine()


def _seconds(engine: Engine) -> float:
    """Best time of a convolution with ReLU like those of DnCNN, after one that warms up."""
    import torch

    from ml_models import winograd

    layer = torch.nn.Conv2d(_FEATURES, _FEATURES, 3, padding=1)
    picture = torch.zeros(1, _FEATURES, _SIDE_PX, _SIDE_PX).contiguous(memory_format=torch.channels_last)
    times = []
    with torch.inference_mode():
        if engine.method == "winograd":
            known = [winograd.Layer.of(layer)]
            work = lambda: winograd.chain(picture, known)  # noqa: E731
        else:
            laid_out, values = ready(layer, engine), picture.to(engine.dtype)
            work = lambda: laid_out(values).relu_()  # noqa: E731
        for _ in range(_ROUNDS + 1):
            started = time.perf_counter()
            work()
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

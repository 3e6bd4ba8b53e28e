"""3 × 3 convolutions with a quarter of the multiplications, in float32 on the processor.

Winograd's F(4 × 4, 3 × 3): 16 results from 36 products instead of 144. The transforms and the products are matrix
products over blocks that stay in the processor's cache; blocks of rows go to the threads of a pool, each of which
computes alone, since a barrier after every small product costs more than the product.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016). Differs from the direct sum by about
2e-5 of the values' deviation.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Barrier, local

import torch
from torch import Tensor, nn

OUT, IN = 4, 6  # side of a tile's results and of what it sees
BLOCK_TILES = 32  # 32 tiles of 64 channels: three buffers and a layer's weights fit into 2 MB of cache

_INPUT = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_WEIGHT = (
    torch.tensor(
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64
    )
    / 24
)
_OUTPUT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], dtype=torch.float64
)
_INPUT_2D = torch.kron(_INPUT, _INPUT).float()  # (36, 36)
_OUTPUT_2D = torch.kron(_OUTPUT, _OUTPUT).float()  # (16, 36)
_CONSTANT = IN + 1  # this product alone gives the same value to all 16 results: the place for the bias


@dataclass(frozen=True)
class Layer:
    """A convolution's transformed weights (36, inputs, outputs) and bias (outputs)."""

    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, layer: nn.Conv2d) -> "Layer":
        """Of a 3 × 3 convolution with stride 1, zero padding of 1 and as many outputs as inputs."""
        transformed = torch.einsum("ai,ocij,bj->abco", _WEIGHT, layer.weight.double(), _WEIGHT)
        assert layer.bias is not None
        return cls(
            transformed.reshape(IN * IN, layer.in_channels, layer.out_channels).float().contiguous(),
            layer.bias,
        )


class Canvas:
    """An image (H, W, channels) with a margin of zeros that the tiles at its edges see."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        self.height, self.width, self.channels = height, width, channels
        self.rows, self.columns = -(-height // OUT), -(-width // OUT)
        self.values = torch.zeros(OUT * self.rows + 2, OUT * self.columns + 2, channels)

    @property
    def picture(self) -> Tensor:
        return self.values[1 : 1 + self.height, 1 : 1 + self.width]

    def tiles(self, side: int, row: int, column: int, count: int, *, margin: int) -> Tensor:
        """A view (side, side, count, channels) of tiles beside each other, whose upper left corner is at `margin`."""
        down, channels = self.values.stride(0), self.channels
        offset = (margin + OUT * row) * down + (margin + OUT * column) * channels
        return self.values.as_strided(
            (side, side, count, channels), (down, channels, OUT * channels, 1), offset
        )

    def clear_margin(self) -> None:
        """What tiles have written beyond the edges is zero for the next layer."""
        self.values[1 + self.height :].zero_()
        self.values[:, 1 + self.width :].zero_()


_buffers = local()


def convolve(source: Canvas, layer: Layer, target: Canvas, pool: ThreadPoolExecutor) -> None:
    """Convolution and ReLU from one canvas to another of the same size."""
    done = pool.map(lambda row: _row(source, layer, target, row), range(source.rows))
    for _ in done:  # raises what a thread raised
        pass
    target.clear_margin()


def _row(source: Canvas, layer: Layer, target: Canvas, row: int) -> None:
    with torch.inference_mode():  # by thread
        for column in range(0, source.columns, BLOCK_TILES):
            count = min(BLOCK_TILES, source.columns - column)
            transformed, other, made = (
                buffer[:, : count * source.channels] for buffer in _thread_buffers(source.channels)
            )
            transformed.view(IN, IN, count, -1).copy_(source.tiles(IN, row, column, count, margin=0))
            torch.mm(_INPUT_2D, transformed, out=other)
            products = transformed.view(IN * IN, count, -1)
            torch.bmm(other.view(IN * IN, count, -1), layer.weight, out=products)
            products[_CONSTANT].add_(layer.bias)
            torch.mm(_OUTPUT_2D, transformed, out=made)
            target.tiles(OUT, row, column, count, margin=1).copy_(made.relu_().view(OUT, OUT, count, -1))


def _thread_buffers(channels: int) -> tuple[Tensor, ...]:
    buffers = getattr(_buffers, "known", None)
    if buffers is None or buffers[0].shape[1] != BLOCK_TILES * channels:
        buffers = tuple(torch.empty(count, BLOCK_TILES * channels) for count in (IN * IN, IN * IN, OUT * OUT))
        _buffers.known = buffers
    return buffers


@cache
def threads() -> ThreadPoolExecutor:
    """As many threads as torch would take, each computing alone."""
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, "winograd", initializer=torch.set_num_threads, initargs=(1,))
    all_started = Barrier(count)
    for future in [pool.submit(all_started.wait) for _ in range(count)]:
        future.result()
    torch.set_num_threads(count)  # what a thread sets for itself is also what later threads begin with
    return pool


def chain(
    picture: Tensor, layers: Iterable[Layer], report: Callable[[int], None] = lambda number: None
) -> Tensor:
    """Several convolutions with ReLU, one after the other.

    Args:
        image: float32 (1, channels, H, W).
        layers: with as many outputs as inputs.
        report: called with the number of each finished layer.

    Returns:
        float32 (1, channels, H, W), channels last.
    """
    height, width = picture.shape[2:]
    source, target = (Canvas(height, width, picture.shape[1]) for _ in range(2))
    source.picture.copy_(picture[0].permute(1, 2, 0))
    for number, layer in enumerate(layers, 1):
        convolve(source, layer, target, threads())
        source, target = target, source
        report(number)
    return source.picture.permute(2, 0, 1)[None]

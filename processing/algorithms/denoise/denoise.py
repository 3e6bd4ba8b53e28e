"""Remove noise with DnCNN. uint8 RGB (H, W, 3) or grey (H, W) in and out; torch is imported inside.

An image of any size is worked on in tiles that overlap by what the network sees around a pixel: the tiles together
equal the whole image but for the rounding of float sums.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from processing.algorithms.codecs.raster import Raster
from processing.algorithms.context import ExecutionContext, ignore_progress, part_of
from processing.algorithms.denoise.network import NoiseFinder, finder, sha256_of
from processing.algorithms.denoise.noise import estimate_sigma
from processing.algorithms.errors import InvalidParameter
from processing.algorithms.pixels.visible import keep_hidden, without_hidden
from processing.algorithms.torch_engine import memory_errors

AUTO = "auto"
COLOUR, GREY, PUBLISHED = "dncnn_colour", "dncnn_grey", "dncnn_color_blind"
MODELS = (AUTO, PUBLISHED)
# Of 68 clean photographs 64 lie below it, of the same with Gaussian noise of 5 none.
MIN_SIGMA = 3.0
OVERLAP_PX = 20  # one pixel per 3 × 3 convolution
TILE_PX = (
    640  # two layers of 64 float32 channels take 210 MB; smaller tiles compute more of their overlap twice
)


@dataclass(frozen=True)
class Span:
    """A tile along one axis: what it gives, and what it has to see for that. Half-open ranges in px."""

    start: int
    stop: int
    seen_start: int
    seen_stop: int

    @property
    def given(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def seen(self) -> slice:
        return slice(self.seen_start, self.seen_stop)

    @property
    def kept(self) -> slice:
        """What is given, counted from the start of what is seen."""
        return slice(self.start - self.seen_start, self.stop - self.seen_start)


def spans(length: int, *, tile_px: int = TILE_PX, overlap_px: int = OVERLAP_PX) -> Iterator[Span]:
    """Tiles of about equal size along an axis; none sees more than `tile_px`."""
    if length <= tile_px:
        yield Span(0, length, 0, length)
        return
    count = -(-length // (tile_px - 2 * overlap_px))
    size = -(-length // count)
    for start in range(0, length, size):
        stop = min(length, start + size)
        yield Span(start, stop, max(0, start - overlap_px), min(length, stop + overlap_px))


def needed_models(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The models that may be needed with these parameters, whatever the image."""
    return (COLOUR, GREY) if parameters["model"] == AUTO else (str(parameters["model"]),)


def denoise(
    raster: Raster,
    *,
    strength: float = 1.0,
    model: str = AUTO,
    min_sigma: float = MIN_SIGMA,
    context: ExecutionContext,
) -> Raster:
    """Remove noise of unknown strength; the transparency, and what it hides, stay as they are.

    An image with less noise than `min_sigma` is handed back unchanged with a note: a pipeline over many images
    then goes on, and no clean image is blurred unless that is asked for with `min_sigma=0`.

    Args:
        strength: share of the estimated noise that is subtracted; 0 = unchanged, 1 = all.
        model: `auto` takes Pix's own network for colour or for grey, by the image; else the name of a model.
        min_sigma: least standard deviation of the noise, in grey levels of 255.

    Returns:
        The image; its facts name noise_sigma and, where a network ran, model, weights_sha256, device, precision.

    Raises:
        ProcessingError: `model_unavailable`; the sentence names the command that installs it.
        MemoryError: see `memory_errors`.

    Source: Zhang et al., "Beyond a Gaussian Denoiser" (2017). On photographs that a camera made, whose noise is not
    white, it gains little: +0.1 to +0.5 dB.
    """
    seen = without_hidden(raster.pixels, raster.alpha)
    sigma = estimate_sigma(seen, raster.alpha)
    facts = {"noise_sigma": round(sigma, 2)}
    if sigma < min_sigma:
        note = (
            f"Little noise (σ about {sigma:.1f}, below min_sigma {min_sigma:g}): denoising would blur the image, "
            "so it was left unchanged. Set min_sigma to 0 to denoise it anyway."
        )
        return Raster(raster.pixels.copy(), raster.alpha, (note,), facts)
    name = _model_for(seen, model)
    sha256 = sha256_of(name, context.models_dir)
    network = finder(name, context.models_dir, sha256)
    pixels = denoise_pixels(seen, network, strength=strength, progress=context.progress)
    pixels = keep_hidden(pixels, raster.pixels, raster.alpha)
    made_with = {"model": name, "weights_sha256": sha256, **network.engine.as_dict()}
    return Raster(pixels, raster.alpha, facts=facts | made_with)


def _model_for(pixels: np.ndarray, model: str) -> str:
    """An image whose colours are all grey is a grey one, however it was stored."""
    is_grey = pixels.ndim == 2 or all(
        np.array_equal(pixels[:, :, 0], pixels[:, :, index]) for index in (1, 2)
    )
    if model == AUTO:
        return GREY if is_grey else COLOUR
    if model == PUBLISHED and pixels.ndim == 2:
        detail = f"{model} only works on colour images, and this image is grey. Use the model {AUTO}."
        raise InvalidParameter(detail, field="model")
    return model


def denoise_pixels(
    pixels: np.ndarray,
    network: NoiseFinder,
    *,
    strength: float = 1.0,
    tile_px: int = TILE_PX,
    progress: Callable[[float], None] = ignore_progress,
) -> np.ndarray:
    """Subtract the noise that a network finds.

    Args:
        pixels: uint8 RGB or grey. A grey network takes RGB whose channels are equal, and gives such.
        network: for 3 or 1 channels.
        strength: share of the noise that is subtracted, 0 to 1.
        tile_px: longest side of what is computed at once; it bounds the memory.

    Returns:
        uint8 of the same shape; tiles differ from the whole image by at most one grey level.
    """
    if strength == 0:
        return pixels.copy()
    planes = pixels[:, :, None] if pixels.ndim == 2 else pixels[:, :, : network.channels]
    result = np.empty_like(planes)
    height, width = planes.shape[:2]
    tiles = list(product(spans(height, tile_px=tile_px), spans(width, tile_px=tile_px)))
    for index, tile in enumerate(tiles):
        share = part_of(progress, index, len(tiles))
        with memory_errors():
            result[tile[0].given, tile[1].given] = _tile(planes, tile, network, strength, share)
    if pixels.ndim == 2:
        return result[:, :, 0]
    return result if network.channels == 3 else np.repeat(result, 3, axis=2)


def _tile(
    planes: np.ndarray,
    tile: tuple[Span, Span],
    network: NoiseFinder,
    strength: float,
    progress: Callable[[float], None],
) -> np.ndarray:
    """One tile, uint8 (h, w, channels); only layers at the image's own edge see zeros beyond it."""
    import torch

    rows, columns = tile
    seen = torch.from_numpy(np.array(planes[rows.seen, columns.seen], order="C")).to(network.engine.device)
    picture = seen.permute(2, 0, 1)[None].float() / 255  # as it lies in memory: channels last
    with torch.inference_mode():
        noise = network.noise_in(picture, progress)[0, :, rows.kept, columns.kept]
        clean = picture[0, :, rows.kept, columns.kept] - strength * noise
        levels = (clean * 255).round_().clamp_(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).cpu().numpy()

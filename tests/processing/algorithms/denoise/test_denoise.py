"""Denoising: tiles, strength, kinds of images, models, and the published figures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.raster import Raster
from processing.algorithms.context import ExecutionContext
from processing.algorithms.denoise.denoise import (
    AUTO,
    MIN_SIGMA,
    OVERLAP_PX,
    PUBLISHED,
    denoise,
    denoise_pixels,
    needed_models,
    spans,
)
from processing.algorithms.denoise.network import MAX_ROUNDING, NoiseFinder, rounding
from processing.algorithms.errors import InvalidParameter, ProcessingError
from processing.algorithms.operations.table import OPERATIONS, storage_for, validate_parameters
from processing.algorithms.torch_engine import Engine, engines, memory_errors, ready
from tests.processing.algorithms.networks import DATA, install_published, install_random, random_dncnn
from tests.processing.algorithms.pictures import noise, scene

PLAIN = Engine()
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="PIX_TEST_DATA names no folder")


@pytest.fixture(scope="module")
def random_models(tmp_path_factory) -> Path:
    return install_random(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def published_models(tmp_path_factory) -> Path:
    return install_published(tmp_path_factory.mktemp("published"))


def photograph(number: int = 0) -> np.ndarray:
    path = sorted((DATA / "denoise" / "CBSD68").glob("*.png"))[number]
    return np.asarray(Image.open(path).convert("RGB"))


def with_noise(pixels: np.ndarray, sigma: float, *, seed: int = 0) -> np.ndarray:
    added = np.random.default_rng(seed).normal(0, sigma, pixels.shape)
    return np.clip(np.rint(pixels + added), 0, 255).astype(np.uint8)


def psnr(result: np.ndarray, clean: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((result.astype(float) - clean) ** 2) / 255**2))


def greatest_difference(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.abs(first.astype(int) - second).max())


@pytest.mark.parametrize("length", [1, 40, 64, 65, 100, 127, 500])
def test_spans_cover_every_pixel_once_and_see_what_they_need(length: int) -> None:
    found = list(spans(length, tile_px=64))

    assert [at for span in found for at in range(span.start, span.stop)] == list(range(length))
    for span in found:
        assert span.seen_start == max(0, span.start - OVERLAP_PX) or len(found) == 1
        assert span.seen_stop == min(length, span.stop + OVERLAP_PX) or len(found) == 1
        assert span.seen_stop - span.seen_start <= 64


@pytest.mark.parametrize(("shape", "tile_px"), [((100, 90, 3), 64), ((97, 20), 60), ((61, 130, 3), 96)])
def test_tiles_equal_the_whole_picture(shape: tuple[int, ...], tile_px: int) -> None:
    network = by_chance(3 if len(shape) == 3 else 1)

    whole = denoise_pixels(noise(*shape), network)
    tiled = denoise_pixels(noise(*shape), network, tile_px=tile_px)

    assert greatest_difference(whole, noise(*shape)) > 10
    assert greatest_difference(whole, tiled) <= 1
    assert (whole == tiled).mean() > 0.999


@needs_data
def test_tiles_of_a_photograph_equal_the_whole(published_models: Path) -> None:
    picture = with_noise(photograph()[:120, :150], 25)
    network = loaded(published_models)

    assert (
        greatest_difference(denoise_pixels(picture, network), denoise_pixels(picture, network, tile_px=120))
        <= 1
    )


def loaded(folder: Path, engine: Engine = PLAIN) -> NoiseFinder:
    from ml_models import weights
    from ml_models.dncnn import DnCNN

    network = DnCNN(3)
    network.load_state_dict(weights.load_tensors(PUBLISHED, folder))
    return NoiseFinder(ready(network, engine), engine)


def by_chance(channels: int = 3) -> NoiseFinder:
    return NoiseFinder(ready(random_dncnn(channels), PLAIN))


@needs_data
@pytest.mark.parametrize(
    ("sigma", "expected"),
    [
        pytest.param(15, 36.88, marks=pytest.mark.check),
        (25, 34.74),
        pytest.param(50, 31.88, marks=pytest.mark.check),
    ],
)
def test_published_weights_reach_their_figures(published_models: Path, sigma: float, expected: float) -> None:
    """Noise that is not cut off, as published; whole CBSD68 gives 33.87, 31.21, 27.91, these four corners more."""
    from ml_models.training.dncnn import mean_psnr

    network = loaded(published_models).network
    pictures = [photograph(number)[:96, :96] for number in (3, 21, 40, 59)]

    ours = mean_psnr(network, pictures, sigma=sigma)

    print(f"sigma {sigma}: {ours:.2f} dB")
    assert ours == pytest.approx(expected, abs=0.02)


@needs_data
@pytest.mark.check
def test_rounding_tells_which_short_floats_the_published_network_bears(published_models: Path) -> None:
    """float16 is as good as float32 to 0.01 dB, bfloat16 is not; the measure parts them."""
    clean = photograph(7)[:96, :96]
    noisy = with_noise(clean, 15)
    exact = loaded(published_models)
    best = psnr(denoise_pixels(noisy, exact), clean)
    for precision in ("float16", "bfloat16"):
        network = loaded(published_models, Engine(precision=precision))
        loss_db = best - psnr(denoise_pixels(noisy, network), clean)
        off = rounding(network, exact)
        print(f"{precision}: {loss_db:.4f} dB less, rounding {off:.3f}")
        assert (off <= MAX_ROUNDING) == (precision == "float16")
        assert abs(loss_db) <= 0.02 or off > MAX_ROUNDING


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 70, 3), (131, 33, 3), (64, 140)])
def test_winograd_equals_the_direct_sum(shape: tuple[int, ...]) -> None:
    direct = by_chance(3 if len(shape) == 3 else 1)
    winograd = NoiseFinder(direct.network, Engine(method="winograd"))

    expected, found = denoise_pixels(noise(*shape), direct), denoise_pixels(noise(*shape), winograd)

    assert greatest_difference(expected, found) <= 1
    assert (expected == found).mean() > 0.999


@needs_data
def test_what_is_used_is_as_good_as_float32(published_models: Path) -> None:
    clean = photograph(45)[:96, :96]
    source = Raster(with_noise(clean, 15))

    used = apply(source, published_models).pixels

    plain = denoise_pixels(source.pixels, loaded(published_models))
    assert abs(psnr(used, clean) - psnr(plain, clean)) <= 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 70, 3), (70, 1), (2, 3, 3)])
def test_tiny_pictures_keep_their_form(random_models: Path, shape: tuple[int, ...]) -> None:
    network = by_chance(3 if len(shape) == 3 else 1)

    result = denoise_pixels(noise(*shape), network)

    assert (result.shape, result.dtype) == (shape, np.dtype(np.uint8))


def test_strength_zero_changes_nothing_and_half_lies_between(random_models: Path) -> None:
    network, picture = by_chance(), noise(40, 40, 3)
    none, half, full = (denoise_pixels(picture, network, strength=share) for share in (0, 0.5, 1))

    assert np.array_equal(none, picture)
    inside = (full > 0) & (full < 255)
    between = (picture.astype(float) + full) / 2
    assert np.abs(half - between)[inside].max() <= 1


def apply(raster: Raster, models: Path, **parameters) -> Raster:
    values = validate_parameters("denoise", {"model": PUBLISHED, **parameters})
    return OPERATIONS["denoise"].apply(raster, values, ExecutionContext(models))


def test_transparency_stays_and_what_was_used_is_recorded(random_models: Path) -> None:
    source = Raster(noise(30, 40, 3), noise(30, 40, seed=1))

    result = apply(source, random_models)

    assert result.alpha is source.alpha
    assert result.notes == ()
    assert (result.facts["model"], len(result.facts["weights_sha256"])) == (PUBLISHED, 64)
    assert {name: result.facts[name] for name in ("device", "precision", "method")} in [
        one.as_dict() for one in engines()
    ]
    assert result.facts["noise_sigma"] > 50


def test_little_noise_is_said_instead_of_denoised(random_models: Path) -> None:
    source = Raster(scene())

    result = apply(source, random_models)

    assert np.array_equal(result.pixels, source.pixels)
    assert set(result.facts) == {"noise_sigma"}
    assert "below min_sigma 3): denoising would blur" in result.notes[0]
    assert apply(source, random_models, min_sigma=0).facts["model"] == PUBLISHED


@needs_data
def test_default_threshold_parts_clean_from_noisy_photographs(random_models: Path) -> None:
    from processing.algorithms.denoise.noise import estimate_sigma

    pictures = [photograph(number) for number in range(0, 68, 4)]

    assert sum(estimate_sigma(picture) < MIN_SIGMA for picture in pictures) >= 15
    assert all(estimate_sigma(with_noise(picture, 5)) >= MIN_SIGMA for picture in pictures)


def test_missing_model_is_named_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match="manage.py models fetch dncnn_color_blind") as caught:
        apply(Raster(noise(20, 20, 3)), tmp_path)

    assert caught.value.code == "model_unavailable"


def test_grey_picture_is_refused_by_the_colour_model(random_models: Path) -> None:
    with pytest.raises(InvalidParameter, match="only works on colour images"):
        apply(Raster(noise(20, 20)), random_models)


def test_file_that_holds_another_network_is_refused(tmp_path: Path) -> None:
    import torch

    from ml_models import fetching

    (tmp_path / "mirror").mkdir()
    torch.save(
        {name: torch.zeros(3) for name in ("model.0.weight", "model.38.bias")},
        tmp_path / "mirror" / f"{PUBLISHED}.pth",
    )
    fetching.fetch(PUBLISHED, tmp_path, source=fetching.Source(folder=tmp_path / "mirror"))

    with pytest.raises(ProcessingError, match="does not contain a DnCNN"):
        apply(Raster(noise(20, 20, 3)), tmp_path)


def test_replaced_weights_are_loaded_anew(tmp_path: Path) -> None:
    source = Raster(noise(30, 30, 3))
    first = apply(source, install_random(tmp_path, seed=1))
    second = apply(source, install_random(tmp_path, seed=2))

    assert first.facts["weights_sha256"] != second.facts["weights_sha256"]
    assert not np.array_equal(first.pixels, second.pixels)


def test_grey_network_serves_grey_stored_as_colour() -> None:
    grey = noise(30, 30)
    network = by_chance(1)

    result = denoise_pixels(np.repeat(grey[:, :, None], 3, axis=2), network)

    assert np.array_equal(result, np.repeat(denoise_pixels(grey, network)[:, :, None], 3, axis=2))


def test_progress_rises_to_one_and_may_end_the_work() -> None:
    told: list[float] = []
    denoise_pixels(noise(60, 20, 3), by_chance(), tile_px=56, progress=told.append)

    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 20

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        denoise_pixels(noise(10, 10, 3), by_chance(), progress=stop)


def test_memory_that_torch_lacks_is_a_memory_error() -> None:
    import torch

    with pytest.raises(MemoryError, match="allocate"), memory_errors():
        torch.empty(1 << 60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="other"), memory_errors():
        raise RuntimeError("other")


def test_row_gives_png_and_names_its_models() -> None:
    values = validate_parameters("denoise", {"intensity": 0.5})

    assert values == {"format": "png", "min_sigma": 3.0, "model": AUTO, "strength": 0.5}
    assert storage_for([("denoise", values)], source_format="jpg").format == "png"
    webp = ("webp", validate_parameters("webp", {}))
    assert storage_for([("denoise", values), webp], source_format="jpg").format == "webp"
    assert needed_models(values) == ("dncnn_colour", "dncnn_grey")
    assert needed_models({"model": PUBLISHED}) == (PUBLISHED,)
    assert denoise is OPERATIONS["denoise"].function

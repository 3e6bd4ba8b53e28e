"""Scaled decoding and the perceptual hash."""

import io

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.raster import Raster
from processing.algorithms.codecs.thumbnails import decode_scaled, hamming, perceptual_hash, shrink, thumbnail
from tests.processing.algorithms.pictures import LIMITS, file_of, noise, scene


def photograph(height: int = 300, width: int = 400) -> np.ndarray:
    """Soft shapes at several scales, like a photograph and unlike noise."""
    layers = [
        np.array(
            Image.fromarray(noise(side, side, 3, seed=side)).resize((width, height), Image.Resampling.BICUBIC)
        )
        for side in (3, 7, 17)
    ]
    mean: np.ndarray = np.mean(layers, axis=0).round()
    return mean.astype(np.uint8)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize(
    ("shape", "size", "expected"), [((300, 400), 100, (100, 75)), ((400, 300), 64, (48, 64))]
)
def test_thumbnail_fits_every_format(format: str, shape: tuple, size: int, expected: tuple) -> None:
    result = thumbnail(file_of(photograph(*shape), format), size=size, limits=LIMITS)
    assert (result.width, result.height) == expected
    reference = np.array(Image.fromarray(photograph(*shape)).resize(expected, Image.Resampling.LANCZOS))
    assert np.abs(result.pixels.astype(int) - reference).mean() < (12 if format == "GIF" else 4)


def test_thumbnail_never_enlarges_and_never_vanishes() -> None:
    assert thumbnail(file_of(scene(48, 64)), size=256, limits=LIMITS).pixels.shape == (48, 64, 3)
    assert thumbnail(file_of(noise(1, 5000, 3), "JPEG"), size=64, limits=LIMITS).pixels.shape == (1, 64, 3)


def test_thumbnail_keeps_transparency() -> None:
    result = thumbnail(file_of(noise(100, 100, 4)), size=10, limits=LIMITS)
    assert result.alpha is not None
    assert result.alpha.shape == (10, 10)


def test_decode_scaled_decodes_a_jpeg_small() -> None:
    stream = file_of(photograph(600, 800), "JPEG", quality=90)
    assert decode_scaled(stream, size=50, limits=LIMITS).pixels.shape == (75, 100, 3)
    assert decode(stream, limits=LIMITS).pixels.shape == (600, 800, 3)


def test_shrink_is_the_same_picture_where_nothing_is_to_do() -> None:
    raster = Raster(scene(48, 64))
    assert shrink(raster, size=64) is raster


def test_perceptual_hash_fits_a_signed_bigint_and_is_stable() -> None:
    hashes = [perceptual_hash(noise(64, 64, seed=seed)) for seed in range(50)]
    assert all(-(2**63) <= value < 2**63 for value in hashes)
    assert len(set(hashes)) == 50
    assert perceptual_hash(photograph()) == perceptual_hash(photograph())


def test_perceptual_hash_looks_past_copies_and_tells_pictures_apart() -> None:
    original = perceptual_hash(photograph())
    image = Image.fromarray(photograph())
    copies = [
        np.array(image.resize((133, 100))),
        np.array(image.resize((900, 700))),
        np.array(Image.open(io.BytesIO(file_of(image, "JPEG", quality=30).getvalue()))),
        np.array(image.convert("L")),
        (photograph() * 0.8).astype(np.uint8),
    ]
    assert [hamming(original, perceptual_hash(copy)) <= 6 for copy in copies] == [True] * 5
    assert hamming(original, perceptual_hash(photograph()[:, ::-1])) > 16
    assert hamming(original, perceptual_hash(noise(100, 100, 3))) > 16


@pytest.mark.parametrize("pixels", [np.zeros((1, 1), np.uint8), np.full((5, 9, 3), 255, np.uint8)])
def test_perceptual_hash_of_flat_pictures(pixels: np.ndarray) -> None:
    assert hamming(perceptual_hash(pixels), perceptual_hash(pixels)) == 0


def test_perceptual_hash_of_flat_pictures_is_the_same_at_every_size() -> None:
    values = {perceptual_hash(np.full((side, side), 130, np.uint8)) for side in (1, 7, 40, 501)}
    assert len(values) == 1


def test_hamming_counts_bits_of_signed_numbers() -> None:
    assert (hamming(0, 0), hamming(-1, 0), hamming(-(2**63), 0), hamming(5, 6)) == (0, 64, 1, 2)

"""Files of the real world: every kind of PNG, the eight orientations, odd sizes."""

import io

import numpy as np
import pytest

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.probing import probe
from processing.algorithms.codecs.thumbnails import hamming, perceptual_hash, thumbnail
from processing.algorithms.errors import ProcessingError
from processing.algorithms.metadata.reading import read_metadata
from tests.processing.algorithms.pictures import LIMITS, real_folder
from tests.processing.algorithms.png_reference import decode_png


def test_decode_pngsuite_equals_a_reference_decoder() -> None:
    wrong = []
    files = sorted(real_folder("odd_files/pngsuite").glob("[!x]*.png"))
    for file in files:
        data = file.read_bytes()
        colour, alpha, depth = decode_png(data)
        found = decode(io.BytesIO(data), limits=LIMITS)
        assert (found.alpha is None) == (alpha is None), file.name
        tolerance = 1.0 if depth == 16 else 0.51  # rounding
        is_equal = found.pixels.shape == colour.shape and np.abs(found.pixels - colour).max() <= tolerance
        if alpha is not None and found.alpha is not None:
            is_equal &= bool(np.abs(found.alpha - alpha).max() <= tolerance)
        if not is_equal:
            wrong.append(file.name)
    assert wrong == []
    assert len(files) > 150


def test_decode_pngsuite_refuses_every_broken_file() -> None:
    codes = {}
    for file in sorted(real_folder("odd_files/pngsuite").glob("x*.png")):
        with file.open("rb") as stream, pytest.raises(ProcessingError) as caught:
            decode(stream, limits=LIMITS)
        codes[file.name] = caught.value.code
    assert len(codes) == 14
    assert set(codes.values()) == {"damaged_image", "not_an_image"}


@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_decode_all_orientations_come_out_upright(kind: str) -> None:
    folder = real_folder("odd_files/exif_orientation")
    with (folder / f"{kind}_1.jpg").open("rb") as stream:
        upright = decode(stream, limits=LIMITS)
    expected = perceptual_hash(upright.pixels)
    for orientation in range(1, 9):
        with (folder / f"{kind}_{orientation}.jpg").open("rb") as stream:
            found = decode(stream, limits=LIMITS)
            small = thumbnail(stream, size=128, limits=LIMITS)
            metadata = read_metadata(stream)
        assert found.info.orientation == orientation
        assert metadata.exif["orientation"] == orientation
        assert found.info.upright_size == (upright.pixels.shape[1], upright.pixels.shape[0])
        assert found.pixels.shape == upright.pixels.shape
        # The files were recompressed one by one: equal up to a few grey levels on average.
        assert np.abs(found.pixels.astype(int) - upright.pixels).mean() < 5
        assert hamming(perceptual_hash(found.pixels), expected) == 0
        assert hamming(perceptual_hash(small.pixels), expected) <= 2


def test_probe_and_decode_odd_pictures_agree() -> None:
    for file in sorted(real_folder("odd_files/issues").glob("*.png")):
        with file.open("rb") as stream:
            info = probe(stream, limits=LIMITS)
            found = decode(stream, limits=LIMITS)
        assert found.pixels.shape[1::-1] == info.upright_size


def test_decode_fingerprints_are_grey_with_their_resolution() -> None:
    files = sorted(real_folder("fingerprints/FVC2002_DB2_B").rglob("*.tif"))
    assert len(files) == 40
    with files[0].open("rb") as stream:
        found = decode(stream, limits=LIMITS)
    assert found.pixels.shape == (560, 296)
    assert found.info.format == "tiff"

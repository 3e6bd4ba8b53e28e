"""Files become the input of a network: by the recipe to the bit, or within what is promised where JPEGs are halved."""

import io
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.codecs.raster import Raster
from processing.algorithms.embedding.embedders import EMBEDDERS, load_embedder
from processing.algorithms.embedding.inputs import prepare, read
from processing.algorithms.errors import ProcessingError
from tests.processing.algorithms.pictures import noise

RECIPE = EMBEDDERS["pix_small"].recipe
SKIMAGE = find_spec("skimage")
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def stored(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream


def in_steps(stream, recipe):
    stream.seek(0)
    decoded = decode(stream, limits=Limits())
    return prepare(Raster(decoded.pixels, decoded.alpha), recipe)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return stored(Image.fromarray(noise(300, 400, 3)), "JPEG", exif=exif)


STREAMS = {
    "colour": lambda: stored(Image.fromarray(noise(300, 400, 3)), "PNG"),
    "grey": lambda: stored(Image.fromarray(noise(300, 400)), "JPEG"),
    "transparent": lambda: stored(Image.fromarray(noise(300, 400, 4)), "PNG"),
    "turned": turned,
    "not quite large enough": lambda: stored(Image.fromarray(noise(1790, 1800, 3)), "JPEG"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_read_equals_decoding_and_preparing_to_the_bit(name):
    stream = STREAMS[name]()

    assert np.array_equal(read(stream, RECIPE, limits=Limits()), in_steps(stream, RECIPE))


def test_published_networks_take_whole_pictures():
    assert {name for name, spec in EMBEDDERS.items() if spec.recipe.decoded_px} == {"pix_small"}


@pytest.mark.skipif(SKIMAGE is None, reason="needs the photographs of scikit-image")
@pytest.mark.parametrize("shorter", [1792, 3000])
def test_halved_photographs_give_nearly_the_same_vector(shorter, tmp_path):
    embedder = load_embedder("pix_small", tmp_path)
    folder = Path(str(SKIMAGE.origin)).parent / "data"
    streams = [stored(enlarged(folder / name, shorter), "JPEG", quality=90) for name in PHOTOGRAPHS]
    whole = [read(stream, replace(RECIPE, decoded_px=0), limits=Limits()) for stream in streams]
    halved = [read(stream, RECIPE, limits=Limits()) for stream in streams]

    assert not np.array_equal(whole[0], halved[0])
    assert (embedder.embed(whole) * embedder.embed(halved)).sum(axis=1).min() >= 0.999


def enlarged(path, shorter):
    with Image.open(path) as opened:
        scale = shorter / min(opened.size)
        size = tuple(max(shorter, round(side * scale)) for side in opened.size)
        return opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def test_truncated_photograph_is_refused_at_half_its_size():
    data = stored(Image.fromarray(noise(1800, 1800, 3)), "JPEG").getvalue()

    with pytest.raises(ProcessingError) as refused:
        read(io.BytesIO(data[: len(data) // 2]), RECIPE, limits=Limits())
    assert refused.value.code == "damaged_image"

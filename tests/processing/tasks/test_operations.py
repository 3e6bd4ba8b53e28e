"""What subprocesses run: files in, files out, picklable answers, a fast start without Django."""

import hashlib
import io
import json
import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from processing.algorithms.codecs.probing import Limits
from processing.algorithms.errors import InvalidParameter, ProcessingError
from processing.tasks.operations import Inspection, Output, inspect, make_thumbnails, run_steps
from tests.processing.algorithms.pictures import LIMITS, file_of, noise, scene

FLATTENED = ("jpg does not support transparency; transparent parts were placed on white.",)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return save(tmp_path, file_of(noise(48, 64, 4)))


def save(folder: Path, stream: io.BytesIO) -> str:
    path = folder / "source"
    path.write_bytes(stream.getvalue())
    return str(path)


def run(source: str, folder: Path, *steps: Any, limits: Limits = LIMITS) -> list[Output]:
    return run_steps(source, list(steps), str(folder), limits)


def check_file(output: Output) -> Image.Image:
    data = Path(output.path).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (output.byte_size, output.sha256)
    image = Image.open(io.BytesIO(data))
    image.load()
    assert image.size == (output.width, output.height)
    return image


def test_run_steps_one_operation(source: str, tmp_path: Path) -> None:
    (output,) = run(source, tmp_path, ("resize", {"width": 32}))
    assert (output.role, output.format, output.width, output.height, output.notes) == (
        "result",
        "png",
        32,
        24,
        (),
    )
    assert check_file(output).mode == "RGBA"


def test_run_steps_pipeline_has_one_result(source: str, tmp_path: Path) -> None:
    steps = [("resize", {"width": 32}), ("grayscale", {}), ("jpg", {"quality": 50})]
    (output,) = run(source, tmp_path, *steps)
    assert (output.format, output.width, output.notes) == ("jpg", 32, FLATTENED)
    assert check_file(output).mode == "L"


def test_run_steps_is_deterministic(source: str, tmp_path: Path) -> None:
    for format in ("jpg", "png", "webp", "avif", "tiff", "bmp"):
        hashes = {run(source, tmp_path, ("blur", {"format": format}))[0].sha256 for _ in range(2)}
        assert len(hashes) == 1


def test_run_steps_fingerprint_saves_both_as_bmp(tmp_path: Path) -> None:
    source = save(tmp_path, file_of(noise(40, 30), "TIFF"))
    enhanced, original = run(source, tmp_path, ("enhance_fingerprint", {}))
    assert [(row.role, row.format) for row in (enhanced, original)] == [
        ("enhanced", "bmp"),
        ("original_copy", "bmp"),
    ]
    assert np.array_equal(np.array(check_file(original)), noise(40, 30))
    assert not np.array_equal(np.array(check_file(enhanced)), noise(40, 30))
    first, second = run(
        source, tmp_path, ("resize", {"width": 15}), ("enhance_fingerprint", {"format": "png"})
    )
    assert (first.role, first.width, second.role, second.width) == ("enhanced", 15, "original_copy", 30)


@pytest.mark.parametrize("format", ["GIF", "HEIF"])
def test_run_steps_stores_png_where_the_source_format_is_not_written(format: str, tmp_path: Path) -> None:
    if format == "HEIF":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    source = save(tmp_path, file_of(scene(), format))
    assert run(source, tmp_path, ("flip", {}))[0].format == "png"


def test_run_steps_says_that_only_the_first_frame_was_used(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    source = save(tmp_path, file_of(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    (output,) = run(source, tmp_path, ("grayscale", {}))
    assert output.notes == ("The file has 2 frames; the first one was used.",)


def test_run_steps_results_are_free_of_metadata_and_foreign_bytes(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "secret artist"
    data = file_of(scene(), "JPEG", exif=exif).getvalue() + b"<script>secret</script>"
    source = save(tmp_path, io.BytesIO(data))
    for name in ("strip_metadata", "png", "webp", "avif"):
        (output,) = run(source, tmp_path, (name, {}))
        assert b"secret" not in Path(output.path).read_bytes()
        assert len(check_file(output).getexif()) == 0
        assert (output.width, output.height) == (48, 64)


def test_run_steps_checks_parameters_and_sizes_again(source: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        run(source, tmp_path, ("resize", {"width": 10**9}))
    small = Limits(max_pixels=48 * 64)
    with pytest.raises(InvalidParameter, match="The result of resize would have"):
        run(source, tmp_path, ("resize", {"width": 100, "upscale": True}), limits=small)
    with pytest.raises(InvalidParameter, match="reaches to"):
        run(source, tmp_path, ("resize", {"width": 32}), ("crop", {"width": 64, "height": 10}))


def test_inspect_tells_everything_of_a_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Canon", 6
    source = save(tmp_path, file_of(noise(300, 400, 3), "JPEG", exif=exif, dpi=(72, 72)))
    found = inspect(source, LIMITS, (256, 64), str(tmp_path))
    assert (found.info.format, found.info.width, found.info.height, found.info.orientation) == (
        "jpg",
        400,
        300,
        6,
    )
    assert found.info.upright_size == (300, 400)
    assert found.metadata.exif["camera_make"] == "Canon"
    assert [(row.role, row.format, row.width, row.height) for row in found.thumbnails] == [
        ("thumbnail", "webp", 192, 256),
        ("thumbnail", "webp", 48, 64),
    ]
    for row in found.thumbnails:
        check_file(row)
    assert pickle.loads(pickle.dumps(found)) == found
    json.dumps([found.metadata.exif, found.metadata.raw], allow_nan=False)


def test_inspect_same_pixels_have_the_same_hash(tmp_path: Path) -> None:
    png = inspect(save(tmp_path, file_of(scene(), "PNG")), LIMITS, (), str(tmp_path))
    bmp = inspect(save(tmp_path, file_of(scene(), "BMP")), LIMITS, (), str(tmp_path))
    other = inspect(save(tmp_path, file_of(scene() // 2, "BMP")), LIMITS, (), str(tmp_path))
    assert (png.pixel_sha256, png.phash) == (bmp.pixel_sha256, bmp.phash)
    assert png.pixel_sha256 != other.pixel_sha256


def test_inspect_refuses_half_a_picture_and_writes_nothing(tmp_path: Path) -> None:
    data = file_of(noise(300, 400, 3), "JPEG").getvalue()
    source = save(tmp_path, io.BytesIO(data[: len(data) // 2]))
    with pytest.raises(ProcessingError) as caught:
        inspect(source, LIMITS, (256,), str(tmp_path))
    assert caught.value.code == "damaged_image"
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_make_thumbnails_in_the_order_asked_for(tmp_path: Path) -> None:
    source = save(tmp_path, file_of(noise(300, 400, 4)))
    specs = [(64, "webp"), (256, "jpg"), (64, "jpg"), (1024, "avif")]
    outputs = make_thumbnails(source, specs, str(tmp_path), LIMITS)
    assert [(row.format, row.width, row.height) for row in outputs] == [
        ("webp", 64, 48),
        ("jpg", 256, 192),
        ("jpg", 64, 48),
        ("avif", 400, 300),
    ]
    for row in outputs:
        check_file(row)


def test_functions_run_in_a_spawned_process(source: str, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        outputs = pool.apply(run_steps, (source, [("webp", {})], str(tmp_path), LIMITS))
        assert isinstance(pool.apply(inspect, (source, LIMITS, (64,), str(tmp_path))), Inspection)
        with pytest.raises(InvalidParameter) as caught:
            pool.apply(run_steps, (source, [("blur", {"sigma_px": -1})], str(tmp_path), LIMITS))
    assert outputs[0].format == "webp"
    assert caught.value.field == "sigma_px"


def test_module_starts_without_django_and_slow_packages() -> None:
    code = "import sys, processing.tasks.operations; print([m for m in sys.argv[1:] if m in sys.modules])"
    names = ["django", "torch", "pillow_heif", "jsonschema", "scipy", "pebble"]
    found = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

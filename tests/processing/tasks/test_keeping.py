"""An operation changes nothing that it was not asked to change: every operation, format and property."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, JpegImagePlugin

from processing.algorithms.codecs.decoding import decode
from processing.algorithms.codecs.jpeg_lossless import CLOCKWISE, MIRROR, TRANSPOSE, UPEND, Move, moved
from processing.algorithms.codecs.sixteen_bit import encode_16_bit, reduced_note
from processing.algorithms.operations.table import OPERATIONS, validate_parameters
from processing.tasks.operations import Output, run_steps
from tests.processing.algorithms.operations.test_table import HERE, NEEDED
from tests.processing.algorithms.pictures import LIMITS, noise, png_chunk, scene, swapped_profile
from tests.processing.algorithms.prints import clean_print

MOVING = {
    "flip": {"direction": "horizontal"},
    "rotate": {"angle": 90},
    "crop": {"x": 16, "y": 32, "width": 33, "height": 15},
    "strip_metadata": {},
}
STAYING = [name for name in HERE if OPERATIONS[name].kind != "convert"]
DPI = {"BMP", "PNG", "JPEG", "TIFF"}


def stripes(width: int = 96, height: int = 64) -> np.ndarray:
    """One pixel red, one pixel blue: all of it is detail of colour."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, ::2, 0], pixels[:, 1::2, 2] = 255, 255
    return pixels


def run(
    folder: Path, source: Image.Image | bytes, format: str, *steps: tuple[str, dict], **options: Any
) -> Output:
    """The result of a chain of operations on an image that is stored in this way."""
    path = folder / f"source.{format.lower()}"
    if isinstance(source, bytes):
        path.write_bytes(source)
    else:
        source.save(path, format, **options)
    return run_steps(
        str(path), [(name, NEEDED.get(name, {}) | given) for name, given in steps], str(folder), LIMITS
    )[0]


def pixels_of(output: Output) -> np.ndarray:
    return np.array(Image.open(output.path).convert("RGB"))


def expected_of(name: str, pixels: np.ndarray) -> np.ndarray:
    return {
        "flip": pixels[:, ::-1],
        "rotate": np.rot90(pixels, -1),
        "crop": pixels[32:47, 16:49],
        "strip_metadata": pixels,
    }[name]


def test_every_operation_says_whether_it_moves() -> None:
    assert {name for name, spec in OPERATIONS.items() if spec.moves is not None} == {
        *MOVING,
        *("convert", "jpg", "png", "webp", "avif"),
    }
    for name, parameters in MOVING.items():
        assert OPERATIONS[name].exact_moves(96, 64, validate_parameters(name, parameters)) is not None
    assert OPERATIONS["rotate"].exact_moves(96, 64, validate_parameters("rotate", {"angle": 30})) is None


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("format", ["WEBP", "PNG", "TIFF", "BMP"])
def test_moving_keeps_every_value_of_a_lossless_file(tmp_path: Path, name: str, format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    output = run(tmp_path, Image.fromarray(stripes()), format, (name, MOVING[name]), **options)
    assert np.array_equal(pixels_of(output), expected_of(name, stripes()))
    assert Image.open(output.path).format == format


@pytest.mark.parametrize("name", STAYING)
def test_a_lossless_webp_stays_lossless(tmp_path: Path, name: str) -> None:
    given = MOVING.get(name, {})
    output = run(tmp_path, Image.fromarray(stripes()), "WEBP", (name, given), lossless=True)
    path = tmp_path / "exact"
    path.mkdir()
    exact = run(path, Image.fromarray(stripes()), "PNG", (name, given))
    if output.format == exact.format or name == "enhance_fingerprint":
        return  # it has a format of its own
    assert np.array_equal(
        np.array(Image.open(output.path).convert("RGBA")), np.array(Image.open(exact.path).convert("RGBA"))
    )


@pytest.mark.parametrize("name", STAYING)
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_a_jpeg_keeps_its_resolution_of_colour(tmp_path: Path, name: str, subsampling: str) -> None:
    output = run(
        tmp_path,
        Image.fromarray(scene()),
        "JPEG",
        (name, {"crop": {"x": 3, "y": 5}}.get(name, {})),
        subsampling=subsampling,
    )
    image = Image.open(output.path)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.mode == "RGB":
        assert JpegImagePlugin.get_sampling(image) == {"4:4:4": 0, "4:2:0": 2}[subsampling]


@pytest.mark.parametrize("format", ["jpg", "avif"])
@pytest.mark.parametrize("source", ["PNG", "BMP", "TIFF", "WEBP"])
def test_conversion_keeps_the_resolution_of_colour(tmp_path: Path, format: str, source: str) -> None:
    options = {"lossless": True} if source == "WEBP" else {}
    output = run(tmp_path, Image.fromarray(stripes()), source, (format, {"quality": 100}), **options)
    assert np.abs(pixels_of(output).astype(int) - stripes()).mean() < 5


BACK = {"flip": (MIRROR,), "rotate": CLOCKWISE[3], "strip_metadata": ()}


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"subsampling": "4:2:2"}], ids=str
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_moving_a_jpeg_compresses_nothing_again(tmp_path: Path, name: str, options: dict, mode: str) -> None:
    source = Image.fromarray(noise(64, 96, 3)).convert(mode)
    output = run(tmp_path, source, "JPEG", (name, MOVING[name]), quality=60, comment=b"secret", **options)
    before, after = Image.open(tmp_path / "source.jpeg"), Image.open(output.path)
    if name == "crop":
        # Colour is smoothed across the edges of a cut only by decoders.
        inner = (slice(2, -2), slice(2, -2))
        found, expected = np.array(after)[inner], expected_of(name, np.array(before))[inner]
        assert np.abs(found.astype(int) - expected).max() == 0
    else:
        back = moved(Path(output.path).read_bytes(), BACK[name])
        assert back is not None
        assert np.array_equal(np.array(Image.open(io.BytesIO(back))), np.array(before))
    close = np.abs(
        np.array(after.convert("L")).astype(int) - expected_of(name, np.array(before.convert("L")))
    )
    assert close.mean() < 3
    tables = {key: sorted(table) for key, table in before.quantization.items()}
    assert {key: sorted(table) for key, table in after.quantization.items()} == tables
    assert b"secret" not in Path(output.path).read_bytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stripping_turns_a_jpeg_upright_without_loss(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = Image.fromarray(noise(64, 96))
    output = run(tmp_path, source, "JPEG", ("strip_metadata", {}), exif=exif, quality=50)
    with open(tmp_path / "source.jpeg", "rb") as stream:
        upright = decode(stream, limits=LIMITS).pixels
    after = Image.open(output.path)
    # The inverse transform of a decoder rounds a mirrored block a little otherwise.
    assert np.abs(np.array(after).astype(int) - upright).max() <= 1
    assert "exif" not in after.info


def test_a_cut_through_blocks_keeps_the_quantization(tmp_path: Path) -> None:
    box = {"x": 3, "y": 5, "width": 40, "height": 30}
    output = run(tmp_path, Image.fromarray(scene(64, 96)), "JPEG", ("crop", box), quality=93)
    before, after = Image.open(tmp_path / "source.jpeg"), Image.open(output.path)
    assert after.quantization == before.quantization
    assert after.size == (40, 30)


def test_a_named_quality_is_obeyed(tmp_path: Path) -> None:
    sizes = [
        run(tmp_path, Image.fromarray(noise(64, 96, 3)), "JPEG", ("flip", {"quality": quality})).byte_size
        for quality in (20, 90)
    ]
    assert sizes[0] < sizes[1] / 2


def test_a_profile_that_is_no_srgb_is_still_converted(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (profile, srgb):
        output = run(tmp_path, Image.fromarray(scene()), "JPEG", ("strip_metadata", {}), icc_profile=icc)
        assert "icc_profile" not in Image.open(output.path).info


MOVES = {
    "mirror": (MIRROR,),
    "upend": (UPEND,),
    "transpose": (TRANSPOSE,),
    "90": CLOCKWISE[1],
    "270": CLOCKWISE[3],
}


@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
def test_a_jpeg_whose_edge_cuts_a_block_is_not_moved(moves: tuple[Move, ...]) -> None:
    stream = io.BytesIO()
    Image.fromarray(scene(61, 93)).save(stream, "JPEG")
    found = moved(stream.getvalue(), moves)
    assert (found is None) == (moves != (TRANSPOSE,))


# --- resolution -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAYING)
@pytest.mark.parametrize("format", sorted(DPI))
def test_every_operation_states_the_resolution_of_its_source(tmp_path: Path, name: str, format: str) -> None:
    path = tmp_path / f"source.{format.lower()}"
    Image.fromarray(scene()).save(path, format, dpi=(500, 500))
    for output in run_steps(str(path), [(name, NEEDED.get(name, {}))], str(tmp_path), LIMITS):
        expected = 500 * output.width / 64 if name == "resize" else 500
        assert Image.open(output.path).info["dpi"] == pytest.approx((expected, expected), abs=0.6)


@pytest.mark.parametrize("source", sorted(DPI))
@pytest.mark.parametrize("format", ["png", "jpg", "tiff", "bmp"])
def test_conversion_states_the_resolution_of_its_source(tmp_path: Path, source: str, format: str) -> None:
    if format.upper() == source or (format, source) == ("jpg", "JPEG"):
        return
    step = ("convert", {"format": format})
    output = run(tmp_path, Image.fromarray(scene()), source, step, dpi=(300, 300))
    assert Image.open(output.path).info["dpi"] == pytest.approx((300, 300), abs=0.1)
    output = run(tmp_path, Image.fromarray(scene()), "WEBP", step)
    with open(output.path, "rb") as stream:
        assert decode(stream, limits=LIMITS).info.dpi is None


def test_a_quarter_turn_turns_the_resolution(tmp_path: Path) -> None:
    output = run(tmp_path, Image.fromarray(scene()), "TIFF", ("rotate", {"angle": 90}), dpi=(200, 100))
    assert Image.open(output.path).info["dpi"] == (100, 200)
    output = run(tmp_path, Image.fromarray(scene()), "TIFF", ("rotate", {"angle": 30}), dpi=(200, 100))
    with open(output.path, "rb") as stream:
        assert decode(stream, limits=LIMITS).info.dpi is None


@pytest.mark.parametrize("method", ["standard", "gabor"])
@pytest.mark.parametrize("format", ["bmp", "png", "tiff", "jpg"])
def test_both_prints_state_the_resolution(tmp_path: Path, method: str, format: str) -> None:
    path = tmp_path / "print.png"
    Image.fromarray(clean_print()).save(path, dpi=(500, 500))
    step = ("enhance_fingerprint", {"method": method, "format": format})
    outputs = run_steps(str(path), [step], str(tmp_path), LIMITS)
    assert [output.role for output in outputs] == ["enhanced", "original_copy"]
    for output in outputs:
        assert Image.open(output.path).info["dpi"] == pytest.approx((500, 500), abs=0.1)


# --- palettes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("colours", [2, 4, 16, 200])
def test_a_palette_stays_one(tmp_path: Path, name: str, format: str, colours: int) -> None:
    source = Image.fromarray(scene(64, 96)).quantize(colours)
    output = run(tmp_path, source, format, (name, MOVING[name]))
    assert Image.open(output.path).mode == "P"
    assert np.array_equal(pixels_of(output), expected_of(name, np.array(source.convert("RGB"))))
    if name == "strip_metadata":
        assert output.byte_size <= (tmp_path / f"source.{format.lower()}").stat().st_size * 1.1 + 60


def test_a_palette_with_transparency_stays_one(tmp_path: Path) -> None:
    source = Image.fromarray(scene(64, 96)).quantize(8)
    output = run(tmp_path, source, "PNG", ("flip", {}), transparency=b"\x00\x80\xff\x20")
    before = np.array(Image.open(tmp_path / "source.png").convert("RGBA"))
    after = Image.open(output.path)
    assert after.mode == "P"
    assert np.array_equal(np.array(after.convert("RGBA")), before[:, ::-1])


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_black_and_white_stays_one_bit(tmp_path: Path, format: str) -> None:
    output = run(tmp_path, Image.fromarray(noise(64, 96) > 128), format, ("flip", {}))
    assert Image.open(output.path).mode == "1"
    assert np.array_equal(pixels_of(output)[:, :, 0] > 0, (noise(64, 96) > 128)[:, ::-1])


# --- sixteen bits ---------------------------------------------------------------------------------------


def deep(channels: int) -> np.ndarray:
    shape = (64, 96) if channels == 1 else (64, 96, channels)
    return np.random.default_rng(channels).integers(0, 65_536, shape, dtype=np.uint16)


def deep_file(values: np.ndarray, format: str) -> bytes:
    channels = 1 if values.ndim == 2 else values.shape[2]
    pixels = values if channels == 1 else values[:, :, 0] if channels == 2 else values[:, :, :3]
    alpha = values[:, :, -1] if channels in (2, 4) else None
    return encode_16_bit(np.ascontiguousarray(pixels), alpha, format=format, dpi=None)


def deep_pixels(path: str) -> np.ndarray:
    if path.endswith("tiff"):
        return tifffile.imread(path)
    found = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if found.ndim == 2:
        return found
    return found[:, :, ::-1] if found.shape[2] == 3 else found[:, :, [2, 1, 0, 3]]


@pytest.mark.parametrize("name", [*MOVING, "convert"])
@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_moving_keeps_sixteen_bits(tmp_path: Path, name: str, format: str, channels: int) -> None:
    values = deep(channels)
    if (format, channels) == ("tiff", 2):
        return  # Pillow reads no such TIFF
    target = {"png": "tiff", "tiff": "png"}[format]
    if target == "tiff" and channels == 2 and name == "convert":
        return
    step = (name, {"format": target} if name == "convert" else MOVING[name])
    output = run(tmp_path, deep_file(values, format), format, step)
    expected = values if name == "convert" else expected_of(name, values)
    found = deep_pixels(output.path)
    if channels == 2:  # OpenCV shows grey with transparency as colour
        found = found[:, :, 2:] if found.shape[2] == 4 else found
    assert np.array_equal(found, expected)
    assert output.notes == ()


@pytest.mark.parametrize("name", [*MOVING, "convert"])
@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_moving_keeps_sixteen_bits_and_their_profile(
    tmp_path: Path, name: str, format: str, channels: int
) -> None:
    values = deep(channels)
    pixels, alpha = (values[:, :, :3], values[:, :, 3]) if channels == 4 else (values, None)
    profile = swapped_profile()
    data = encode_16_bit(pixels, alpha, format=format, dpi=None, profile=profile)
    target = {"png": "tiff", "tiff": "png"}[format]
    step = (name, {"format": target} if name == "convert" else MOVING[name])
    output = run(tmp_path, data, format, step)
    expected = values if name == "convert" else expected_of(name, values)
    assert np.array_equal(deep_pixels(output.path), expected)
    assert Image.open(output.path).info["icc_profile"] == profile
    assert output.notes == ()


@pytest.mark.parametrize(
    ("type", "bits"), [(np.float32, 32), (np.uint32, 32), (np.int32, 32), (np.int16, 16)]
)
def test_wide_values_that_become_eight_bits_are_said(tmp_path: Path, type: type, bits: int) -> None:
    tifffile.imwrite(tmp_path / "wide.tiff", np.array([[0, 1, 255]], type))
    output = run(tmp_path, (tmp_path / "wide.tiff").read_bytes(), "tiff", ("flip", MOVING["flip"]))
    assert output.notes == (reduced_note(bits),)


def test_sixteen_bits_of_srgb_state_no_profile(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encode_16_bit(deep(3), None, format="png", dpi=None, profile=srgb)
    output = run(tmp_path, data, "png", ("flip", MOVING["flip"]))
    assert np.array_equal(deep_pixels(output.path), deep(3)[:, ::-1])
    assert "icc_profile" not in Image.open(output.path).info


def test_a_profile_that_is_no_srgb_is_applied_where_values_change(tmp_path: Path) -> None:
    data = encode_16_bit(deep(3), None, format="png", dpi=None, profile=swapped_profile())
    output = run(tmp_path, data, "png", ("brightness", {"factor": 1}))
    assert output.notes == (reduced_note(16),)
    assert "icc_profile" not in Image.open(output.path).info
    expected = decode(io.BytesIO(data), limits=LIMITS).pixels
    assert np.array_equal(pixels_of(output), expected)


@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_everything_else_divides_by_257_and_says_so(tmp_path: Path, format: str, channels: int) -> None:
    values = deep(channels)
    output = run(tmp_path, deep_file(values, format), format, ("brightness", {"factor": 1}))
    expected = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    assert np.array_equal(np.array(Image.open(output.path)), expected)
    assert output.notes == (reduced_note(16),)
    output = run(tmp_path, deep_file(values, format), format, ("webp", {"quality": 90}))
    assert output.notes == (reduced_note(16),)


def test_sixteen_bit_png_transparent_colour_is_exact(tmp_path: Path) -> None:
    """A colour that differs from the transparent one in its lower byte alone is opaque."""
    values = np.zeros((2, 2, 3), np.uint16)
    values[0, 0] = (0x1234, 0x5678, 0x9ABC)
    values[0, 1] = (0x1235, 0x5678, 0x9ABC)
    data = deep_file(values, "png")
    key = values[0, 0].astype(">u2").tobytes()
    place = data.index(b"IDAT") - 4
    output = run(
        tmp_path, data[:place] + png_chunk(b"tRNS", key) + data[place:], "png", ("brightness", {"factor": 1})
    )
    assert np.array(Image.open(output.path))[0, :, 3].tolist() == [0, 255]

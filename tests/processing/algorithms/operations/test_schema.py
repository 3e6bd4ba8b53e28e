"""Parameters: one schema for each operation, one canonical form, sentences that name limit and value."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from processing.algorithms.codecs.probing import Limits
from processing.algorithms.errors import ImageTooLarge, InvalidParameter, ProcessingError, SameFormat
from processing.algorithms.operations.planning import Storage
from processing.algorithms.operations.table import (
    OPERATIONS,
    find_operation,
    storage_for,
    validate_for_source,
    validate_parameters,
    validate_steps,
)

NEEDED: dict[str, dict[str, Any]] = {
    "convert": {"format": "webp"},
    "resize": {"width": 20},
    "crop": {"width": 10, "height": 10},
    "rotate": {"angle": 30},
    "watermark": {"text": "Pix"},
}
FLIP_HAS = "'axis'. Parameters of flip: format, quality, direction."
GIANT = "16384 px; got a number of more than 20 digits."
WRITTEN = "jpg, png, webp, avif, tiff, bmp"
NO_LOSSLESS = "no lossless mode. Use png, webp, tiff or bmp."
SOURCE: dict[str, Any] = {"format": "png", "width": 100, "height": 50}


@pytest.mark.parametrize("name", OPERATIONS)
def test_schema_is_a_valid_and_complete_schema(name: str) -> None:
    spec = OPERATIONS[name]
    Draft202012Validator.check_schema(spec.schema)
    assert json.loads(json.dumps(spec.schema)) == spec.schema
    assert spec.schema["additionalProperties"] is False
    for field, row in spec.schema["properties"].items():
        assert row["title"], field
        assert row["description"], field
        if row["type"] in ("number", "integer"):
            assert {"minimum", "maximum"} <= set(row), field
        if "default" in row:
            Draft202012Validator(row).validate(row["default"])
    assert ("format" in spec.schema["properties"]) == (spec.kind != "convert" or name == "convert")


@pytest.mark.parametrize("name", OPERATIONS)
def test_validate_parameters_is_idempotent(name: str) -> None:
    once = validate_parameters(name, NEEDED.get(name, {}))
    assert validate_parameters(name, once) == once
    assert list(once) == sorted(once)


def test_validate_parameters_equal_requests_are_equal() -> None:
    expected = {"fit": "contain", "upscale": False, "width": 200}
    for parameters in ({"width": 200}, {"width": 200.0}, {"fit": "contain", "width": 200, "upscale": False}):
        found = validate_parameters("resize", parameters)
        assert json.dumps(found) == json.dumps(expected)
    assert json.dumps(validate_parameters("blur", {"intensity": 3})) == '{"sigma_px": 3.0}'
    assert validate_parameters("webp", None) == {"lossless": False}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("blur", "sigma_px"),
        ("sharpen", "amount"),
        ("sepia", "blend"),
        ("brightness", "factor"),
        ("contrast", "factor"),
    ],
)
def test_validate_parameters_intensity_is_an_alias(name: str, target: str) -> None:
    found = validate_parameters(name, {"intensity": 0.5})
    assert found[target] == 0.5
    assert "intensity" not in found
    with pytest.raises(InvalidParameter, match=r"intensity must be between 0 and .*; got -1") as caught:
        validate_parameters(name, {"intensity": -1})
    assert caught.value.field == "intensity"
    with pytest.raises(InvalidParameter, match="not both"):
        validate_parameters(name, {"intensity": 0.5, target: 0.5})


@pytest.mark.parametrize(
    ("name", "parameters", "field", "detail"),
    [
        ("resize", {}, "width", "Resize needs width or height."),
        ("resize", {"width": 10**9}, "width", "width must be between 1 and 16384 px; got 1000000000."),
        ("resize", {"width": 0}, "width", "width must be between 1 and 16384 px; got 0."),
        ("resize", {"width": "200"}, "width", "width must be a whole number; got '200'."),
        ("resize", {"width": True}, "width", "width must be a whole number; got true."),
        ("resize", {"width": 1.5}, "width", "width must be a whole number; got 1.5."),
        ("resize", {"width": None}, "width", "width must be a whole number; got null."),
        ("resize", {"width": [1]}, "width", "width must be a whole number; got a list."),
        ("crop", {"width": 5, "height": -(10**5000)}, "height", f"height must be between 1 and {GIANT}"),
        ("resize", {"width": 9, "fit": ""}, "fit", "fit must be one of: contain, cover, exact; got ''."),
        ("resize", {"width": 9, "upscale": 1}, "upscale", "upscale must be true or false; got 1."),
        ("flip", {"axis": 9}, "axis", f"Unknown parameter {FLIP_HAS}"),
        ("crop", {"width": 5}, "height", "Crop needs height."),
        ("crop", {"width": 5, "height": 5, "x": -1}, "x", "x must be between 0 and 16384 px; got -1."),
        ("blur", {"sigma_px": math.nan}, "sigma_px", "sigma_px must be between 0 and 50 px; got nan."),
        ("blur", {"sigma_px": math.inf}, "sigma_px", "sigma_px must be between 0 and 50 px; got inf."),
        ("jpg", {"quality": 0}, "quality", "quality must be between 1 and 100; got 0."),
        ("convert", {"format": "gif"}, "format", f"format must be one of: {WRITTEN}; got 'gif'."),
        ("convert", {"format": "jpg", "lossless": True}, "lossless", f"jpg has {NO_LOSSLESS}"),
        ("png", {"quality": 5}, "quality", "Unknown parameter 'quality'. Parameters of png: none."),
        ("watermark", {"text": ""}, "text", "text must have 1 to 200 characters; got ''."),
        ("watermark", {"text": "שלום"}, "text", "Right-to-left text is not supported."),
        ("watermark", {"text": "a🙂"}, "text", "The fonts have no glyphs for '🙂'."),
    ],
)  # fmt: skip
def test_validate_parameters_refuses(name: str, parameters: dict, field: str, detail: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate_parameters(name, parameters)
    assert (caught.value.field, caught.value.detail) == (field, detail)


@pytest.mark.parametrize("value", ["a\nb", "a\n", " ", "\x00", "a\x7f"])
def test_validate_parameters_watermark_is_one_line(value: str) -> None:
    with pytest.raises(InvalidParameter):
        validate_parameters("watermark", {"text": value})


@given(
    name=st.sampled_from(sorted(OPERATIONS)),
    parameters=st.dictionaries(
        st.sampled_from(
            sorted({field for spec in OPERATIONS.values() for field in spec.schema["properties"]})
        ),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())),
        max_size=4,
    ),
)
@settings(max_examples=300, deadline=None)
def test_validate_parameters_anything_is_canonical_or_refused(name: str, parameters: dict) -> None:
    try:
        found = validate_parameters(name, parameters)
    except ProcessingError:
        return
    assert validate_parameters(name, json.loads(json.dumps(found, allow_nan=False))) == found


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blurr", "Did you mean blur?"),
        ("Resize", "Did you mean resize?"),
        ("zzz", "Choose one of: convert"),
        (7, "known"),
    ],
)
def test_find_operation_unknown_name_lists_near_ones(name: Any, words: str) -> None:
    with pytest.raises(ProcessingError) as caught:
        find_operation(name)
    assert caught.value.code == "unknown_operation"
    assert words in caught.value.detail


@pytest.mark.parametrize(("name", "parameters"), [("png", {}), ("convert", {"format": "png"})])
def test_validate_for_source_refuses_the_same_format(name: str, parameters: dict) -> None:
    with pytest.raises(SameFormat, match="The image is already in png format"):
        validate_for_source(name, validate_parameters(name, parameters), **SOURCE)


def test_validate_steps_a_pipeline_may_name_the_source_format() -> None:
    validate_steps([("resize", {"width": 5}), ("png", {})], **SOURCE)


def test_validate_for_source_crop_outside_names_both() -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate_for_source("crop", {"x": 95, "y": 0, "width": 10, "height": 10}, **SOURCE)
    assert caught.value.field == "width"
    assert "reaches to 105 × 10 px; the image has 100 × 50 px" in caught.value.detail


def test_validate_steps_follows_the_size_through_the_pipeline() -> None:
    turn_and_cut: list[tuple[str, dict[str, Any]]] = [
        ("rotate", {"angle": 90.0}),
        ("crop", {"width": 50, "height": 100}),
    ]
    validate_steps(turn_and_cut, **SOURCE)
    with pytest.raises(InvalidParameter):
        validate_steps(turn_and_cut[::-1], **SOURCE)


@pytest.mark.parametrize(
    ("parameters", "field", "detail"),
    [
        (
            {"width": 16_000, "height": 16_000, "fit": "exact", "upscale": True},
            "width",
            "The result of resize would have 16000 × 16000 = 256,000,000 pixels; the limit is 50,000,000.",
        ),
        (
            {"height": 16_384, "upscale": True},
            "height",
            "The result of resize would have 32768 × 16384 px; the limit for each side is 16384 px.",
        ),
    ],
)
def test_validate_for_source_refuses_absurd_results(parameters: dict, field: str, detail: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        validate_for_source("resize", validate_parameters("resize", parameters), **SOURCE)
    assert (caught.value.field, caught.value.detail) == (field, detail)


def test_validate_for_source_refuses_what_the_format_cannot_hold() -> None:
    with pytest.raises(ImageTooLarge, match="webp allows at most 16383 px on each side"):
        validate_for_source("webp", {}, format="png", width=16_384, height=1)


def test_validate_for_source_takes_other_limits() -> None:
    with pytest.raises(InvalidParameter, match="the limit is 10"):
        validate_for_source("flip", {}, **SOURCE, limits=Limits(max_pixels=10))


@pytest.mark.parametrize(
    ("steps", "source", "expected"),
    [
        ([("blur", {})], "jpg", Storage("jpg")),
        ([("blur", {})], "gif", Storage("png")),
        ([("blur", {})], "heic", Storage("png")),
        ([("blur", {"format": "webp", "quality": 10})], "jpg", Storage("webp", 10, is_named=True)),
        ([("webp", {"lossless": True}), ("resize", {})], "jpg", Storage("webp", None, True, is_named=True)),
        (
            [("webp", {"lossless": True}), ("jpg", {"progressive": True})],
            "png",
            Storage("jpg", None, False, True, is_named=True),
        ),
        ([("jpg", {"quality": 50}), ("blur", {"quality": 70})], "png", Storage("jpg", 70, is_named=True)),
        ([("enhance_fingerprint", {"format": "bmp"})], "tiff", Storage("bmp", is_named=True)),
    ],
)
def test_storage_for(steps: list, source: str, expected: Storage) -> None:
    assert storage_for(steps, source_format=source) == expected

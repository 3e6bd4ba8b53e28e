"""What worker subprocesses run: paths in, files out. No Django here: a subprocess must start fast."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from processing.algorithms.codecs.decoding import Decoded, decode
from processing.algorithms.codecs.encoding import encode, flattening_note
from processing.algorithms.codecs.jpeg_end import with_end
from processing.algorithms.codecs.jpeg_lossless import UPRIGHT, moved
from processing.algorithms.codecs.probing import ImageInfo, Limits
from processing.algorithms.codecs.raster import Raster, flatten
from processing.algorithms.codecs.sixteen_bit import FORMATS as SIXTEEN_BIT_FORMATS
from processing.algorithms.codecs.sixteen_bit import reduced_note
from processing.algorithms.codecs.thumbnails import decode_scaled, perceptual_hash, shrink
from processing.algorithms.context import ExecutionContext, part_of
from processing.algorithms.denoise.noise import estimate_sigma
from processing.algorithms.metadata.reading import Metadata, read_metadata
from processing.algorithms.operations.keeping import Course, Encoding, encoding_for, follow
from processing.algorithms.operations.planning import Storage, check_result_size
from processing.algorithms.operations.table import find_operation, storage_for, validate_parameters
from processing.algorithms.pixels.visible import without_hidden
from processing.tasks.progress import ProgressFile

_THUMBNAIL_FORMAT = "webp"
ORIGINAL_COPY = "original_copy"


@dataclass(frozen=True)
class Output:
    """A file that was written.

    Attributes:
        role: result, enhanced, original_copy or thumbnail.
        path: where it lies.
        format: a key of `FORMATS`.
        width, height: size in px.
        byte_size, sha256: of the file.
        notes: sentences for the user.
        facts: how it was made, by the name of the operation: model, hash of its weights, device, noise.
    """

    role: str
    path: str
    format: str
    width: int
    height: int
    byte_size: int
    sha256: str
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """What is known of an image that was decoded as a whole.

    Attributes:
        info: header facts.
        metadata: EXIF, normalised and raw, and the place.
        phash: perceptual hash, signed 64 bits.
        pixel_sha256: of the decoded upright pixels: equal for files that only differ in their wrapping.
        thumbnails: one for each size asked for.
        notes: sentences for the user about what could not be kept.
    """

    info: ImageInfo
    metadata: Metadata
    phash: int
    pixel_sha256: str
    thumbnails: tuple[Output, ...]
    notes: tuple[str, ...]


def run_steps(
    source_path: str,
    steps: Sequence[tuple[str, Mapping[str, Any]]],
    out_dir: str,
    limits: Limits,
    models_dir: str = "",
) -> list[Output]:
    """Run one operation (a list of one step) or a pipeline (several steps, one result).

    Args:
        source_path: the image file.
        steps: names and parameters, in order; checked again and brought to their canonical form.
        out_dir: an existing folder for the results; a long operation also reports its progress there.
        limits: what is accepted as source and as result.
        models_dir: the folder of the installed models.

    Returns:
        One output of role `result`; for `enhance_fingerprint` as last step `enhanced` and `original_copy`.

    Raises:
        ProcessingError: the image or a parameter is at fault.
        Stopped: somebody asked in `out_dir` to stop.
    """
    checked = [(name, validate_parameters(name, parameters)) for name, parameters in steps]
    rows = [(find_operation(name), parameters) for name, parameters in checked]
    can_move = all(spec.moves is not None for spec, _ in rows)
    with open(source_path, "rb") as stream:
        source = decode(stream, limits=limits, keep_16_bit=can_move)
    storage = storage_for(checked, source_format=source.info.format)
    course = follow(rows, size=source.pixels.shape[1::-1], dpi=source.origin.dpi)
    original, notes = _source_raster(source, storage, course)
    folder = Path(out_dir)
    if (moved := _moved_jpeg(source_path, source, storage, course)) is not None:
        return [_output(moved, replace(original, notes=notes), folder, "result", "jpg", size=course.size)]
    result = _apply(
        replace(original, notes=notes),
        checked,
        limits,
        ExecutionContext(Path(models_dir), ProgressFile(folder).report),
    )
    roles = find_operation(checked[-1][0]).roles
    encoding = encoding_for(storage, source.origin, course)
    outputs = [_write(result, encoding, folder, role=roles[0])]
    if ORIGINAL_COPY in roles:
        copy = encoding_for(storage, source.origin, follow([], size=course.size, dpi=source.origin.dpi))
        outputs.append(_write(replace(original, notes=notes), copy, folder, role=ORIGINAL_COPY))
    return outputs


def _source_raster(source: Decoded, storage: Storage, course: Course) -> tuple[Raster, tuple[str, ...]]:
    """The pixels to work on, in 16 bits where the result can have them, and what to say of the source."""
    if source.deep is not None and course.moves is not None and storage.format in SIXTEEN_BIT_FORMATS:
        return Raster(*source.deep), source.notes
    reduced = (reduced_note(source.origin.bits),) if source.origin.bits > 8 else ()
    return Raster(source.pixels, source.alpha), source.notes + reduced


def _moved_jpeg(source_path: str, source: Decoded, storage: Storage, course: Course) -> bytes | None:
    """The result without compressing it again, where only pixels of a JPEG move and nothing else is asked for."""
    is_same = storage.format == source.info.format == "jpg" and not storage.is_named
    if not is_same or storage.quality is not None or course.moves is None or source.origin.is_recoloured:
        return None
    moves = UPRIGHT[source.info.orientation] + course.moves
    try:
        with open(source_path, "rb") as stream:
            whole = with_end(stream) or stream
            whole.seek(0)
            data = moved(whole.read(), moves, dpi=course.dpi)
        is_right = data is not None and Image.open(io.BytesIO(data)).size == course.size
    except (OSError, ValueError, ArithmeticError, LookupError):  # what one decoder forgave, another may not
        return None
    return data if is_right else None


def _apply(
    raster: Raster,
    steps: Sequence[tuple[str, Mapping[str, Any]]],
    limits: Limits,
    context: ExecutionContext,
) -> Raster:
    notes, facts = raster.notes, dict(raster.facts)
    for index, (name, parameters) in enumerate(steps):
        spec = find_operation(name)
        check_result_size(name, *spec.size_after(raster.width, raster.height, parameters), limits=limits)
        share = part_of(context.progress, index, len(steps))
        before = replace(raster, facts={})  # so that a step without facts hands on none of an earlier one
        raster = spec.apply(before, parameters, replace(context, progress=share))
        notes += tuple(note for note in raster.notes if note not in notes)
        facts |= {name: dict(raster.facts)} if raster.facts else {}
    return Raster(raster.pixels, raster.alpha, notes, facts)


def inspect(path: str, limits: Limits, thumbnail_sizes: tuple[int, ...], out_dir: str) -> Inspection:
    """Prove an image whole by decoding it, and gather everything that is shown of it.

    Args:
        path: the image file.
        limits: what is accepted.
        thumbnail_sizes: longest sides in px; each is written as WebP.
        out_dir: an existing folder for the thumbnails.

    Raises:
        ProcessingError: not an image, refused, too large or damaged.
    """
    with open(path, "rb") as stream:
        decoded = decode(stream, limits=limits)
        metadata = read_metadata(stream, limits=limits)
    specs = [(size, _THUMBNAIL_FORMAT) for size in thumbnail_sizes]
    digest = hashlib.sha256(repr(decoded.pixels.shape).encode())
    for plane in (decoded.pixels, decoded.alpha):
        if plane is not None:
            digest.update(np.ascontiguousarray(plane).data)
    return Inspection(
        info=decoded.info,
        metadata=metadata,
        phash=perceptual_hash(flatten(decoded.pixels, decoded.alpha)),
        pixel_sha256=digest.hexdigest(),
        thumbnails=tuple(_thumbnails(Raster(decoded.pixels, decoded.alpha), specs, Path(out_dir))),
        notes=decoded.notes,
    )


def noise_of(path: str, limits: Limits) -> float:
    """Standard deviation of an image file's noise, in grey levels of 255 (see `noise.estimate_sigma`)."""
    with open(path, "rb") as stream:
        decoded = decode(stream, limits=limits)
    return estimate_sigma(without_hidden(decoded.pixels, decoded.alpha), decoded.alpha)


def make_thumbnails(
    source_path: str, specs: Sequence[tuple[int, str]], out_dir: str, limits: Limits
) -> list[Output]:
    """Write thumbnails from one scaled decode.

    Args:
        source_path: the image file.
        specs: longest side in px and format of each; a smaller source keeps its size.
        out_dir: an existing folder for the results.
        limits: what is accepted.

    Returns:
        One output of role `thumbnail` for each spec, in their order.
    """
    largest = max(size for size, _ in specs)
    with open(source_path, "rb") as stream:
        decoded = decode_scaled(stream, size=largest, limits=limits)
    return _thumbnails(Raster(decoded.pixels, decoded.alpha, decoded.notes), specs, Path(out_dir))


def _thumbnails(raster: Raster, specs: Sequence[tuple[int, str]], out_dir: Path) -> list[Output]:
    """Largest first, each made from the one before: the big image is reduced only once."""
    written: dict[tuple[int, str], Output] = {}
    for size, format in sorted(set(specs), reverse=True):
        raster = shrink(raster, size=size)
        written[size, format] = _write(raster, Encoding(format), out_dir, role="thumbnail", label=f"-{size}")
    return [written[size, format] for size, format in specs]


def _write(raster: Raster, encoding: Encoding, out_dir: Path, *, role: str, label: str = "") -> Output:
    data = encode(raster.pixels, raster.alpha, **encoding.as_arguments())
    return _output(data, raster, out_dir, f"{role}{label}", encoding.format, role=role)


def _output(
    data: bytes,
    raster: Raster,
    out_dir: Path,
    stem: str,
    format: str,
    *,
    role: str = "",
    size: tuple[int, int] | None = None,
) -> Output:
    path = out_dir / f"{stem}.{format}"
    path.write_bytes(data)
    width, height = size or (raster.width, raster.height)
    return Output(
        role=role or stem,
        path=str(path),
        format=format,
        width=width,
        height=height,
        byte_size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        notes=raster.notes + flattening_note(raster.alpha, format=format),
        facts=raster.facts,
    )

"""What worker subprocesses run: paths in, files out. No Django here: a subprocess must start fast."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from processing.algorithms.codecs.decoding import Decoded, decode
from processing.algorithms.codecs.encoding import encode, flattening_note
from processing.algorithms.codecs.metadata import Metadata, read_metadata
from processing.algorithms.codecs.probing import ImageInfo, Limits
from processing.algorithms.codecs.raster import Raster, flatten
from processing.algorithms.codecs.thumbnails import decode_scaled, perceptual_hash, shrink
from processing.algorithms.context import ExecutionContext
from processing.algorithms.denoise.noise import estimate_sigma
from processing.algorithms.operations.planning import Storage, check_result_size
from processing.algorithms.operations.table import find_operation, storage_for, validate_parameters
from processing.algorithms.pixels.visible import without_hidden
from processing.tasks.progress import ProgressFile

_THUMBNAIL_STORAGE = Storage("webp")
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
    with open(source_path, "rb") as stream:
        source = decode(stream, limits=limits)
    storage = storage_for(checked, source_format=source.info.format)
    original = Raster(source.pixels, source.alpha, source.notes)
    result = _apply(
        original, checked, limits, ExecutionContext(Path(models_dir), ProgressFile(Path(out_dir)).report)
    )
    roles = find_operation(checked[-1][0]).roles
    outputs = [_write(result, storage, Path(out_dir), role=roles[0])]
    if ORIGINAL_COPY in roles:
        outputs.append(_write(original, storage, Path(out_dir), role=ORIGINAL_COPY))
    return outputs


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
        share = _part_of(context.progress, index, len(steps))
        before = replace(raster, facts={})  # so that a step without facts hands on none of an earlier one
        raster = spec.apply(before, parameters, replace(context, progress=share))
        notes += tuple(note for note in raster.notes if note not in notes)
        facts |= {name: dict(raster.facts)} if raster.facts else {}
    return Raster(raster.pixels, raster.alpha, notes, facts)


def _part_of(progress: Callable[[float], None], index: int, count: int) -> Callable[[float], None]:
    return lambda share: progress((index + share) / count)


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
    specs = [(size, _THUMBNAIL_STORAGE.format) for size in thumbnail_sizes]
    return Inspection(
        info=decoded.info,
        metadata=metadata,
        phash=perceptual_hash(flatten(decoded.pixels, decoded.alpha)),
        pixel_sha256=_pixel_sha256(decoded),
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
        written[size, format] = _write(raster, Storage(format), out_dir, role="thumbnail", label=f"-{size}")
    return [written[size, format] for size, format in specs]


def _write(raster: Raster, storage: Storage, out_dir: Path, *, role: str, label: str = "") -> Output:
    data = encode(
        raster.pixels,
        raster.alpha,
        format=storage.format,
        quality=storage.quality,
        lossless=storage.lossless,
        progressive=storage.progressive,
    )
    path = out_dir / f"{role}{label}.{storage.format}"
    path.write_bytes(data)
    return Output(
        role=role,
        path=str(path),
        format=storage.format,
        width=raster.width,
        height=raster.height,
        byte_size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        notes=raster.notes + flattening_note(raster.alpha, format=storage.format),
        facts=raster.facts,
    )


def _pixel_sha256(decoded: Decoded) -> str:
    digest = hashlib.sha256(repr(decoded.pixels.shape).encode())
    digest.update(np.ascontiguousarray(decoded.pixels).data)
    if decoded.alpha is not None:
        digest.update(np.ascontiguousarray(decoded.alpha).data)
    return digest.hexdigest()

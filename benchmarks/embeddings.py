"""Embeddings of pictures in files: one at a time as the model's own instructions do it, beside Pix's batches.

Random weights: they cost the same as trained ones, which need not be installed.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.harness.pictures import sources
from benchmarks.harness.results import Result
from processing.algorithms.codecs.probing import Limits
from processing.algorithms.codecs.raster import Raster
from processing.algorithms.embedding.embedders import BATCH, EMBEDDERS, EmbedderSpec, normalised, ready
from processing.algorithms.embedding.inputs import prepare, read

NAME = "embeddings"
SIDE_PX = 1024
ROUNDS = 4


def measure(*, is_quick: bool) -> list[Result]:
    names = ["pix_small"] if is_quick else list(EMBEDDERS)
    with tempfile.TemporaryDirectory() as folder:
        paths = files(Path(folder), BATCH)
        return [row for name in names for row in rows(EMBEDDERS[name], paths, is_quick=is_quick)]


def files(folder: Path, count: int) -> list[Path]:
    """JPEG files of about a megapixel."""
    originals = list(sources())
    paths = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        with Image.open(originals[number % len(originals)]) as opened:
            picture = opened.convert("RGB")
        scale = SIDE_PX / max(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        picture.resize(size).save(path, "JPEG", quality=90)
        paths.append(path)
    return paths


def rows(spec: EmbedderSpec, paths: Sequence[Path], *, is_quick: bool) -> list[Result]:
    import torch

    torch.manual_seed(0)
    network = spec.build(None).eval()
    state = network.state_dict()
    other = spec.build(None)
    other.load_state_dict(state)
    embedder = ready(spec, other)
    (usual, usual_s), (fast, fast_s) = best(
        lambda: one_by_one(network, spec, paths), lambda: embedder.embed(inputs(spec, paths))
    )
    cosine = float((usual * fast).sum(axis=1).min())
    detail = f"{len(paths)} JPEG files of 1 megapixel, {embedder.precision}, {os.cpu_count()} cores"
    goal = None if is_quick or spec.name == "pix_small" else 3
    return [
        Result(NAME, f"{spec.name}: against one by one", usual_s / fast_s, "×", goal, detail=detail),
        Result(NAME, f"{spec.name}: pictures", len(paths) / fast_s, "/s", better="more"),
        Result(NAME, f"{spec.name}: cosine to float32, lowest", cosine, "", 0.999),
    ]


def best(*works: Callable[[], np.ndarray]) -> list[tuple[np.ndarray, float]]:
    """What each gives and its shortest time; they take turns, so that other load meets all of them."""
    answers, times = [work() for work in works], [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for place, work in enumerate(works):
            started = time.perf_counter()
            work()
            times[place] = min(times[place], time.perf_counter() - started)
    return list(zip(answers, times, strict=True))


def one_by_one(network: object, spec: EmbedderSpec, paths: Sequence[Path]) -> np.ndarray:
    """As the published examples do it: open, prepare, run, one image at a time, in float32."""
    import torch

    vectors = []
    with torch.no_grad():
        for path in paths:
            with Image.open(path) as opened:
                pixels = np.asarray(opened.convert("RGB"))
            values = prepare(Raster(pixels), spec.recipe)
            vectors.append(network(torch.from_numpy(values[None])).numpy())  # type: ignore[operator]
    return normalised(np.concatenate(vectors))


def inputs(spec: EmbedderSpec, paths: Sequence[Path]) -> list[np.ndarray]:
    with ThreadPoolExecutor(os.cpu_count() or 2) as threads:
        return list(threads.map(lambda path: prepared(spec, path), paths))


def prepared(spec: EmbedderSpec, path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        return read(stream, spec.recipe, limits=Limits())

"""Near-duplicates: how many altered copies are found, and how many of what is found are none.

Copies are made of scikit-image's photographs and, where PIX_TEST_DATA names them, of real ones; its own copies are
searched too. Vectors help where pix_small is there; without it the hashes stand alone.
"""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.harness.pictures import PACKAGED, sources
from benchmarks.harness.results import Result
from ml_models import weights
from processing.algorithms.codecs.raster import Raster
from processing.algorithms.codecs.thumbnails import perceptual_hash
from processing.algorithms.duplicates.pairs import find_pairs
from processing.algorithms.embedding.embedders import EMBEDDERS, load_embedder
from processing.algorithms.embedding.inputs import prepare

NAME = "near_duplicates"
MODEL = "pix_small"
SIDE_PX = 640
Picture = Image.Image
Groups = list[tuple[str, Picture]]  # what each picture is a copy of


def jpeg(picture: Picture, quality: int = 90) -> Picture:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def cropped(picture: Picture) -> Picture:
    """Without 5 % of each side's length, all of it taken at one corner."""
    return jpeg(picture.crop((0, 0, round(picture.width * 0.95), round(picture.height * 0.95))))


ALTERED: dict[str, Callable[[Picture], Picture]] = {
    "recoded": lambda picture: jpeg(picture, 40),
    "resized": lambda picture: jpeg(picture.resize((picture.width // 2, picture.height // 2))),
    "cropped": cropped,
    "brighter": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(1.25)),
    "darker": lambda picture: jpeg(ImageEnhance.Brightness(picture).enhance(0.75)),
}


def measure(*, is_quick: bool) -> list[Result]:
    results = rows("made copies", made_copies(3 if is_quick else 150))
    if real := list(real_copies()):
        results += rows("near_duplicates/copies", real)
    return results


def rows(title: str, groups: Groups) -> list[Result]:
    vectors = vectors_of([picture for _, picture in groups])
    hashes = np.array([perceptual_hash(np.asarray(picture)) for _, picture in groups], np.int64)
    with_what = "by hash alone" if vectors is None else f"by hash and {MODEL}"
    recall, precision, detail = judged(groups, hashes, vectors)
    alone, _, _ = judged(groups, hashes, None)
    return [
        Result(NAME, f"{title}: recall", recall, "", detail=f"{with_what}; {alone:.3f} by hash alone"),
        Result(NAME, f"{title}: precision", precision, "", detail=detail),
    ]


def judged(groups: Groups, hashes: np.ndarray, vectors: np.ndarray | None) -> tuple[float, float, str]:
    """Recall, precision, and both as counts."""
    reported = {(pair.first, pair.second) for pair in find_pairs(hashes, vectors)}
    names = np.array([name for name, _ in groups])
    true = {tuple(pair) for pair in np.argwhere(np.triu(names[:, None] == names[None], 1)).tolist()}
    right = len(reported & true)
    detail = f"{right} of {len(true)} pairs found, {len(reported) - right} others, {len(groups)} pictures"
    return right / max(1, len(true)), right / max(1, len(reported)), detail


def vectors_of(pictures: list[Picture]) -> np.ndarray | None:
    folder = os.environ.get("ML_MODELS_DIR", "")
    if weights.state(EMBEDDERS[MODEL].weights, folder).why_not:
        return None
    recipe = EMBEDDERS[MODEL].recipe
    return load_embedder(MODEL, folder).embed([prepare(Raster(np.asarray(p)), recipe) for p in pictures])


def made_copies(count: int) -> Groups:
    groups = []
    for path in originals()[:count]:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        picture.thumbnail((SIDE_PX, SIDE_PX))
        groups += [(path.name, picture), *((path.name, alter(picture)) for alter in ALTERED.values())]
    return groups


def originals() -> list[Path]:
    packaged = list(sources())[: len(PACKAGED)]
    folder = Path(os.environ.get("PIX_TEST_DATA", "/nowhere")) / "photos"
    return packaged + sorted(folder.rglob("*.jpg"))[::6]


def real_copies() -> Iterator[tuple[str, Picture]]:
    """Resized, recoded and grey copies; turned and mirrored ones are other pictures, and left out."""
    folder = Path(os.environ.get("PIX_TEST_DATA", "/nowhere")) / "near_duplicates/copies"
    for path in sorted(folder.rglob("ukbench*.*")):
        if any(word in path.name for word in ("hflip", "rotation", "corrupt")) or path.suffix == ".svg":
            continue
        with Image.open(path) as opened:
            yield path.name[: len("ukbench00000")], opened.convert("RGB")

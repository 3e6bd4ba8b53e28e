"""What the tests of vectors share: installed weights that are random, and vectors without a network."""

import gzip
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
from django.conf import settings as django_settings
from safetensors.torch import save_file

from images.models import Embedding
from ml_models import hashing, weights
from processing.algorithms.embedding import embedders as embedding
from processing.algorithms.embedding.embedders import EMBEDDERS

ENTRY = """[{name}]
family = "embedding"
title = "{name}"
file = "{file}"
byte_size = {size}
sha256 = "{sha256}"
licence = "none"
input = "RGB"
version = "random"
{dim}
"""
REAL_MANIFEST = weights.MANIFEST
DIM = {name: f"dim = {spec.dim}" for name, spec in EMBEDDERS.items()}


def install(monkeypatch, settings, folder: Path, *files: Path) -> None:
    """Let only these embedders be installed: a manifest and a folder of models of the test's own."""
    entries = [
        ENTRY.format(
            name=path.name.split(".")[0],
            file=path.name,
            size=path.stat().st_size,
            sha256=_noted_sha256(path),
            dim=DIM.get(path.name.split(".")[0], ""),
        )
        for path in files
    ]
    known = {path.name.split(".")[0] for path in files}
    entries += [
        ENTRY.format(name=name, file=f"{name}.safetensors", size=0, sha256="0" * 64, dim="")
        for name in sorted({*EMBEDDERS, "clip_vocabulary"} - known)
    ]
    tables = re.split(r"(?m)^(?=\[)", REAL_MANIFEST.read_text())[1:]
    others = [table for table in tables if table[1:].split("]")[0] not in {*EMBEDDERS, "clip_vocabulary"}]
    manifest = folder / "weights.toml"
    manifest.write_text("\n".join([*entries, *others]))
    monkeypatch.setattr(weights, "MANIFEST", manifest)
    # The manifest is read once and kept; here by a function of this test, so that nothing is left for the next one.
    monkeypatch.setattr(weights, "entries", cache(weights.entries.__wrapped__))
    embedding._loaded.cache_clear()
    settings.ML_MODELS_DIR = folder


def random_file(name: str, folder: Path, *, seed: int = 0) -> Path:
    """A file of random weights for a network that looks at its picture."""
    return _placed(_random_file(name, seed), folder)


@cache
def _random_file(name: str, seed: int) -> Path:
    torch.manual_seed(seed)
    network = EMBEDDERS[name].build(None)
    with torch.no_grad():
        for value in network.parameters():
            if value.dim() == 4:
                torch.nn.init.kaiming_normal_(value)
    path = _made_once(f"{seed}") / f"{name}.safetensors"
    save_file(network.state_dict(), path)
    return path


def clip_files(folder: Path) -> tuple[Path, Path]:
    """Both halves of CLIP with random weights, and a vocabulary of two merges."""
    pictures, vocabulary = _clip_files()
    return _placed(pictures, folder), _placed(vocabulary, folder)


@cache
def _clip_files() -> tuple[Path, Path]:
    from ml_models.clip import ClipPictures, ClipTexts

    torch.manual_seed(0)
    pictures, texts = ClipPictures(), ClipTexts()
    tensors = {f"visual.{key}": value for key, value in pictures.state_dict().items()} | texts.state_dict()
    path = _made_once("clip") / "clip.safetensors"
    save_file({key: value.half().contiguous() for key, value in tensors.items()}, path)
    vocabulary = path.with_name("clip_vocabulary.txt.gz")
    vocabulary.write_bytes(gzip.compress(b"#version: 0.2\nc a\nca t</w>\n"))
    return path, vocabulary


def _made_once(name: str) -> Path:
    """Where files lie that take seconds to make; every test of this process links to them and changes none."""
    folder = django_settings.DATA_DIR / "random-weights" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _placed(file: Path, folder: Path) -> Path:
    path = folder / file.name
    path.symlink_to(file)
    return path


def _noted_sha256(path: Path) -> str:
    """Computed once for all links to a file, and noted beside this one as by its installation."""
    sha256 = hashing.quick_sha256(path.resolve())
    hashing.write_note(path, sha256)
    return sha256


def unit(*values: float, dim: int = 384) -> np.ndarray:
    """A vector of length 1 that begins with these numbers."""
    vector = np.zeros(dim, np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def give(image, vector: np.ndarray, *, sha256: str, model: str = "pix_small") -> Embedding:
    return Embedding.objects.create(
        image=image, model=model, weights_sha256=sha256, dim=len(vector), vector=vector
    )

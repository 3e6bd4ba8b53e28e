"""A manifest of small files, a folder of models, a server that has them."""

import gzip
import hashlib
import io
import os
import pickle
import random
from functools import cache

import pytest

from ml_models import weights
from tests.ml_models.server import Site, serving


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def tensors_file(seed: int = 0, count: int = 1000) -> bytes:
    """A .pth file."""
    import torch

    stream = io.BytesIO()
    noise = torch.randn(count, generator=torch.Generator().manual_seed(seed))
    torch.save({"conv": {"weight": noise}, "epoch": 3}, stream)
    return stream.getvalue()


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def trapped_file(path) -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save({"weight": torch.ones(3), "trap": Trap(path)}, stream)
    return stream.getvalue()


def bare_pickle(path) -> bytes:
    return pickle.dumps(Trap(path))


def packed_file(seed: int) -> bytes:
    """A .gz file of about 240 kB: unlike .pth it is read without torch, which takes seconds to import."""
    return gzip.compress(random.Random(seed).randbytes(240_000), mtime=0)


GOOD, OTHER = packed_file(0), packed_file(1)


def table(name, content, **fields):
    """One entry of weights.toml."""
    suffix = fields.pop("suffix", ".gz")
    values = {
        "family": "quality",
        "title": name,
        "file": f"{name}{suffix}",
        "byte_size": len(content),
        "sha256": sha256(content),
        "address": f"http://127.0.0.1:1/{name}{suffix}",
        "licence": "none",
        "input": "RGB",
        "version": "1",
        **fields,
    }
    lines = [
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}"
        for key, value in values.items()
    ]
    return f"[{name}]\n" + "\n".join(lines) + "\n"


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    """Write another weights.toml: `known` has a published hash, `unknown` has none."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    monkeypatch.setattr(weights, "BUNDLED_DIR", bundled)
    monkeypatch.setattr(weights, "MANIFEST", tmp_path / "weights.toml")
    monkeypatch.setattr(weights, "entries", cache(weights.entries.__wrapped__))  # its own, gone with the test

    def write(*tables):
        (tmp_path / "weights.toml").write_text("\n".join(tables))
        weights.entries.cache_clear()

    write(
        table("known", GOOD),
        table("unknown", b"", byte_size=0, sha256=""),
        table("network", b"", byte_size=0, sha256="", suffix=".pth", family="embedding"),
        table("ours", GOOD, is_bundled=True, family="denoise"),
    )
    return write


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def site():
    with serving(Site({"known.gz": GOOD, "unknown.gz": GOOD})) as running:
        yield running

"""Embeddings: images (and sentences) as vectors whose angles say how alike they are.

`EMBEDDERS` is the table of networks. Nothing here imports torch until a network is loaded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_models import weights
from processing.algorithms.embedding.inputs import (
    CLIP_DEVIATION,
    CLIP_MEAN,
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    Recipe,
)
from processing.algorithms.errors import ProcessingError, not_a_choice

if TYPE_CHECKING:
    from torch import Tensor, nn

    Tensors = dict[str, Tensor]

BATCH = 16  # images that are taken together; the network sees them in parts of `EmbedderSpec.at_once`
NETWORKS_KEPT = 2
TEXT_MODEL, TEXT_VOCABULARY = "clip", "clip_vocabulary"


@dataclass(frozen=True)
class EmbedderSpec:
    """One row of `EMBEDDERS`.

    Attributes:
        name: the word used in requests.
        title, description: for people.
        dim: numbers in a vector.
        weights: name of the weights in weights.toml.
        recipe: from an image to the network's input.
        build: makes the network from the file's tensors; from None one with random weights.
        at_once: images that the network computes together: more no longer fit into the caches of a processor.
        has_text: sentences give vectors that can be compared with those of images.
        precisions: in which the network may compute. Not in half floats, which cannot hold what some of these
            networks add up; PixSmall not in bfloat16 either, which left cosines of 0.9967 to float32.
    """

    name: str
    title: str
    description: str
    dim: int
    weights: str
    recipe: Recipe
    build: Callable[["Tensors | None"], "nn.Module"]
    at_once: int = 4
    has_text: bool = False
    precisions: tuple[str, ...] = ("float32", "bfloat16")


def _resnet50(tensors: "Tensors | None") -> "nn.Module":
    from torch import nn

    from ml_models.torchvision_import import import_torchvision

    network: nn.Module = import_torchvision().models.resnet50()
    if tensors is not None:
        network.load_state_dict(tensors)
    network.fc = nn.Identity()  # the pooled features before it are the embedding
    return network


def _dinov2(tensors: "Tensors | None") -> "nn.Module":
    from ml_models.vision_transformer import DinoVisionTransformer

    network = DinoVisionTransformer()
    if tensors is not None:
        network.load_state_dict(tensors)
    return network


def _clip(tensors: "Tensors | None") -> "nn.Module":
    from ml_models.clip import ClipPictures, picture_tensors

    network = ClipPictures()
    if tensors is not None:
        network.load_state_dict(picture_tensors(tensors))
    return network


def _pix_small(tensors: "Tensors | None") -> "nn.Module":
    from ml_models.pix_small import PixSmall

    network = PixSmall()
    if tensors is not None:
        network.load_state_dict(tensors)
    return network


_HALF = (0.5, 0.5, 0.5)
EMBEDDERS: Mapping[str, EmbedderSpec] = {
    spec.name: spec
    for spec in (
        EmbedderSpec(
            "dinov2",
            "DINOv2 ViT-S/14",
            "Content and appearance. The best choice for grouping similar images.",
            384,
            "dinov2",
            Recipe(256, 224, "bicubic", IMAGENET_MEAN, IMAGENET_DEVIATION),
            _dinov2,
        ),
        EmbedderSpec(
            "clip",
            "CLIP ViT-B/32",
            "Content. Images can be compared with text.",
            512,
            "clip",
            Recipe(224, 224, "bicubic", CLIP_MEAN, CLIP_DEVIATION),
            _clip,
            at_once=BATCH,
            has_text=True,
        ),
        EmbedderSpec(
            "resnet50",
            "ResNet-50",
            "Object classes of ImageNet.",
            2048,
            "resnet50",
            Recipe(232, 224, "bilinear", IMAGENET_MEAN, IMAGENET_DEVIATION),
            _resnet50,
        ),
        EmbedderSpec(
            "pix_small",
            "Pix small",
            "Included in Pix. Fast, and no download is needed.",
            384,
            "pix_small",
            Recipe(224, 224, "bilinear", _HALF, _HALF, decoded_px=4 * 224),
            _pix_small,
            at_once=8,
            precisions=("float32",),
        ),
    )
}


def find_embedder(name: str) -> EmbedderSpec:
    """The row of a name.

    Raises:
        ProcessingError: there is none.
    """
    if name not in EMBEDDERS:
        detail = not_a_choice(name, EMBEDDERS)
        raise ProcessingError(detail, code="invalid_choice", field="model")
    return EMBEDDERS[name]


@dataclass(frozen=True, eq=False)
class Embedder:
    """A network that is ready to run.

    Attributes:
        spec: its row.
        run: float32 (N, 3, H, W) to float32 (N, dim), not normalised.
        precision: in which the network computes, for the record.
        weights_sha256: of the file that its weights came from; "" for random ones.
    """

    spec: EmbedderSpec
    run: Callable[[np.ndarray], np.ndarray]
    precision: str
    weights_sha256: str = ""

    def embed(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors of prepared images.

        Args:
            inputs: float32 (3, crop_px, crop_px) each, see `embedding_input.prepare`.

        Returns:
            float32 (N, dim), each row of length 1.
        """
        size = self.spec.at_once
        parts = [self.run(np.stack(inputs[at : at + size])) for at in range(0, len(inputs), size)]
        return normalised(np.concatenate(parts) if parts else np.empty((0, self.spec.dim), np.float32))


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1 (L2), float32.

    Args:
        vectors: float (N, dim).

    Raises:
        ProcessingError: a row is not finite or has no direction.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ProcessingError(
            "The network returned no usable values for this image.", code="processing_error"
        )
    result: np.ndarray = (vectors / lengths).astype(np.float32)
    return result


def load_embedder(name: str, folder: Path | str) -> Embedder:
    """The network of a name with its installed weights; the ones used last stay loaded.

    Args:
        name: a key of `EMBEDDERS`.
        folder: where downloaded models lie.

    Raises:
        ProcessingError: no such row, or `model_unavailable`.
    """
    spec = find_embedder(name)
    with _told_to_users():
        return _loaded(name, str(folder), weights.sha256_of(spec.weights, folder))


@lru_cache(maxsize=NETWORKS_KEPT)
def _loaded(name: str, folder: str, sha256: str) -> Embedder:
    spec = EMBEDDERS[name]
    return ready(spec, spec.build(weights.load_tensors(spec.weights, folder)), weights_sha256=sha256)


def ready(spec: EmbedderSpec, network: "nn.Module", *, weights_sha256: str = "") -> Embedder:
    """Bring a network into the form in which it is fastest on this machine (see `embedding_network`)."""
    from processing.algorithms.embedding.network import fastest

    run, precision = fastest(network, spec.precisions)
    return Embedder(spec, run, precision, weights_sha256)


def embed_texts(texts: Sequence[str], folder: Path | str) -> np.ndarray:
    """Vectors of English sentences, to compare with those of images by CLIP.

    Returns:
        float32 (N, 512), each row of length 1.

    Raises:
        ProcessingError: too long a sentence, or `model_unavailable`.
    """
    with _told_to_users():
        hashes = tuple(weights.sha256_of(name, folder) for name in (TEXT_MODEL, TEXT_VOCABULARY))
        tokenizer, run = _loaded_text(str(folder), hashes)
    try:
        tokens = np.array([tokenizer.tokenize(text) for text in texts], np.int64)
    except ValueError as error:
        raise ProcessingError(str(error), code="max_length", field="q") from error
    return normalised(run(tokens))


@lru_cache(maxsize=1)
def _loaded_text(folder: str, _hashes: tuple[str, ...]) -> tuple[Any, Callable[[np.ndarray], np.ndarray]]:
    from ml_models.clip import ClipTexts, text_tensors
    from ml_models.clip_tokenizer import Tokenizer
    from processing.algorithms.embedding.network import plain

    tokenizer = Tokenizer.read(weights.find(TEXT_VOCABULARY, folder))
    network = ClipTexts()
    network.load_state_dict(text_tensors(weights.load_tensors(TEXT_MODEL, folder)))
    return tokenizer, plain(network)


@contextmanager
def _told_to_users() -> Iterator[None]:
    """A missing model ends the operation with its sentence; it is not tried again."""
    try:
        yield
    except weights.ModelUnavailable as error:
        raise ProcessingError(error.detail, code="model_unavailable") from error

"""What the model worker's subprocess runs for embeddings. No Django here: a subprocess must start fast."""

import base64
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from processing.algorithms.codecs.probing import Limits
from processing.algorithms.embedding.embedders import EMBEDDERS, embed_texts, load_embedder
from processing.algorithms.embedding.inputs import Recipe, read
from processing.algorithms.errors import ProcessingError

# Path of the image, name of the embedder, folder of models, what is accepted.
Member = tuple[str, str, str, Limits]


@dataclass(frozen=True)
class Embedded:
    """An image's vector.

    Attributes:
        vector: float32, little-endian, length 1.
        model: name of the embedder.
        weights_sha256: of the file that its weights came from.
        precision: in which the network computed, and where.
        duration_ms: this image's share of its batch.
    """

    vector: bytes
    model: str
    weights_sha256: str
    precision: str
    duration_ms: int


def embed_files(members: Sequence[Member]) -> list[Embedded | ProcessingError]:
    """Embed images together; one that is at fault fails alone.

    Returns:
        For each member its vector, or what is wrong with it.
    """
    answers: dict[int, Embedded | ProcessingError] = {}
    for model in dict.fromkeys(member[1] for member in members):
        places = [place for place, member in enumerate(members) if member[1] == model]
        answers |= zip(places, _embed_alike([members[place] for place in places]), strict=True)
    return [answers[place] for place in range(len(members))]


def _embed_alike(members: Sequence[Member]) -> list[Embedded | ProcessingError]:
    """Members of one model, as one tensor batch."""
    started = time.monotonic()
    _, model, folder, _ = members[0]
    try:
        embedder = load_embedder(model, folder)
    except ProcessingError as error:
        return [error] * len(members)
    recipe = EMBEDDERS[model].recipe
    with ThreadPoolExecutor(min(len(members), os.cpu_count() or 2)) as threads:  # decoders let go of the lock
        inputs = list(threads.map(lambda member: _input(member, recipe), members))
    good = [value for value in inputs if isinstance(value, np.ndarray)]
    vectors = iter(embedder.embed(good) if good else ())
    share_ms = round(1000 * (time.monotonic() - started) / len(members))
    return [
        value
        if isinstance(value, ProcessingError)
        else Embedded(
            next(vectors).astype("<f4").tobytes(),
            model,
            embedder.weights_sha256,
            embedder.precision,
            share_ms,
        )
        for value in inputs
    ]


def _input(member: Member, recipe: Recipe) -> np.ndarray | ProcessingError:
    path, _, _, limits = member
    try:
        with open(path, "rb") as stream:
            return read(stream, recipe, limits=limits)
    except ProcessingError as error:
        return error


def embed_text(text: str, folder: str) -> str:
    """The vector of a sentence: float32, little-endian, base64."""
    return base64.b64encode(embed_texts([text], folder)[0].astype("<f4").tobytes()).decode()

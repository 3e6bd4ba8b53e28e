"""What is recorded of how a result was made, in words."""

from collections.abc import Mapping
from typing import Any


def sentences(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line for each operation that has recorded something."""
    return [f"{name.replace('_', ' ').capitalize()}: {_words(known)}" for name, known in facts.items()]


def _words(known: Mapping[str, Any]) -> str:
    parts = (
        [f"noise of about {known['noise_sigma']:.1f} of 255 levels before denoising"]
        if "noise_sigma" in known
        else []
    )
    if "model" in known:
        parts.append(f"model {known['model']}, weights {known['weights_sha256'][:12]}")
        parts.append(f"computed on {known['device']} in {known['precision']}, {known['method']}")
    return "; ".join(parts)

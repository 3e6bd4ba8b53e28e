"""Imports go one way: ml_models, algorithms, api, processing, images, batches, pixproject."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("ml_models", "processing.algorithms", "api", "processing", "images", "batches", "pixproject")
# What stands at the edge of the system may call the services of any app.
DOORS = ("admin", "views", "urls", "api", "management", "page_urls", "submission", "filters", "upload_api")
# Shared by every layer, and importing none of them.
GROUND = ("pixproject.web.base.request_id", "pixproject.settings")
PURE = ("ml_models", "processing.algorithms")


def layer_of(module: str) -> str | None:
    return next(
        (layer for layer in sorted(LAYERS, key=len, reverse=True) if f"{module}.".startswith(f"{layer}.")),
        None,
    )


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def modules() -> list[Path]:
    tops = {layer.split(".")[0] for layer in LAYERS}
    return [
        path for top in sorted(tops) for path in (ROOT / top).rglob("*.py") if "migrations" not in path.parts
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_stands_before_it(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    own = layer_of(module)
    assert own is not None
    is_door = any(part.startswith(DOORS) for part in module.split(".")[1:])
    upward = [
        name
        for name in imported(path)
        if (layer := layer_of(name))
        and LAYERS.index(layer) > LAYERS.index(own)
        and not name.startswith(GROUND)
    ]
    assert is_door or not upward, f"{module} imports {upward}"
    if own in PURE:
        foreign = [name for name in imported(path) if name.startswith(("django", "rest_framework"))]
        assert not foreign, f"{module} is pure and imports {foreign}"

"""Imports go one way, and what is an interface is decided by its folder (DESIGN: the layers)."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Lowest first. What stands in a later one may be imported by nobody before it.
LAYERS = (
    "ml_models",
    "processing.algorithms",
    "pixproject.web.base",
    "api",
    "pixproject.web",
    "processing",
    "images",
    "batches",
    "pixproject",
)
APPS = ("api", "processing", "images", "batches")
PURE = ("ml_models", "processing.algorithms")
# The interfaces. They call the services of any app, so of other apps they may import upward; the site (the rest of
# `pixproject`) they do not. The app `api` is the ground of all REST interfaces; its own stand in `api/views`.
INTERFACE_ROOMS = {"api": ("views", "admin", "management")}
USUAL_INTERFACE_ROOMS = ("api", "pages", "admin", "management", "templatetags")
WEB_FRAMEWORK = (
    "rest_framework",
    "drf_spectacular",
    "django.http",
    "django.shortcuts",
    "django.contrib.messages",
)
SCHEMA = ("serializers", "filters", "files", "apps", "services")


def layer_of(module: str) -> str | None:
    fitting = [layer for layer in LAYERS if f"{module}.".startswith(f"{layer}.")]
    return max(fitting, key=len, default=None)


def is_interface(module: str) -> bool:
    app, *rooms = module.split(".")
    rooms_of_app = INTERFACE_ROOMS.get(app, USUAL_INTERFACE_ROOMS)
    return app in APPS and bool(rooms) and rooms[0] in rooms_of_app


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> list[str]:
    """Every name that a module imports anywhere: at its top, in functions and for type checks alike."""
    names = []
    package = module_of(path) if path.name == "__init__.py" else module_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base]).rstrip(".")
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def faults(path: Path) -> list[str]:
    module = module_of(path)
    own = layer_of(module)
    assert own is not None
    found = []
    for name in imported(path):
        layer = layer_of(name)
        if own in PURE and name.startswith(("django", "rest_framework")):
            found.append(f"{name}: {own} is pure")
        if layer is None:
            continue
        is_upward = LAYERS.index(layer) > LAYERS.index(own)
        if own in APPS and layer == "pixproject":
            found.append(f"{name}: the site is no app's to import")
        elif is_interface(module) and (layer in APPS or layer == "pixproject.web"):
            continue
        elif is_upward:
            found.append(f"{name}: upward")
        elif own in APPS and (is_interface(name) or layer == "pixproject.web"):
            found.append(f"{name}: only interfaces import interfaces")
    return found


def modules() -> list[Path]:
    tops = {layer.split(".")[0] for layer in LAYERS}
    return [
        path for top in sorted(tops) for path in (ROOT / top).rglob("*.py") if "migrations" not in path.parts
    ]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_stands_before_it(path):
    assert not faults(path)


def test_no_modules_import_each_other_in_a_circle():
    paths = {module_of(path): path for path in modules()}
    graph = {}
    for module, path in paths.items():
        names = imported(path)
        known = {name for name in names if name in paths} | {name.rpartition(".")[0] for name in names} & set(
            paths
        )
        # `from package import module` reads the module; what the package itself imports is its own affair.
        graph[module] = {
            name for name in known - {module} if not any(one.startswith(f"{name}.") for one in known)
        }

    assert tuple(TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle

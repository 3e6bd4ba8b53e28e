"""Import torchvision (and what needs it: timm, pyiqa) also where torch is a build for CPUs and it is the general wheel.

The general wheel's compiled library is linked against CUDA and cannot be loaded beside a torch for CPUs. torchvision
goes on without it, and then fails with "operator torchvision::nms does not exist", because that library would have
declared the operator. Pix never calls it: that it is declared is enough.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def import_torchvision() -> Any:
    """The module torchvision; call this before the first import of torchvision, timm or pyiqa."""
    _declare_missing_operators()
    import torchvision

    return torchvision


@cache
def _declare_missing_operators() -> Any:
    """Answers what must live on: the end of the library object would take its declarations away again."""
    import torch

    if hasattr(torch.ops.torchvision, "nms") or _loads_compiled_library():
        return None
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def _loads_compiled_library() -> bool:
    import torch

    spec = find_spec("torchvision")  # finds the package without running it
    for path in Path(spec.origin).parent.glob("_C.*") if spec and spec.origin else ():
        try:
            torch.ops.load_library(str(path))
        except OSError:  # a library that it is linked against is not here
            continue
        return True
    return False

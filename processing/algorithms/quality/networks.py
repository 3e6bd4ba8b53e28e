"""pyiqa's metrics built without a download: architectures from pyiqa, tensors from files that are checked first."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ml_models import weights
from ml_models.torchvision_import import import_torchvision
from processing.algorithms.errors import ProcessingError
from processing.algorithms.quality.speed import faster_statistics

Network = Callable[[Any], Any]


class NotTheWeights(Exception):
    """The file is whole, but not of this metric."""


@cache
def network(name: str, _sha256: str, folder: Path | str) -> Network:
    """A metric: tensor (N, 3, H, W) of 0 to 1 in, N values out. Kept for the life of the process.

    Args:
        _sha256: of its weights: another file is another network.

    Raises:
        ProcessingError: code `model_unavailable`.
        NotTheWeights: with a sentence that names the command.
    """
    import_torchvision()
    try:
        return _BUILDERS[name](name, folder)
    except weights.ModelUnavailable as error:
        raise ProcessingError(error.detail, code="model_unavailable") from error
    except (
        LookupError,
        RuntimeError,
        ValueError,
        TypeError,
    ) as error:  # what pyiqa and torch say of other tensors
        detail = f"The file of the model {name} belongs to a different network."
        detail += f" Run: manage.py models fetch --force {name}"
        raise NotTheWeights(detail) from error


def _brisque(name: str, folder: Path | str) -> Network:
    from pyiqa.archs.brisque_arch import brisque

    tensors = weights.load_tensors(name, folder)  # pyiqa would unpickle the file

    def metric(pictures: Any) -> Any:
        return brisque(pictures, sv_coef=tensors["0"], sv=tensors["1"])

    return metric


def _niqe(name: str, folder: Path | str) -> Network:
    from pyiqa.archs import niqe_arch

    build = {"niqe": niqe_arch.NIQE, "ilniqe": niqe_arch.ILNIQE}[name]
    metric = build(pretrained_model_path=str(weights.find(name, folder)))  # a .mat file: arrays only

    def faster(pictures: Any) -> Any:
        with faster_statistics():
            return metric(pictures)

    return faster


def _piqe(_name: str, _folder: Path | str) -> Network:
    from pyiqa.archs.piqe_arch import piqe

    return lambda pictures: piqe(pictures)[0]


def _entropy(_name: str, _folder: Path | str) -> Network:
    from pyiqa.archs.entropy_arch import entropy

    return lambda pictures: entropy(pictures)


def _musiq(name: str, folder: Path | str) -> Network:
    from pyiqa.archs.musiq_arch import MUSIQ

    classes = 10 if name == "musiq-ava" else 1
    return _loaded(MUSIQ(num_class=classes, pretrained=False), name, folder)


def _paq2piq(name: str, folder: Path | str) -> Network:
    from pyiqa.archs.paq2piq_arch import PAQ2PIQ

    with _no_backbones():
        metric = PAQ2PIQ(pretrained=False)
    del metric.roi_pool  # torchvision's own needs its compiled library
    metric.roi_pool = whole_picture_pool
    return _loaded(metric, name, folder)


def _cnniqa(name: str, folder: Path | str) -> Network:
    from pyiqa.archs.cnniqa_arch import CNNIQA

    return _loaded(CNNIQA(pretrained=None), name, folder)


def _hyperiqa(name: str, folder: Path | str) -> Network:
    from pyiqa.archs.hypernet_arch import HyperNet

    with _no_backbones():
        return _loaded(HyperNet(pretrained=False), name, folder)


def _topiq(name: str, folder: Path | str) -> Network:
    from pyiqa.archs.topiq_arch import CFANet

    return _loaded(CFANet(use_ref=False, backbone_pretrain=False, pretrained=False), name, folder)


_BUILDERS: dict[str, Callable[[str, Path | str], Network]] = {
    "brisque": _brisque,
    "niqe": _niqe,
    "ilniqe": _niqe,
    "piqe": _piqe,
    "entropy": _entropy,
    "musiq": _musiq,
    "musiq-spaq": _musiq,
    "musiq-paq2piq": _musiq,
    "musiq-ava": _musiq,
    "paq2piq": _paq2piq,
    "cnniqa": _cnniqa,
    "hyperiqa": _hyperiqa,
    "topiq_nr": _topiq,
}


def _loaded(metric: Any, name: str, folder: Path | str) -> Network:
    metric.load_state_dict(plain_names(weights.load_tensors(name, folder)), strict=True)
    metric.eval()
    return metric  # type: ignore[no-any-return]


def plain_names(tensors: dict[str, Any]) -> dict[str, Any]:
    """Without the names of what the tensors were wrapped in when they were saved."""
    for prefix in ("params.", "state_dict.", "module."):
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


@contextmanager
def _no_backbones() -> Iterator[None]:
    """Within it, backbones are built empty: the file of the whole metric holds their tensors too."""
    import timm
    import torchvision

    before = timm.create_model, torchvision.models.resnet18
    create, resnet18 = before
    timm.create_model = lambda *names, **options: create(*names, **{**options, "pretrained": False})
    torchvision.models.resnet18 = lambda **options: resnet18(**{**options, "weights": None})
    try:
        yield
    finally:
        timm.create_model, torchvision.models.resnet18 = before


def whole_picture_pool(features: Any, regions: list[Any]) -> Any:
    """What torchvision's `RoIPool((2, 2), 1 / 32)` gives for one region per image that is the whole of it.

    Args:
        features: tensor (N, C, H, W).
        regions: N tensors (1, 4) in px of the image: left, top, right, bottom.

    Returns:
        Tensor (N, C, 2, 2).

    Source: roi_pool_forward_kernel_impl of torchvision 0.28: the ends are rounded half away from zero and belong to
    the region.
    """
    import torch

    _, _, right, bottom = regions[0][0].tolist()
    rows = _halves(int(bottom / 32 + 0.5), features.shape[2])
    columns = _halves(int(right / 32 + 0.5), features.shape[3])
    pooled = [[features[:, :, r, c].amax((2, 3)) for c in columns] for r in rows]
    return torch.stack([torch.stack(row, -1) for row in pooled], -2)


def _halves(end: int, size: int) -> tuple[slice, slice]:
    length = end + 1
    return slice(0, min(size, (length + 1) // 2)), slice(min(size - 1, length // 2), min(size, length))

"""The tensors of a TorchScript archive, read without running it.

`torch.jit.load` would compile and may run what the archive contains, and `torch.load(weights_only=True)` refuses such
archives. This reads the archive's pickle with an unpickler that knows tensors, lists and empty objects, and nothing
else. Source of the layout: torch/csrc/jit/docs/serialization.md of PyTorch.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

from ml_models.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = {
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "DoubleStorage": "float64",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}


class Module:
    """Stands for an object of any class of the archive: a name for each attribute, and no behaviour."""

    def __setstate__(self, attributes: Any) -> None:
        if isinstance(attributes, dict):
            self.__dict__.update(attributes)


def is_archive(stream: BinaryIO) -> bool:
    """Is it a zip file with the constants that only TorchScript writes? The stream is rewound."""
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            return any(
                name.count("/") == 1 and name.endswith("/constants.pkl") for name in archive.namelist()
            )
    except zipfile.BadZipFile:
        return False
    finally:
        stream.seek(0)


def tensors(stream: BinaryIO) -> dict[str, "Tensor"]:
    """Every tensor among the attributes of the archive's modules, by its dotted name.

    Raises:
        Refused: if the archive holds anything but modules, tensors, numbers, texts and lists, or is damaged.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            root = archive.namelist()[0].split("/")[0]
            with archive.open(f"{root}/data.pkl") as pickled:
                module = _Unpickler(pickled, archive, root).load()
    except Refused:
        raise
    except Exception as error:  # whatever a damaged archive makes the parsers raise
        raise Refused("it is a damaged TorchScript archive.") from error
    return dict(_named(module))


def _named(value: Any, prefix: str = "") -> Iterator[tuple[str, "Tensor"]]:
    from torch import Tensor

    if isinstance(value, Tensor):
        yield prefix, value
    elif isinstance(value, Module):
        for name, item in vars(value).items():
            yield from _named(item, f"{prefix}.{name}" if prefix else name)


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(pickled)
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        """Only what cannot do anything; the names are never looked up."""
        if module.startswith("__torch__"):
            return Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module == "torch.jit._pickle" and name in ("restore_type_tag", *_LISTS):
            return _first
        raise Refused(f"it refers to {module}.{name}, which is not a tensor.")

    def persistent_load(self, pid: Any) -> Callable[..., "Tensor"]:
        kind, dtype, key, *_ = pid
        if kind != "storage" or dtype not in DTYPES.values():
            raise Refused("it contains something that is not a tensor.")
        return partial(_storage, self.archive.read(f"{self.root}/data/{key}"), dtype)


_LISTS = ("build_intlist", "build_tensorlist", "build_doublelist", "build_boollist")


def _first(value: Any, *_: Any) -> Any:
    return value


def _storage(stored: bytes, dtype: str) -> "Tensor":
    import torch

    return torch.frombuffer(bytearray(stored), dtype=getattr(torch, dtype))


def _tensor(storage: Callable[[], "Tensor"], offset: int, size: tuple, stride: tuple, *_: Any) -> "Tensor":
    """A view of its storage; torch refuses one that leaves it."""
    return storage().as_strided(size, stride, offset)

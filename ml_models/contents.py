"""What is inside a file of weights, read without running anything that it contains."""

import gzip
import pickle
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ml_models import torchscript
from ml_models.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor

MAX_TEXT_BYTES = 64 * 2**20  # a vocabulary, unpacked


def tensors(stream: BinaryIO, suffix: str) -> dict[str, "Tensor"]:
    """All tensors of an open .safetensors, .pth or .pt file."""
    if suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            return load(stream.read())
        except SafetensorError as error:
            raise Refused(f"it is not a safetensors file ({error}).") from error
    if suffix not in (".pth", ".pt"):
        raise Refused(f"files of type {suffix} are not supported.")
    if torchscript.is_archive(stream):
        return torchscript.tensors(stream)
    return _torch(stream)


def _torch(stream: BinaryIO) -> dict[str, "Tensor"]:
    import torch

    try:
        loaded = torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        stream.seek(0)
        # Pickles begin with 0x80; with anything else the reader stumbled over another kind of file.
        if stream.read(1) == b"\x80" or "Unsupported operand" not in str(error):
            raise Refused("it contains more than tensors and would run code when loaded.") from error
        raise Refused("it is not a PyTorch file.") from error
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise Refused("it is not a PyTorch file, or it is damaged.") from error
    tensors = dict(_named(loaded))
    if not tensors:
        raise Refused("it contains no tensors.")
    return tensors


def _named(value: Any, prefix: str = "") -> Iterator[tuple[str, "Tensor"]]:
    from torch import Tensor

    if isinstance(value, Tensor):
        yield prefix or "0", value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _named(item, f"{prefix}.{index}" if prefix else str(index))


def check(path: Path, suffix: str, holds: Sequence[str] = ()) -> None:
    """Read the file as one of its kind.

    Args:
        holds: names of tensors or variables that must be in it; none are asked of a .gz file.

    Raises:
        Refused: if it is of another kind or another model's, damaged, or wants code to be run.
    """
    if suffix == ".gz":
        try:
            with gzip.open(path) as stream:
                if len(stream.read(MAX_TEXT_BYTES + 1)) > MAX_TEXT_BYTES:
                    raise Refused(f"unpacked, it exceeds {MAX_TEXT_BYTES} bytes.")
        except (OSError, EOFError, zlib.error) as error:
            raise Refused("it is not a gzip file, or it is damaged.") from error
        return
    if suffix == ".mat":
        from scipy.io import whosmat

        try:
            names: Iterable[str] = [name for name, _, _ in whosmat(str(path))]
        except Exception as error:  # scipy raises what its parser stumbles over: ValueError, zlib.error …
            raise Refused("it is not a MATLAB file, or it is damaged.") from error
        if not names:
            raise Refused("it is a MATLAB file without variables.")
    else:
        with path.open("rb") as stream:
            names = tensors(stream, suffix)
    if missing := sorted(set(holds) - set(names)):
        raise Refused(f"it has no {missing[0]}: it belongs to a different model.")

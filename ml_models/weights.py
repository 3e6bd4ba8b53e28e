"""Which models there are, which of them are installed, and their tensors: nothing is loaded before its hash is checked.

Files that come with Pix lie in `ml_models/weights/`, downloaded ones in the folder that callers pass in. No function
here reaches the network (`ml_models/fetching.py` does) and none replaces a missing model by another one.
"""

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ml_models import hashing
from ml_models.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor

MANIFEST = Path(__file__).with_name("weights.toml")
BUNDLED_DIR = Path(__file__).with_name("weights")
FAMILIES = ("denoise", "quality", "embedding")
FETCH = "manage.py models fetch "


class ModelUnavailable(Exception):
    """A model cannot be used here; `detail` says why, with the command that helps."""

    def __init__(self, name: str, why_not: str, command: str) -> None:
        self.name, self.why_not, self.command = name, why_not, command
        self.detail = f"{why_not} {remedy(command)}"
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:  # it travels from a subprocess to its worker
        return ModelUnavailable, (self.name, self.why_not, self.command)


@dataclass(frozen=True)
class Entry:
    """One model, as weights.toml states it."""

    name: str
    family: str
    title: str
    file: str
    byte_size: int  # 0: not published
    sha256: str  # "": not published, recorded at the first installation
    licence: str
    input: str
    version: str
    address: str = ""
    licence_note: str = ""
    dim: int | None = None
    is_bundled: bool = False
    other_sha256: tuple[str, ...] = ()
    sha256_start: str = ""  # where only the beginning is published, in the file's name
    holds: tuple[str, ...] = ()  # names of tensors or variables without which it is another file
    used_by: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What makes the model available."""
        return "git checkout -- ml_models/weights" if self.is_bundled else f"{FETCH}{self.name}"


@dataclass(frozen=True)
class State:
    """Whether a model can be used here, and why not."""

    name: str
    is_present: bool
    is_verified: bool
    why_not: str  # "" where it can be used
    command: str
    sha256: str = ""  # of the installed file


def remedy(*commands: str) -> str:
    """What to run, at the end of a sentence; models that are fetched go into one command."""
    fetched = [command.removeprefix(FETCH) for command in commands if command.startswith(FETCH)]
    others = [command for command in commands if not command.startswith(FETCH)]
    together = [FETCH + " ".join(dict.fromkeys(fetched))] if fetched else []
    return f"Run: {'; '.join([*dict.fromkeys(others), *together])}"


@cache
def entries() -> Mapping[str, Entry]:
    """Every model by its name, in the order of weights.toml."""
    tables = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
    known = {field.name for field in fields(Entry)}
    found = {}
    for name, table in tables.items():
        if unknown := set(table) - known:
            raise ValueError(f"weights.toml, [{name}]: unknown {', '.join(sorted(unknown))}.")
        lists = {key: tuple(table.get(key, ())) for key in ("other_sha256", "holds", "used_by")}
        found[name] = Entry(name=name, **{**table, **lists})
    return MappingProxyType(found)


def entry(name: str) -> Entry:
    """One model; KeyError with the names that exist where there is none."""
    if name not in entries():
        raise KeyError(f"{name!r} is not a valid choice. Choose one of: {', '.join(entries())}.")
    return entries()[name]


def path_of(name: str, folder: Path | str) -> Path:
    """Where the model's file lies once it is installed."""
    model = entry(name)
    return (BUNDLED_DIR if model.is_bundled else Path(folder)) / model.file


def expected_sha256(model: Entry, path: Path) -> str:
    """The hash that the file should have: the published one, else that of the first file that was installed."""
    if model.sha256 or model.is_bundled:
        return model.sha256
    note = hashing.note_of(path)
    return note.sha256 if note else ""


def objection(model: Entry, path: Path, sha256: str) -> str:
    """Why a file with this hash must not be loaded; "" where nothing speaks against it."""
    should_be = expected_sha256(model, path)
    if sha256 in model.other_sha256:
        return ""
    if not sha256.startswith(model.sha256_start):
        return (
            f"The file {path.name} has the SHA-256 {sha256}, which does not start with {model.sha256_start}: "
            "it is damaged or a different file."
        )
    if sha256 == should_be:
        return ""
    if should_be:
        return f"The file {path.name} has the SHA-256 {sha256}, not {should_be}: it is damaged or a different file."
    if model.is_bundled:
        return f"The file {path.name} has no hash in weights.toml."
    return f"The file {path.name} was never verified, and no hash is published for it."


def find(name: str, folder: Path | str) -> Path:
    """The model's file, its hash checked in this process.

    Raises:
        ModelUnavailable: if it is not there or is not the file that weights.toml means.
    """
    model, path = entry(name), path_of(name, folder)
    try:
        with path.open("rb") as stream:
            why_not = objection(model, path, hashing.sha256_of_open(stream, path))
    except OSError as error:
        why_not = _unreadable(model, path, error)
    if why_not:
        raise ModelUnavailable(name, why_not, model.command)
    return path


def _unreadable(model: Entry, path: Path, error: OSError) -> str:
    if not isinstance(error, FileNotFoundError):
        return f"The file {path.name} of the model {model.name} cannot be read: {error.strerror}."
    if not model.is_bundled:
        return f"The model {model.name} is not installed ({path.name} is not in the models folder)."
    if not model.sha256:
        return f"The model {model.name} is not part of this version of Pix."
    return f"The model {model.name} comes with Pix, but {path.name} is not in ml_models/weights."


def sha256_of(name: str, folder: Path | str) -> str:
    """The hash of the installed file, which results record.

    Raises:
        ModelUnavailable: as `find`.
    """
    model_state = state(name, folder)
    if model_state.why_not:
        raise ModelUnavailable(name, model_state.why_not, model_state.command)
    return model_state.sha256


def state(name: str, folder: Path | str) -> State:
    """Whether the model can be used; quick, because a file is hashed only where it changed since it was checked."""
    model, path = entry(name), path_of(name, folder)
    try:
        sha256 = hashing.quick_sha256(path)
    except OSError as error:
        is_present = not isinstance(error, FileNotFoundError)
        return State(name, is_present, False, _unreadable(model, path, error), model.command)
    why_not = objection(model, path, sha256)
    return State(name, True, not why_not, why_not, model.command, sha256)


def load_tensors(name: str, folder: Path | str) -> dict[str, "Tensor"]:
    """The model's tensors on the CPU, in the type in which they are stored.

    The keys are those of the file; what is nested in it gets names with dots (`params.conv.weight`, `0` for the first
    of a tuple). A TorchScript archive gives every tensor of its modules, also those that are no parameters.

    Raises:
        ModelUnavailable: if the file is absent, has another hash, or cannot be read without running code from it.
    """
    from ml_models import contents

    model, path = entry(name), path_of(name, folder)
    why_not = ""
    try:
        with path.open(
            "rb"
        ) as stream:  # the file that is checked is the one that is read, whatever its name means later
            why_not = objection(model, path, hashing.sha256_of_open(stream, path))
            if not why_not:
                return contents.tensors(stream, path.suffix)
    except OSError as error:
        why_not = _unreadable(model, path, error)
    except Refused as error:
        why_not = f"The file {path.name}: {error}"
    raise ModelUnavailable(name, why_not, model.command)


def remember(path: Path) -> None:
    """Note a checked file's hash where its folder can be written: the web then need not read it again."""
    with suppress(OSError):
        hashing.write_note(path, hashing.quick_sha256(path))

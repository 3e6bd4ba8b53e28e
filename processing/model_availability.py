"""Which models are installed on this machine, for services and interfaces. Quick, and without torch.

A request that needs a missing model is refused at submission, with the command that installs it.
"""

from dataclasses import dataclass
from functools import cache
from importlib import metadata

from django.conf import settings

from api.core.errors import ApiError, ErrorCode
from ml_models import weights
from processing.algorithms.quality.metrics import METRICS, PYIQA_COMMAND

PYIQA = "pyiqa"
PYIQA_LICENCE = "PolyForm Noncommercial 1.0.0 and S-Lab License 1.0"
LIBRARY = "library"


@dataclass(frozen=True)
class Model:
    """The facts about a model, or about the library whose licence comes with the metrics it computes."""

    name: str
    family: str
    title: str
    file: str
    byte_size: int | None
    sha256: str
    licence: str
    licence_note: str
    input: str
    dim: int | None
    version: str
    address: str
    is_bundled: bool
    used_by: tuple[str, ...]
    available: bool
    is_present: bool
    verified: bool
    why_not: str
    command: str

    @property
    def is_refused(self) -> bool:
        """There is a file, and it is damaged, another one, or was never checked."""
        return self.is_present and not self.available


def state(name: str) -> weights.State:
    return weights.state(name, settings.ML_MODELS_DIR)


def is_available(name: str) -> bool:
    return not state(name).why_not


def require_model(*names: str) -> None:
    """Refuse (422) what needs a model that cannot be used here, naming the command that helps."""
    missing = [model for model in map(state, names) if model.why_not]
    if missing:
        why_not = " ".join(model.why_not for model in missing)
        detail = f"{why_not} {weights.remedy(*(model.command for model in missing))}"
        raise ApiError(ErrorCode.MODEL_UNAVAILABLE, detail)


def installed_sha256(name: str) -> str:
    """The hash of the installed file, for cache keys and results; refused (422) as by `require_model`."""
    require_model(name)
    return state(name).sha256


def models() -> list[Model]:
    """Every model in the order of the manifest, then the library that computes quality metrics."""
    entries = [(entry, state(entry.name)) for entry in weights.entries().values()]
    of_manifest = [
        Model(
            name=entry.name,
            family=entry.family,
            title=entry.title,
            file=entry.file,
            byte_size=entry.byte_size or None,
            sha256=model.sha256 or entry.sha256,
            licence=entry.licence,
            licence_note=entry.licence_note,
            input=entry.input,
            dim=entry.dim,
            version=entry.version,
            address=entry.address,
            is_bundled=entry.is_bundled,
            used_by=entry.used_by,
            available=not model.why_not,
            is_present=model.is_present,
            verified=model.is_verified,
            why_not=model.why_not,
            command=model.command,
        )
        for entry, model in entries
    ]
    return [*of_manifest, pyiqa()]


@cache
def _pyiqa_version() -> str:
    try:
        return metadata.version(PYIQA)
    except metadata.PackageNotFoundError:
        return ""


def pyiqa() -> Model:
    """The library behind the quality metrics: no file, but a licence that operators must know."""
    version = _pyiqa_version()
    metrics = [f"metric:{name}" for name, spec in METRICS.items() if PYIQA in spec.packages]
    return Model(
        name=PYIQA,
        family=LIBRARY,
        title="pyiqa (computes the quality metrics)",
        file="",
        byte_size=None,
        sha256="",
        licence=PYIQA_LICENCE,
        licence_note="Non-commercial use only. Pix runs without it; the metrics are then reported as unavailable.",
        input="",
        dim=None,
        version=version,
        address="https://github.com/chaofengc/IQA-PyTorch",
        is_bundled=False,
        used_by=tuple(metrics),
        available=bool(version),
        is_present=bool(version),
        verified=bool(version),
        why_not="" if version else "The package pyiqa is not installed.",
        command=PYIQA_COMMAND,
    )

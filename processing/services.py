"""What every interface calls to process images: read the request, check it against the sources, submit, estimate."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings

from api.core.errors import ApiError, ErrorCode, FieldError
from ml_models.weights import remedy
from processing import estimates, model_availability, names, phrases
from processing.algorithms.errors import ProcessingError
from processing.algorithms.operations import table as algorithms
from processing.algorithms.operations.spec import OperationSpec
from processing.engine import jobs
from processing.engine.jobs import NewOperation
from processing.handlers import PIPELINE, input_limits, queue_of, steps_of
from processing.models import Artifact, Job
from processing.states import JOB_TERMINAL, Priority

MAX_STEPS = 20
MAX_OPERATIONS = 20_000


@dataclass(frozen=True)
class Step:
    """An operation with its complete, valid parameters."""

    name: str
    parameters: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "parameters": dict(self.parameters)}


@dataclass(frozen=True)
class Work:
    """What is to be done with each image: operations side by side, and a pipeline with one result."""

    operations: tuple[Step, ...] = ()
    pipeline: tuple[Step, ...] = ()

    def units(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and parameters of each operation to store per image."""
        units = [(step.name, dict(step.parameters)) for step in self.operations]
        if self.pipeline:
            units.append((PIPELINE, {"steps": [step.as_dict() for step in self.pipeline]}))
        return units

    def as_dict(self) -> dict[str, Any]:
        return {
            "operations": [step.as_dict() for step in self.operations],
            "pipeline": [step.as_dict() for step in self.pipeline],
        }


@dataclass(frozen=True)
class Delivery:
    """How results are named and who asked for them."""

    priority: int = Priority.NORMAL
    output_folder: str = ""
    filename_prefix: str = ""
    reference: str = ""
    idempotency_key: str = ""
    requested_by: Any = None
    source: str = "api"
    request_id: str = ""


def parse_work(*, operations: Any = None, pipeline: Any = None) -> Work:
    """Read the two lists of a request; every mistake in them is named at once.

    Raises:
        ApiError: 400 with one entry per wrong field.
    """
    errors: list[FieldError] = []
    work = Work(
        tuple(_steps("operations", operations, errors)),
        tuple(_steps("pipeline", pipeline, errors)),
    )
    if errors:
        code = errors[0].code if len({error.code for error in errors}) == 1 else ErrorCode.INVALID
        raise ApiError(code, " ".join(f"{error.field}: {error.detail}" for error in errors), errors=errors)
    if not work.units():
        errors = [FieldError("operations", ErrorCode.REQUIRED, phrases.NO_OPERATIONS)]
        raise ApiError(ErrorCode.REQUIRED, phrases.NO_OPERATIONS, errors=errors)
    return work


def _steps(field: str, value: Any, errors: list[FieldError]) -> Iterable[Step]:
    for index, entry in enumerate(_entries(field, value, errors)):
        try:
            name, parameters = _name_and_parameters(entry)
            yield Step(name, algorithms.validate_parameters(name, parameters))
        except ProcessingError as error:
            path = f"{field}[{index}]" + (f".parameters.{error.field}" if error.field else "")
            errors.append(FieldError(path, error.code, error.detail, limit=error.limit, value=error.value))


def _entries(field: str, value: Any, errors: list[FieldError]) -> list[Any]:
    """The list in a request: a list, its JSON in a form field, or a single name."""
    if value in (None, ""):
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = value.strip()
            if value.startswith(("[", "{")):
                errors.append(FieldError(field, ErrorCode.MALFORMED, "This is not valid JSON."))
                return []
        value = [value] if isinstance(value, str | dict) else value
    if not isinstance(value, list):
        detail = "Enter a list of operations."
        errors.append(FieldError(field, ErrorCode.INVALID, detail))
        return []
    if len(value) > MAX_STEPS:
        detail = phrases.too_many_steps(len(value), MAX_STEPS)
        errors.append(FieldError(field, ErrorCode.TOO_LONG, detail))
        return []
    return value


def _name_and_parameters(entry: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ProcessingError(phrases.NOT_AN_OPERATION, code=ErrorCode.INVALID)
    unknown = sorted(set(entry) - {"name", "parameters"})
    if unknown:
        raise ProcessingError(phrases.unknown_keys(unknown), code=ErrorCode.UNKNOWN_FIELD)
    parameters = entry.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise ProcessingError("parameters must be an object.", code=ErrorCode.INVALID, field=None)
    return entry["name"], parameters or {}


def check_source(work: Work, *, format: str, width: int, height: int) -> None:
    """Refuse what cannot be done with this image: conversion to its own format, a crop outside of it, …"""
    lists = [(f"operations[{index}]", [step]) for index, step in enumerate(work.operations)]
    if work.pipeline:
        lists.append(("pipeline", list(work.pipeline)))
    errors = []
    for path, steps in lists:
        try:
            algorithms.validate_steps(
                [(step.name, step.parameters) for step in steps],
                format=format,
                width=width,
                height=height,
                limits=input_limits(),
            )
        except ProcessingError as error:
            step = getattr(error, "step", None)
            path += f"[{step}]" if path == "pipeline" and step is not None else ""
            path += f".parameters.{error.field}" if error.field else ""
            errors.append(FieldError(path, error.code, error.detail))
    if errors:
        raise ApiError(errors[0].code, " ".join(error.detail for error in errors), errors=errors)


def check_images(work: Work, images: Sequence[Any]) -> None:
    """`check_source` for each image; with several, the sentence names the first that does not fit."""
    check_models(work)
    for image in images:
        if image.status != "ready":
            raise ApiError(ErrorCode.CONFLICT, phrases.image_not_ready(image.pk, image.status))
        try:
            check_source(work, format=image.format, width=image.width, height=image.height)
        except ApiError as error:
            if len(images) > 1:
                raise ApiError(
                    error.code, f"Image {image.pk}: {error.detail}", errors=error.errors
                ) from error
            raise
    count = len(images) * len(work.units())
    if count > MAX_OPERATIONS:
        raise ApiError(ErrorCode.TOO_LONG, phrases.too_many_operations(count, MAX_OPERATIONS))


def submit_work(
    work: Work, images: Sequence[Any], delivery: Delivery | None = None, *, batch_id: Any = None
) -> Job:
    """Store a job that does `work` with every image; what was done before is linked instead.

    Raises:
        ApiError: 400 when the work does not fit an image.
    """
    delivery = delivery or Delivery()
    check_images(work, images)
    return jobs.submit_job(
        kind="process",
        operations=_new_operations(work, images),
        priority=delivery.priority,
        image_id=images[0].pk if len(images) == 1 else None,
        batch_id=batch_id,
        parameters=work.as_dict(),
        output_folder=names.clean_folder(delivery.output_folder),
        filename_prefix=names.clean_prefix(delivery.filename_prefix),
        reference=delivery.reference,
        idempotency_key=delivery.idempotency_key,
        requested_by=delivery.requested_by,
        source=delivery.source,
        request_id=delivery.request_id,
    )


def _new_operations(work: Work, images: Sequence[Any]) -> list[NewOperation]:
    units = work.units()
    return [
        NewOperation(
            name=name,
            parameters=parameters,
            image_id=image.pk,
            cache_key=cache_key(image.sha256, name, parameters),
            source_name=image.original_filename,
            source_sha256=image.sha256,
            queue=queue_of(name, parameters),
        )
        for image in images
        for name, parameters in units
    ]


def cache_key(source_sha256: str, name: str, parameters: Mapping[str, Any]) -> str:
    """The recipe of a result: same source bytes, steps, parameters, versions of the steps and weights, same bytes."""
    steps = [_recipe_of(step, given) for step, given in steps_of(name, parameters)]
    recipe = json.dumps([source_sha256, name, steps], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(recipe.encode()).hexdigest()


def _recipe_of(name: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    spec = algorithms.OPERATIONS[name]
    hashes = [model_availability.installed_sha256(model) for model in spec.needed_models(parameters)]
    return (name, parameters, spec.version, *([hashes] if hashes else []))


def check_models(work: Work) -> None:
    """Refuse (422) what needs a model that is not installed, naming the command that installs it."""
    steps = (*work.operations, *work.pipeline)
    needed = [
        model for step in steps for model in algorithms.OPERATIONS[step.name].needed_models(step.parameters)
    ]
    model_availability.require_model(*dict.fromkeys(needed))


def why_unavailable(spec: OperationSpec) -> str:
    """Why an operation cannot run here with any of its models, with the command that helps; "" where it can."""
    choices = [[model_availability.state(name) for name in names] for names in spec.model_choices()]
    if any(all(not model.why_not for model in states) for states in choices):
        return ""
    missing = [model for model in choices[0] if model.why_not]
    reasons = dict.fromkeys(model.why_not for model in missing)
    return " ".join([*reasons, remedy(*(model.command for model in missing))])


def estimate_work(work: Work, images: Sequence[Any]) -> dict[str, Any]:
    """What `work` would cost: operations, how many are in the result cache, time range, bytes to read, noise.

    Raises:
        ApiError: 400 when the work does not fit an image.
    """
    check_images(work, images)
    new = _new_operations(work, images)
    cached = set(
        Artifact.objects.filter(cache_key__in={n.cache_key for n in new}).values_list("cache_key", flat=True)
    )
    todo = Counter((n.name, n.runs_in) for n in new if n.cache_key not in cached)
    estimate = estimates.estimate(todo)
    return {
        "items": len(new),
        "cached": sum(n.cache_key in cached for n in new),
        "seconds": {"p50": estimate.seconds_p50, "p90": estimate.seconds_p90},
        "based_on": estimate.based_on,
        "bytes": sum(image.byte_size for image in images),
        "notes": estimates.noise_notes(
            [(step.name, dict(step.parameters)) for step in (*work.operations, *work.pipeline)], images
        ),
    }


def finished_jobs(job_ids: Collection[str]) -> set[str]:
    """Those of these jobs that are finished, or gone."""
    known = Job.objects.filter(pk__in=job_ids).exclude(status__in=JOB_TERMINAL).values_list("pk", flat=True)
    return set(job_ids) - {str(pk) for pk in known}


# Views that wait hold a thread: where a quarter of them does, the next ones do not wait.
_may_wait = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 4))


class Wait(NamedTuple):
    is_finished: bool
    is_granted: bool  # False: it looked once, since too many wait already


def wait_until_finished(job_id: Any, seconds: float) -> Wait:
    """Look at a job until it is finished or the time is up; often at first, since most work is short."""
    if finished_jobs([str(job_id)]):
        return Wait(is_finished=True, is_granted=True)
    if not _may_wait.acquire(blocking=False):
        return Wait(is_finished=False, is_granted=False)
    try:
        ends, pause_s = time.monotonic() + seconds, 0.05
        while (left := ends - time.monotonic()) > 0:
            time.sleep(min(pause_s, left))
            if finished_jobs([str(job_id)]):
                return Wait(is_finished=True, is_granted=True)
            pause_s = min(0.5, pause_s * 1.3)
        return Wait(is_finished=False, is_granted=True)
    finally:
        _may_wait.release()

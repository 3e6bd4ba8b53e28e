"""Handlers for the engine's tests: small work with known ends."""

import time
from typing import Any

from processing.algorithms.errors import ProcessingError
from processing.engine.registry import Claim, Handler, register
from tests.processing.engine import functions

SAVED: list[tuple[int, Any]] = []


def _remember(claim: Claim, value: Any) -> dict[str, Any]:
    SAVED.append((claim.operation_id, value))
    return {"value": value}


def _refuse(_claim: Claim, _scratch) -> tuple:
    raise ProcessingError("The image is upside down.", code="damaged_image")


def _empty() -> None:
    return None


def _empty_batch(arguments: list[tuple]) -> list[None]:
    return [None] * len(arguments)


def _slow_batch(arguments: list[tuple]) -> list[int]:
    time.sleep(0.4)
    return [1] * len(arguments)


HANDLERS = (
    Handler(
        "test-double", "default", functions.double, load=lambda c, _: (c.parameters["value"],), save=_remember
    ),
    Handler("test-refused", "default", functions.double, load=_refuse),
    Handler("test-empty", "default", _empty, isolated=False),
    Handler("test-empty-batch", "ml", _empty_batch, isolated=False, batch_size=32),
    Handler("test-slow-batch", "ml", _slow_batch, save=_remember, isolated=False, batch_size=4),
    Handler(
        "test-wait",
        "default",
        functions.wait_and_tell,
        load=lambda c, _: (c.parameters["seconds"], c.parameters["folder"], c.parameters["name"]),
        save=_remember,
    ),
    Handler(
        "test-tell",
        "ml",
        functions.tell,
        load=lambda c, scratch: (c.parameters["seconds"], str(scratch), c.parameters["folder"]),
        save=_remember,
    ),
    Handler(
        "test-misbehave",
        "default",
        functions.misbehave,
        load=lambda c, _: (c.parameters["how"],),
        timeout_s=3,
    ),
    Handler(
        "test-misbehave-together",
        "ml",
        functions.misbehave_together,
        load=lambda c, _: (c.parameters["how"],),
        timeout_s=3,
        batch_size=4,
    ),
)


def install() -> None:
    register(*HANDLERS)

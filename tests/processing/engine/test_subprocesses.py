"""Worker subprocesses that are started before anybody needs them."""

import os
import threading
from collections.abc import Iterator

import psutil
import pytest

from processing.algorithms.errors import ProcessingError
from processing.engine import subprocesses
from processing.engine.subprocesses import SubprocessPool
from tests.processing.engine import functions

LIMIT_BYTES = 2 * 2**30


@pytest.fixture
def shared(monkeypatch) -> Iterator[dict[int, SubprocessPool]]:
    """This process's own pool, empty at first."""
    pools: dict[int, SubprocessPool] = {}
    monkeypatch.setattr(subprocesses, "_shared", pools)
    yield pools
    for pool in pools.values():
        pool.stop()


def test_first_caller_gets_the_subprocess_that_was_warmed_up(shared):
    before = {child.pid for child in psutil.Process().children()}
    subprocesses.warm_up_shared(LIMIT_BYTES, after_s=0)
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join()
    # Besides it there may be multiprocessing's own tracker, which the first spawn starts.
    warm = {child.pid for child in psutil.Process().children()} - before

    answered = subprocesses.run_isolated(os.getpid, timeout_s=30, memory_bytes=LIMIT_BYTES)

    assert answered in warm
    assert list(shared) == [os.getpid()]


def test_a_decoder_that_was_killed_from_outside_is_started_again(shared, tmp_path):
    first = tmp_path / "first"

    answered = subprocesses.run_isolated(
        functions.killed_once, str(first), timeout_s=30, memory_bytes=LIMIT_BYTES
    )

    assert (answered, first.exists()) == ("well", True)


@pytest.mark.parametrize(("how", "code"), [("killed", "unavailable"), ("abort", "subprocess_crashed")])
def test_only_a_decoder_that_ends_itself_accuses_its_file(shared, how, code):
    with pytest.raises(ProcessingError) as caught:
        subprocesses.run_isolated(functions.misbehave, how, timeout_s=30, memory_bytes=LIMIT_BYTES)

    assert caught.value.code == code

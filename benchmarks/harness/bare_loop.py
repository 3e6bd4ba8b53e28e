"""The same pure functions without the engine: a process for each core, one photograph after the other.

No Django here: its processes import this file.
"""

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2

from processing.algorithms.codecs.probing import Limits
from processing.tasks import operations as compute

STEPS = [("resize", {"width": 1600}), ("sharpen", {}), ("webp", {})]


class BareLoop:
    def __init__(self, pool: ProcessPoolExecutor, limits: Limits) -> None:
        self.pool = pool
        self.limits = limits

    def seconds(self, paths: Sequence[Path]) -> float:
        started = time.time()
        tasks = [self.pool.submit(run_task, str(path), self.limits) for path in paths]
        for task in tasks:
            task.result()
        return time.time() - started


@contextmanager
def bare_loop(limits: Limits) -> Iterator[BareLoop]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 2, mp_context=context, initializer=prepare) as pool:
        yield BareLoop(pool, limits)


def prepare() -> None:
    cv2.setNumThreads(1)  # as in the engine's subprocesses: there are as many processes as cores


def run_task(path: str, limits: Limits) -> None:
    folder = tempfile.mkdtemp(dir=Path(path).parent)
    compute.run_steps(path, STEPS, folder, limits)
    shutil.rmtree(folder)

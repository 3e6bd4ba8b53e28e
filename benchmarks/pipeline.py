"""Photographs through the real engine, beside a bare loop over the same pure functions on all cores.

Both sides take turns with the same photographs, so that whatever else the machine does touches both alike.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from PIL import Image as Pillow

from benchmarks.harness import instance
from benchmarks.harness.bare_loop import STEPS, bare_loop
from benchmarks.harness.pictures import photographs
from benchmarks.harness.results import Result
from images.models import Image
from processing import files, services
from processing.handlers import input_limits

NAME = "pipeline"
TIMEOUT_S = 900


def measure(*, is_quick: bool) -> list[Result]:
    count, per_turn = (12, 6) if is_quick else (300, 50)
    with tempfile.TemporaryDirectory(dir=settings.DATA_DIR) as folder:
        paths = photographs(Path(folder) / "photographs", count)
        images = [store(path) for path in paths]
        megapixels = sum(image.width * image.height / 1e6 for image in images)
        loop_s, engine_s = take_turns(paths, images, per_turn)
    return [
        Result(
            NAME, "engine against bare loop", 100 * loop_s / engine_s, "%", 90, detail=f"{count} photographs"
        ),
        Result(NAME, "bare loop", count / loop_s, "/s", detail=f"{megapixels / loop_s:.1f} megapixels/s"),
        Result(
            NAME, "real engine", count / engine_s, "/s", detail=f"{megapixels / engine_s:.1f} megapixels/s"
        ),
    ]


def take_turns(paths: Sequence[Path], images: Sequence[Image], per_turn: int) -> tuple[float, float]:
    """Seconds of the bare loop and of the engine; each begins every other turn."""
    processes = os.cpu_count() or 2
    loop_s = engine_s = 0.0
    with instance.workers(), bare_loop(input_limits()) as loop:
        loop.seconds(paths[:processes])
        warm_up(images[:processes])
        for turn, start in enumerate(range(0, len(paths), per_turn)):
            part = slice(start, start + per_turn)
            if turn % 2:
                loop_s += loop.seconds(paths[part])
            engine_s += engine(images[part])
            if not turn % 2:
                loop_s += loop.seconds(paths[part])
    return loop_s, engine_s


def engine(images: Sequence[Image]) -> float:
    """Seconds from before the submission until the job is finished."""
    pipeline = [{"name": name, "parameters": parameters} for name, parameters in STEPS]
    started = time.time()
    job = services.submit_work(services.parse_work(pipeline=pipeline), images)
    finished = instance.wait_for(job, timeout_s=TIMEOUT_S)
    job.refresh_from_db()
    if job.operations_completed != len(images):
        raise RuntimeError(f"{job.operations_failed} of {len(images)} photographs failed.")
    return finished - started


def warm_up(images: Sequence[Image]) -> None:
    """Subprocesses start with the first work; another recipe, so that the results are not known later."""
    job = services.submit_work(services.parse_work(operations=["grayscale"]), images)
    instance.wait_for(job, timeout_s=TIMEOUT_S)


def store(path: Path) -> Image:
    """A row and a stored file, as an upload leaves them."""
    content = path.read_bytes()
    with Pillow.open(path) as picture:
        width, height = picture.size
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    return Image.objects.create(
        sha256=hashlib.sha256(content).hexdigest(),
        file=files.store(copy, prefix=settings.UPLOAD_DIR, extension="jpg"),
        original_filename=path.name,
        format="jpg",
        byte_size=len(content),
        width=width,
        height=height,
        mode="RGB",
    )

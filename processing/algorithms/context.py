"""What a function may need beside pixels and parameters, so that it stays free of settings and of the engine."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def ignore_progress(_share: float) -> None:
    """For work that nobody watches."""


def part_of(progress: Callable[[float], None], index: int, count: int) -> Callable[[float], None]:
    """The progress of one of `count` parts that are worked on one after the other."""
    return lambda share: progress((index + share) / count)


@dataclass(frozen=True)
class ExecutionContext:
    """Where the models lie, and whom to tell how far the work is.

    Attributes:
        models_dir: folder of the installed models; those that come with Pix are found without it.
        progress: called now and then with the share that is done, 0 to 1; it may raise to end the work.
    """

    models_dir: Path = Path()
    progress: Callable[[float], None] = ignore_progress

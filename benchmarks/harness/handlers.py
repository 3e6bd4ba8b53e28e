"""Operations that do nothing: what is left is the engine."""

from collections.abc import Sequence

from processing.engine.registry import Handler

BATCH_SIZE = 32


def nothing() -> None:
    return None


def nothings(arguments: Sequence[tuple]) -> list[None]:
    return [None] * len(arguments)


HANDLERS = (
    Handler("bench_single", "default", nothing, isolated=False),
    Handler("bench_isolated", "default", nothing),
    Handler("bench_batch", "default", nothings, isolated=False, batch_size=BATCH_SIZE),
)

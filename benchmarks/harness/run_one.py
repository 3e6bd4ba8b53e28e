"""One benchmark in a process of its own; started by `python -m benchmarks`."""

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import django

from benchmarks.harness.instance import running_servers


def main(name: str, answer: Path, *, is_quick: bool, with_servers: bool) -> None:
    django.setup()
    with running_servers() if with_servers else nullcontext():
        results = import_module(f"benchmarks.{name}").measure(is_quick=is_quick)
    answer.write_text(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    options = sys.argv[3:]
    main(sys.argv[1], Path(sys.argv[2]), is_quick="--quick" in options, with_servers="--servers" in options)

"""One benchmark in a process of its own; started by `python -m benchmarks`."""

import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.instance import running_servers


def main(name: str, answer: Path, *, is_quick: bool) -> None:
    with running_servers():
        results = import_module(f"benchmarks.{name}").measure(is_quick=is_quick)
    answer.write_text(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), is_quick="--quick" in sys.argv)

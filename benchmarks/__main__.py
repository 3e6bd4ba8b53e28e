"""python -m benchmarks [names] [--quick] [--json FILE]: run benchmarks one after the other.

Each runs in a process of its own; those that need a Pix have one of their own in a throw-away folder. Rows are printed
as soon as their benchmark ends, so that a run cut short keeps what was measured.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.harness.results import Result, table

NAMES = (
    "pipeline",
    "thumbnails",
    "empty_operations",
    "latency",
    "lists",
    "clustering",
    "fingerprints",
    "quality",
    "similarity",
    "near_duplicates",
    "embeddings",
    "grouping",
    "batch_review",
    "denoise",
    "crowd",
)
# The others measure pure functions, without a database.
ON_A_PIX = {"pipeline", "empty_operations", "latency", "lists", "similarity", "batch_review", "crowd"}
ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    arguments = parse()
    results: list[Result] = []
    failed: list[str] = []
    for name in arguments.names or NAMES:
        started = time.monotonic()
        rows = run(name, is_quick=arguments.quick)
        if rows is None:
            failed.append(name)
        results += rows or []
        print(f"{name}: {outcome(rows)} after {time.monotonic() - started:.0f} s", flush=True)
        if rows:
            print(f"{table(rows)}\n", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(report(results, is_quick=arguments.quick), indent=2) + "\n")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def outcome(results: list[Result] | None) -> str:
    if results is None:
        return "failed"
    return "done" if results else "nothing to measure"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it runs")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(NAMES)):
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    return arguments


def run(name: str, *, is_quick: bool) -> list[Result] | None:
    """The results of one benchmark, or None when its process failed."""
    with tempfile.TemporaryDirectory(prefix="pix-bench-", ignore_cleanup_errors=True) as folder:
        data_dir, answer = Path(folder) / "data", Path(folder) / "results.json"
        command = [
            sys.executable,
            "-m",
            "benchmarks.harness.run_one",
            name,
            str(answer),
            *(["--quick"] if is_quick else []),
            *(["--servers"] if name in ON_A_PIX else []),
        ]
        ended = subprocess.run(command, cwd=ROOT, env=environment(data_dir), check=False)
        if ended.returncode != 0:
            return None
        return [Result(**row) for row in json.loads(answer.read_text())]


def environment(data_dir: Path) -> dict[str, str]:
    """Settings of a fresh Pix: neither the user's servers, nor their data, nor their .env."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "CACHE_URL"}
    }
    return kept | {
        "DJANGO_SETTINGS_MODULE": "pixproject.settings",
        "PIX_DATA_DIR": str(data_dir),
        "PIX_IGNORE_ENV_FILE": "1",
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "text",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    }


def report(results: list[Result], *, is_quick: bool) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": is_quick,
        "machine": {
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
        "packages": {name: version(name) for name in ("django", "dramatiq", "celery", "pillow", "psycopg")},
        "results": [result.as_dict() for result in results],
    }


if __name__ == "__main__":
    sys.exit(main())

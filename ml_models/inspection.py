"""Can a file of weights be read? Asked in a process of its own: the caller neither imports torch nor suffers from what
a broken file does to a parser.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ml_models import contents
from ml_models.errors import Refused

TIMEOUT_S = 300
REFUSED = 3


def why_unreadable(path: Path, suffix: str, holds: Sequence[str] = ()) -> str:
    """Why the file, taken as one of the type that the suffix names, cannot be read; "" where it can.

    Args:
        holds: names of tensors or variables without which it is another model's.
    """
    folder = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "ml_models.inspection", str(path.resolve()), suffix, *holds]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"it could not be read within {TIMEOUT_S} s."
    if ended.returncode == REFUSED:
        return ended.stdout.strip()
    if ended.returncode:
        last = ended.stderr.strip().splitlines()[-1:] or [f"exit status {ended.returncode}"]
        return f"it could not be read ({last[0]})."
    return ""


def main() -> None:
    path, suffix, *holds = sys.argv[1:]
    try:
        contents.check(Path(path), suffix, holds)
    except Refused as error:
        print(error)
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()

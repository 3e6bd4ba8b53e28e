"""The programs of a whole Pix on one machine."""

import shlex
import sys
from pathlib import Path

from .supervisor import Program

WATCHED = ("api", "batches", "images", "ml_models", "pixproject", "processing")


def programs(root: Path, *, listener_fd: int, with_reload: bool) -> list[Program]:
    """Web server, workers, model worker, sweeper; with reload each starts again when Python files change."""
    web = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener_fd}"]
    web += ["--reload"] if with_reload else []
    background = {
        "worker": ["runworkers", "--queues", "light,default"],
        "model-worker": ["runworkers", "--queues", "ml"],
        "sweeper": ["sweep", "--loop"],
    }
    return [
        Program("web", (*web, "pixproject.wsgi"), pass_fds=(listener_fd,)),
        *(
            Program(name, _manage(root, arguments, with_reload=with_reload))
            for name, arguments in background.items()
        ),
    ]


def _manage(root: Path, arguments: list[str], *, with_reload: bool) -> tuple[str, ...]:
    command = [sys.executable, str(root / "manage.py"), *arguments]
    if not with_reload:
        return tuple(command)
    folders = [str(root / name) for name in WATCHED]
    watch = [sys.executable, "-m", "watchfiles", "--filter", "python", "--sigint-timeout", "25"]
    return (*watch, shlex.join(command), *folders)

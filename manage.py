#!/usr/bin/env python3
"""Pix's command line. Works from any folder; the embedded servers run while a command needs them."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
WITHOUT_SERVERS = {
    "",
    "--help",
    "--version",
    "-h",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "models",
    "startapp",
    "startproject",
    "train_dncnn",
    "train_embedder",
    "version",
}


def use_project_python() -> None:
    """Continue under .venv where `make run` made one, whichever python3 the shell found."""
    venv = ROOT / ".venv"
    python = venv / "bin" / "python"
    if python.exists() and Path(sys.prefix).resolve() != venv.resolve():
        os.execv(python, [str(python), str(ROOT / "manage.py"), *sys.argv[1:]])


def needs_servers(arguments: list[str]) -> bool:
    command = arguments[0] if arguments else ""
    return command not in WITHOUT_SERVERS and not {"--help", "-h"} & set(arguments)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixproject.settings")
    from django.core.management import execute_from_command_line

    if not needs_servers(sys.argv[1:]):
        execute_from_command_line(sys.argv)
        return
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    from pixproject.embedded import EmbeddedServerError, attached, embedded_names

    try:
        names = embedded_names(
            settings.DATA_DIR,
            database_host=settings.DATABASES["default"]["HOST"],
            redis_location=settings.REDIS_URL,
        )
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    try:
        with attached(settings.DATA_DIR, names=names):
            execute_from_command_line(sys.argv)
    except EmbeddedServerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    use_project_python()
    main()

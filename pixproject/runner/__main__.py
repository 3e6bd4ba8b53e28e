"""python -m pixproject.runner run | dev | stop | logs"""

import os
import sys
from types import ModuleType

from django.core.exceptions import ImproperlyConfigured

from pixproject.embedded import EmbeddedServerError

from .instance import CannotRun, stop
from .start import run

COMMANDS = ("run", "dev", "stop", "logs")


def main(arguments: list[str]) -> None:
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        sys.exit(f"Choose one of: {', '.join(COMMANDS)}.")
    try:
        _carry_out(arguments[0], _settings())
    except KeyboardInterrupt:
        sys.exit(130)
    except (CannotRun, EmbeddedServerError) as error:
        sys.exit(f"\n{error}")


def _settings() -> ModuleType:
    try:
        from pixproject import settings
    except ImproperlyConfigured as error:
        raise CannotRun(str(error)) from error
    except PermissionError as error:
        raise CannotRun(
            f"This user cannot read or write {error.filename}. Choose another folder with PIX_DATA_DIR."
        ) from error
    return settings


def _carry_out(command: str, settings: ModuleType) -> None:
    if command == "stop":
        print(stop(settings.DATA_DIR))
    elif command == "logs":
        files = sorted(str(path) for path in (settings.DATA_DIR / "logs").glob("*.log"))
        if not files:
            raise CannotRun(f"There are no logs in {settings.DATA_DIR / 'logs'} yet.")
        os.execvp("tail", ["tail", "-n", "50", "-F", *files])
    else:
        run(settings, with_reload=command == "dev")


if __name__ == "__main__":
    main(sys.argv[1:])

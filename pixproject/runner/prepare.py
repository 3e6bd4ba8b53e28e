"""Everything between "the servers answer" and "the programs may start", in one process to be quick.

Prints for the first admin on standard output, everything else on standard error.
"""

import hashlib
import os
import sys
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixproject.settings")
    import django
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError

    django.setup()
    try:
        call_command("check", stdout=sys.stderr, stderr=sys.stderr)
    except SystemCheckError as error:
        sys.exit(str(error))
    call_command("migrate", interactive=False, stdout=sys.stderr)
    _collect_static_files()
    call_command("ensure_superuser")


def _collect_static_files() -> None:
    """Hashing and compressing some 500 files takes seconds: only when one of them changed."""
    from django.conf import settings
    from django.core.management import call_command

    note = Path(settings.STATIC_ROOT) / ".collected"
    state = _static_state()
    if note.exists() and note.read_text() == state:
        return
    call_command("collectstatic", interactive=False, verbosity=0, stdout=sys.stderr)
    note.write_text(state)


def _static_state() -> str:
    from django.contrib.staticfiles import finders

    digest = hashlib.sha256()
    for finder in finders.get_finders():
        for path, storage in finder.list([]):
            status = os.stat(storage.path(path))
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    main()

"""Everything between "the servers answer" and "the programs may start", in one process to be quick.

Prints for the first admin on standard output, everything else on standard error.
"""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixproject.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, stdout=sys.stderr)
    call_command("collectstatic", interactive=False, verbosity=0, stdout=sys.stderr)
    call_command("ensure_superuser")


if __name__ == "__main__":
    main()

"""The ordinary worker command, with the benchmarks' handlers beside the others.

Only the main process reads this: spawned subprocesses import it too and must start fast.
"""

import sys

if __name__ == "__main__":
    import django
    from django.core.management import call_command

    from benchmarks.harness.instance import register_handlers

    django.setup()
    register_handlers()
    call_command("runworkers", *sys.argv[1:])

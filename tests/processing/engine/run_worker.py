"""A real worker on the tests' database, with the tests' handlers: `-m tests.processing.engine.run_worker QUEUES`."""

import os
import sys

if __name__ == "__main__":  # spawned subprocesses import this file again
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["PIX_TEST_DATABASE"]
    settings.LEASE_SECONDS = int(os.environ.get("PIX_TEST_LEASE_SECONDS", settings.LEASE_SECONDS))
    settings.OPERATION_MEMORY_BYTES = 1 << 30
    import django

    django.setup()
    from django.core.management import call_command

    from tests.processing.engine import handlers

    handlers.install()
    call_command("runworkers", queues=sys.argv[1])

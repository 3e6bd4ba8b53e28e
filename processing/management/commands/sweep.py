import signal
import threading

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from pixproject.web.base import database
from processing import sweeper
from processing.storage import leftovers


class Command(BaseCommand):
    help = "Requeue the work of lost workers and wake idle queues."

    def add_arguments(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group(required=True)
        mode.add_argument("--once", action="store_true", help="one round, then exit")
        mode.add_argument("--loop", action="store_true", help="one round every second until stopped")

    def handle(self, *args: object, once: bool, **options: object) -> None:
        if once:
            counts = sweeper.sweep()
            sweeper.do_chores({})
            sweeper.housekeeping()
            leftovers.wait()
            self.stdout.write(
                f"Operations requeued: {counts['returned']}. Failed: {counts['failed']}. "
                f"Queues woken: {counts['woken']}."
            )
            return
        database.keep_to(settings.WORKER_DATABASE_BOUNDS)
        stopped = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: stopped.set())
        self.stderr.write("Sweeper started.")
        sweeper.sweep_forever(stopped.is_set)

import signal
import threading

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pixproject.web.base import database
from processing.engine import wakeups
from processing.engine.worker import Worker


class Command(BaseCommand):
    help = "Run a worker until it is stopped by Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queues",
            default=",".join(wakeups.QUEUES),
            help=f"of {', '.join(wakeups.QUEUES)}, separated by commas (default: all)",
        )

    def handle(self, *args: object, queues: str, **options: object) -> None:
        names = [name.strip() for name in queues.split(",") if name.strip()]
        unknown = sorted(set(names) - set(wakeups.QUEUES))
        if unknown or not names:
            raise CommandError(
                f"--queues {queues!r} is not a valid choice. Choose from: {', '.join(wakeups.QUEUES)}."
            )
        database.keep_to(settings.WORKER_DATABASE_BOUNDS)
        stopped = threading.Event()
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, lambda *_: stopped.set())
        worker = Worker({name: wakeups.threads(name) for name in names})
        consumers = [wakeups.consumer(name, worker.drain) for name in worker.queues]
        worker.start()
        for consumer in consumers:
            consumer.start()
        self.stderr.write(f"Worker {worker.id} is waiting for work on {', '.join(names)}.")
        stopped.wait()
        worker.stop()
        for consumer in consumers:
            consumer.stop(timeout=5_000)
        self.stderr.write("Worker stopped.")

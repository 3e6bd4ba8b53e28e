import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import F, Sum
from django.utils.translation import ngettext
from tqdm import tqdm

from api.core.errors import ApiError
from batches.models import Batch
from images import reprocess
from images.reprocess import Which
from processing.algorithms.errors import not_a_choice
from processing.models import Job
from processing.states import JOB_TERMINAL

POLL_S = 0.5


class Command(BaseCommand):
    help = "Regenerate thumbnails, metadata, quality or embeddings. The workers do the work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--what",
            default="thumbnails",
            help=f"of {', '.join(reprocess.KINDS)}, separated by commas (default: thumbnails)",
        )
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument("--missing", action="store_true", help="if missing (the default)")
        amount.add_argument(
            "--stale",
            action="store_true",
            help="if made by another version, with other weights or other settings",
        )
        amount.add_argument("--all", action="store_true", help="for every image")
        parser.add_argument("--batch", default="", metavar="NAME", help="only images of this batch")
        parser.add_argument("--model", default="auto", help="embedding model (default: DEFAULT_EMBEDDER)")
        parser.add_argument("--dry-run", action="store_true", help="only count")
        wait = parser.add_mutually_exclusive_group()
        wait.add_argument(
            "--wait",
            action="store_true",
            help="show progress until everything is done (default in a terminal)",
        )
        wait.add_argument("--no-wait", action="store_true", help="exit once everything is queued")

    def handle(self, *args: Any, **options: Any) -> None:
        batch = self.batch(options["batch"])
        jobs: list[Job] = []
        for what in self.kinds(options["what"]):
            try:
                jobs += self.queue(what, batch, options)
            except ApiError as error:
                raise CommandError(f"{what}: {error.detail}") from error
        if jobs and (options["wait"] or (sys.stderr.isatty() and not options["no_wait"])):
            self.follow(jobs)

    def queue(self, what: str, batch: Batch | None, options: dict[str, Any]) -> list[Job]:
        images = reprocess.selected(what, which=self.which(options), batch=batch, model=options["model"])
        count = images.count()
        images_in_words = ngettext("{} image", "{} images", count).format(count)
        if options["dry_run"]:
            self.stdout.write(f"{what}: {images_in_words} would be queued.")
            return []
        with tqdm(total=count, desc=what, unit="image", disable=None) as bar:
            jobs = reprocess.submit(what, images, model=options["model"], on_chunk=bar.update)
        jobs_in_words = ngettext("{} job", "{} jobs", len(jobs)).format(len(jobs))
        self.stdout.write(f"{what}: {images_in_words} queued in {jobs_in_words}.")
        return jobs

    def follow(self, jobs: Sequence[Job]) -> None:
        """Show how far the jobs are; Ctrl-C ends the watching, not the work."""
        mine = Job.objects.filter(pk__in=[job.pk for job in jobs])
        total = mine.aggregate(total=Sum("operations_total"))["total"]
        try:
            with tqdm(total=total, unit="operation", disable=None) as bar:
                while mine.exclude(status__in=JOB_TERMINAL).exists():
                    bar.update(self.done(mine) - bar.n)
                    time.sleep(POLL_S)
                bar.update(self.done(mine) - bar.n)
        except KeyboardInterrupt:
            self.stdout.write("The workers continue. Follow the jobs in the admin.")
            return
        failed = mine.aggregate(failed=Sum("operations_failed"))["failed"]
        self.stdout.write(f"Operations finished: {total}. Failed: {failed}.")
        if failed:
            words = ngettext("{} operation failed.", "{} operations failed.", failed).format(failed)
            raise CommandError(f"{words} To retry: manage.py requeue --failed")

    @staticmethod
    def done(jobs: Any) -> int:
        ended = F("operations_completed") + F("operations_failed") + F("operations_cancelled")
        return int(jobs.aggregate(done=Sum(ended))["done"] or 0)

    @staticmethod
    def which(options: dict[str, Any]) -> Which:
        if options["all"]:
            return Which.ALL
        return Which.STALE if options["stale"] else Which.MISSING

    @staticmethod
    def kinds(text: str) -> list[str]:
        kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
        if unknown := [kind for kind in kinds if kind not in reprocess.KINDS]:
            raise CommandError(f"--what: {not_a_choice(unknown[0], reprocess.KINDS)}")
        if not kinds:
            raise CommandError(f"--what: choose at least one of: {', '.join(reprocess.KINDS)}.")
        return kinds

    @staticmethod
    def batch(name: str) -> Batch | None:
        if not name:
            return None
        batch = Batch.objects.filter(batch_name=name).order_by("-created_at").first()
        if batch is None:
            raise CommandError(f"There is no batch {name!r}.")
        return batch

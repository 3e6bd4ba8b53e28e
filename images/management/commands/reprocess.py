from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from batches.models import Batch
from images import reprocess


class Command(BaseCommand):
    help = "Have thumbnails or metadata made again by the workers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--what", default="thumbnails", help=f"of {','.join(reprocess.KINDS)}")
        amount = parser.add_mutually_exclusive_group()
        amount.add_argument("--missing", action="store_true", help="where they are missing (the default)")
        amount.add_argument("--all", action="store_true", help="of every image")
        parser.add_argument("--batch", default="", metavar="NAME", help="only images of this batch")
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        batch = self.batch(options["batch"])
        for what in self.kinds(options["what"]):
            images = reprocess.selected(what, only_missing=not options["all"], batch=batch)
            count = images.count()
            if options["dry_run"]:
                self.stdout.write(f"{what}: {count} images would be queued.")
                continue
            jobs = reprocess.submit(what, images)
            self.stdout.write(f"{what}: {count} images queued in {len(jobs)} jobs.")

    @staticmethod
    def kinds(text: str) -> list[str]:
        kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
        if unknown := [kind for kind in kinds if kind not in reprocess.KINDS]:
            raise CommandError(f"--what: {unknown[0]!r} is none of {', '.join(reprocess.KINDS)}.")
        if not kinds:
            raise CommandError(f"--what: name at least one of {', '.join(reprocess.KINDS)}.")
        return kinds

    @staticmethod
    def batch(name: str) -> Batch | None:
        if not name:
            return None
        batch = Batch.objects.filter(batch_name=name).order_by("-created_at").first()
        if batch is None:
            raise CommandError(f"There is no batch {name!r}.")
        return batch

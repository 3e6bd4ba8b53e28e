"""Delete old files, by the same service as `POST /api/cleanup/`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from api.core.errors import ApiError
from processing.storage import retention


class Command(BaseCommand):
    help = "Delete files older than N days. Inputs of unfinished jobs, pinned images and images in batches are kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days-old", required=True, metavar="N", help="minimum age of the files in days")
        parser.add_argument(
            "--class", dest="classes", metavar="raw,processed,thumbnails", help="which files (default: all)"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be deleted, and what is kept and why"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            days_old = retention.check_days(options["days_old"])
            names = options["classes"] and [
                name.strip() for name in options["classes"].split(",") if name.strip()
            ]
            classes = retention.check_classes(names)
        except ApiError as error:
            raise CommandError(error.detail) from error
        moments = retention.cutoffs(classes, days_old=days_old)
        if options["dry_run"]:
            self.show(retention.plan(moments))
            return
        removed = retention.clean(moments)
        for name, part in removed.items():
            self.stdout.write(f"{name}: {part.count} deleted ({filesizeformat(part.byte_size)})")
        total = sum(part.count for part in removed.values())
        size = filesizeformat(sum(part.byte_size for part in removed.values()))
        self.stdout.write(f"{total} deleted in total ({size}).")

    def show(self, plans: dict[str, retention.ClassPlan]) -> None:
        for name, part in plans.items():
            size = filesizeformat(part.byte_size)
            since = f"older than {part.cutoff:%F %T} UTC"
            self.stdout.write(f"{name}: {part.count} would be deleted ({size}), {since}")
            for example in part.examples:
                self.stdout.write(f"    {example}")
            for reason, count in part.kept.items():
                self.stdout.write(f"    kept: {count} ({reason})")
        total = sum(part.count for part in plans.values())
        size = filesizeformat(sum(part.byte_size for part in plans.values()))
        self.stdout.write(f"{total} would be deleted in total ({size}). Nothing was deleted.")

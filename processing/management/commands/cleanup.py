"""Remove old files, by the same service as `POST /api/cleanup/`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from api.errors import ApiError
from processing import retention


class Command(BaseCommand):
    help = "Remove files that are older than N days; inputs of live jobs, pinned images and batches stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days-old", required=True, metavar="N")
        parser.add_argument(
            "--class", dest="classes", metavar="raw,processed,thumbnails", help="Which files; all without it."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would go, and what stays and why."
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
            self.stdout.write(f"{name}: {part.count} removed, {part.byte_size} bytes")
        total = sum(part.count for part in removed.values())
        self.stdout.write(f"{total} removed, {sum(part.byte_size for part in removed.values())} bytes")

    def show(self, plans: dict[str, retention.ClassPlan]) -> None:
        for name, part in plans.items():
            since = f"older than {part.cutoff:%F %T}"
            self.stdout.write(f"{name}: {part.count} {part.title} would go, {part.byte_size} bytes, {since}")
            for example in part.examples:
                self.stdout.write(f"    {example}")
            for reason, count in part.kept.items():
                self.stdout.write(f"    stay: {count} ({reason})")
        total = sum(part.count for part in plans.values())
        self.stdout.write(
            f"{total} would go, {sum(part.byte_size for part in plans.values())} bytes; nothing was removed"
        )

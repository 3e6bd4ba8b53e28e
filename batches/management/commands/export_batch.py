import sys
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat
from tqdm import tqdm

from api.core.errors import ApiError
from batches.exports import files as exports
from batches.models import Batch
from batches.phrases import images

STDOUT = "-"
NAMED = 10


class Command(BaseCommand):
    help = "Export a batch as a CSV of its images, a JSON manifest, or a ZIP with one folder per group."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", metavar="NAME|ID")
        parser.add_argument("--format", choices=sorted(exports.FORMATS), default="csv", help="default: csv")
        parser.add_argument(
            "--output",
            default="",
            metavar="FILE",
            help="default: named after the batch, in this folder; -: standard output",
        )
        parser.add_argument("--force", action="store_true", help="overwrite an existing file")
        parser.add_argument(
            "--with-rejected",
            action="store_true",
            help="include rejected images, in a separate folder of the ZIP",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        batch, format = self.batch(options["batch"]), options["format"]
        target = options["output"] or exports.export_name(batch, format)
        if target != STDOUT and Path(target).exists() and not options["force"]:
            raise CommandError(f"{target} already exists. Use --force to overwrite it.")
        try:
            made = exports.export(batch, format, has_rejected=options["with_rejected"])
        except ApiError as error:
            raise CommandError(error.detail) from error
        self.write(made, target)
        if target != STDOUT:
            count = batch.batch_images.present().count()
            self.stdout.write(
                f"Exported {images(count)} of {batch.batch_name!r} to {target} ({filesizeformat(made.byte_size)})."
            )

    @staticmethod
    def write(made: exports.Export, target: str) -> None:
        """A file that could not be written whole does not stay."""
        is_begun = False
        try:
            opened = nullcontext(sys.stdout.buffer) if target == STDOUT else open(target, "wb")  # noqa: SIM115
            is_begun = target != STDOUT
            with opened as file, bar(made.byte_size) as progress:
                for chunk in made.chunks:
                    file.write(chunk)
                    progress.update(len(chunk))
        except OSError as error:
            if is_begun:
                Path(target).unlink(missing_ok=True)
            raise CommandError(f"{target}: {error.strerror or error}") from error

    @staticmethod
    def batch(key: str) -> Batch:
        """The batch of this id, or the only one of this name."""
        try:
            batches = list(Batch.objects.present().filter(pk=UUID(key)))
        except ValueError:
            batches = list(Batch.objects.present().filter(batch_name=key).order_by("created_at"))
        if not batches:
            raise CommandError(f"There is no batch {key!r}.")
        if len(batches) > 1:
            ids = ", ".join(str(batch.pk) for batch in batches[:NAMED])
            raise CommandError(f"{len(batches)} batches are named {key!r}. Use the ID of one: {ids}")
        return batches[0]


def bar(total: int) -> tqdm:
    return tqdm(total=total, unit="B", unit_scale=True, file=sys.stderr, disable=None)

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext
from tqdm import tqdm

from api.core.errors import ApiError
from batches.clustering import service as analysis
from batches.membership import add_upload
from batches.models import Batch
from batches.services import create_batch, priority_of, update_batch
from images.ingest.service import examine, ingest
from images.models import Image
from images.vectors import embeddings
from processing.algorithms.errors import ProcessingError


class Command(BaseCommand):
    help = "Upload every image in a folder. The files are copied and never changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--batch",
            default="",
            metavar="NAME",
            help="add the images to this batch; it is created if necessary",
        )
        parser.add_argument(
            "--recursive",
            action=BooleanOptionalAction,
            default=True,
            help="include subfolders (default: yes)",
        )
        parser.add_argument(
            "--priority",
            default="",
            metavar="WORD",
            help="priority of the batch: urgent, high, normal or low",
        )
        parser.add_argument("--analyze", action="store_true", help="then group the images of the batch")
        parser.add_argument("--user", default="", metavar="NAME", help="record this user as the uploader")
        parser.add_argument(
            "--dry-run", action="store_true", help="check every file without storing anything"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        user, is_dry_run = self.user(options["user"]), options["dry_run"]
        self.check_options(options)
        batch = None if is_dry_run else self.batch(options["batch"], user, options["priority"])
        counts: Counter[str] = Counter()
        self.examined_hashes: set[str] = set()  # in a dry run nothing else knows the files before
        paths = list(files_in(folder, is_recursive=options["recursive"]))
        for path in tqdm(paths, unit=" files", file=sys.stderr, disable=None):
            counts[self.take(path, user=user, batch=batch, is_dry_run=is_dry_run)] += 1
        self.stdout.write(self.summary(counts, is_dry_run))
        if batch is not None:
            self.go_on(batch, user, is_analyzed=options["analyze"])

    @staticmethod
    def check_options(options: dict[str, Any]) -> None:
        """Before anything is stored."""
        for name in ("priority", "analyze"):
            if options[name] and not options["batch"]:
                raise CommandError(f"--{name} requires --batch.")
        try:
            if options["priority"]:
                priority_of(options["priority"])
            if options["analyze"]:
                embeddings.usable()
        except ApiError as error:
            raise CommandError(error.detail) from error

    def go_on(self, batch: Batch, user: Any, *, is_analyzed: bool) -> None:
        """Where the images are now, and what may follow."""
        count = batch.batch_images.present().count()
        images = ngettext("{} image", "{} images", count).format(count)
        self.stdout.write(f"Batch “{batch.batch_name}”: {images}, /batches/{batch.pk}/")
        if not is_analyzed:
            self.stdout.write(f"To group them, open its page or call POST /api/batches/{batch.pk}/analyze/")
            return
        try:
            parameters = analysis.parse_parameters({}, fallback=analysis.stored_parameters(batch.parameters))
            run = analysis.submit_analysis(batch, parameters=parameters, actor=user, source="command")
        except ApiError as error:
            raise CommandError(
                f"The images are in the batch, but grouping did not start. {error.detail}"
            ) from error
        self.stdout.write(f"Run {run.number} is queued to group them (job {run.job_id}).")

    def take(self, path: Path, *, user: Any, batch: Batch | None, is_dry_run: bool) -> str:
        """What became of one file; a refusal is printed, and the next file follows."""
        try:
            if is_dry_run:
                return self.examined(path)
            source = Image.Source.COMMAND
            after = partial(add_upload, batch, by=user) if batch else None
            taken = ingest(path, filename=path.name, uploaded_by=user, source=source, after=after)
            return "known" if taken.is_duplicate else "new"
        except (ApiError, ProcessingError) as error:
            if isinstance(error, ApiError) and error.status >= 500:
                raise CommandError(error.detail) from error
            self.stdout.write(f"refused {path}: {error.detail}")
        except OSError as error:
            self.stdout.write(f"refused {path}: {error.strerror or error}")
        return "refused"

    def examined(self, path: Path) -> str:
        sha256, is_known = examine(path, filename=path.name)
        is_known = is_known or sha256 in self.examined_hashes
        self.examined_hashes.add(sha256)
        return "known" if is_known else "new"

    @staticmethod
    def summary(counts: Counter[str], is_dry_run: bool) -> str:
        refused = "would be refused" if is_dry_run else "refused"
        return f"{counts['new']} new, {counts['known']} already known, {counts['refused']} {refused}."

    @staticmethod
    def user(name: str) -> Any:
        if not name:
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no user {name!r}.")
        return user

    @staticmethod
    def batch(name: str, user: Any, priority: str) -> Batch | None:
        """The newest batch of this name that still takes images, else a new one."""
        if not name:
            return None
        values: dict[str, Any] = {"priority": priority_of(priority)} if priority else {}
        taking = Batch.objects.present().filter(batch_name=name.strip())
        taking = taking.exclude(status=Batch.Status.ARCHIVED).exclude(review_stage=Batch.Stage.APPROVED)
        try:
            batch = taking.order_by("-created_at").first()
            if batch is None:
                return create_batch(name, owner=user, **values)
            return update_batch(batch, actor=user, values=values) if values else batch
        except ApiError as error:
            raise CommandError(error.detail) from error


def files_in(folder: Path, *, is_recursive: bool) -> Iterator[Path]:
    """Every file in a steady order, but for hidden ones."""
    paths = folder.rglob("*") if is_recursive else folder.iterdir()
    files = (path for path in sorted(paths) if path.is_file())
    return (
        path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )

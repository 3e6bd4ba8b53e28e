"""List, install and verify models."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ml_models import fetching, weights
from ml_models.download import FetchFailed
from processing.model_availability import PYIQA_LICENCE

WIDTH = 18


class Command(BaseCommand):
    help = "List, install and verify models."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True, metavar="list | fetch | verify")
        parts.add_parser("list", help="show every model: installed or not, size, licence, hash")
        fetch = parts.add_parser("fetch", help="install models that are not installed yet")
        fetch.add_argument("names", nargs="*", metavar="NAME", help="names of models or families")
        fetch.add_argument("--all", action="store_true", help="install everything that is missing")
        fetch.add_argument(
            "--from",
            dest="source",
            metavar="DIR|URL",
            help="take the files from this folder or address; without names: every model file in the folder",
        )
        fetch.add_argument("--force", action="store_true", help="install again, replacing existing files")
        verify = parts.add_parser(
            "verify", help="read all installed files again; the exit status is 1 if one is unusable"
        )
        verify.add_argument(
            "names", nargs="*", metavar="NAME", help="names of models or families (default: all)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        part = options["part"]
        if part == "list":
            self.list_models()
        elif part == "fetch":
            self.fetch(options)
        else:
            self.verify(options["names"])

    def list_models(self) -> None:
        for entry in weights.entries().values():
            self.describe(entry)
        self.stdout.write(f"Models are installed in {settings.ML_MODELS_DIR}")
        self.stdout.write(
            f"pyiqa, which computes the quality metrics, is licensed under {PYIQA_LICENCE}: non-commercial use only."
        )

    def describe(self, entry: weights.Entry) -> None:
        state = weights.state(entry.name, settings.ML_MODELS_DIR)
        word = (
            "refused" if state.is_present and state.why_not else "missing" if state.why_not else "installed"
        )
        origin = "comes with Pix" if entry.is_bundled else "downloaded"
        self.stdout.write(f"{entry.name:<{WIDTH}}{word:<10} {entry.family} · {entry.title}")
        lines = [f"{entry.file} · {size_of(entry)} · {origin} · {licence_of(entry)}"]
        lines.append(f"SHA-256 {hash_of(entry, state)}")
        if state.why_not:
            lines.append(f"{state.why_not} {weights.remedy(state.command)}")
        for line in lines:
            self.stdout.write(f"{'':<{WIDTH}}{line}")

    def fetch(self, options: dict[str, Any]) -> None:
        source = self.source(options["source"])
        entries = self.chosen_to_fetch(options, source)
        if not entries:
            self.offer()
            return
        failed = [entry.name for entry in entries if not self.fetched(entry, source, options["force"])]
        self.stdout.write(f"{len(entries) - len(failed)} of {len(entries)} installed.")
        if failed:
            raise CommandError(f"Not installed: {', '.join(failed)}.")

    @staticmethod
    def source(text: str | None) -> fetching.Source:
        try:
            return fetching.Source.parse(text) if text else fetching.Source()
        except FetchFailed as error:
            raise CommandError(str(error)) from error

    def chosen_to_fetch(self, options: dict[str, Any], source: fetching.Source) -> list[weights.Entry]:
        """The named models; else everything that the folder has; else, with --all, all that can be fetched."""
        if options["names"]:
            named = chosen(options["names"])
            is_one = set(options["names"]) & set(weights.entries())
            return [entry for entry in named if entry.name in is_one or not entry.is_bundled]
        downloads = [entry for entry in weights.entries().values() if not entry.is_bundled]
        if source.folder:
            available = [entry for entry in downloads if (source.folder / entry.file).is_file()]
            if not available:
                names = ", ".join(entry.file for entry in downloads)
                raise CommandError(f"{source.folder} contains none of these files: {names}.")
            return available
        return downloads if options["all"] or source.base_address else []

    def offer(self) -> None:
        """Show what could be installed: nobody downloads gigabytes, or accepts licences, by a bare command."""
        missing = [
            entry
            for entry in weights.entries().values()
            if not entry.is_bundled and weights.state(entry.name, settings.ML_MODELS_DIR).why_not
        ]
        for entry in missing:
            self.stdout.write(f"{entry.name:<{WIDTH}}{size_of(entry):>12}   {licence_of(entry)}")
        total = sum(entry.byte_size for entry in missing)
        amount = f"{megabytes(total)} in total"
        if not all(entry.byte_size for entry in missing):
            amount += ", plus those of unknown size"
        self.stdout.write(f"{len(missing)} can be installed ({amount}). Nothing was installed.")
        self.stdout.write("Choose models or families (denoise, quality, embedding) by name, or use --all.")

    def fetched(self, entry: weights.Entry, source: fetching.Source, force: bool) -> bool:
        """One model, with a bar where somebody looks at it."""
        with tqdm(
            total=entry.byte_size or None,
            desc=entry.name,
            unit="B",
            unit_scale=True,
            file=sys.stderr,
            disable=None,
            leave=False,
        ) as bar:

            def progress(done: int, total: int) -> None:
                bar.total = total or None
                bar.update(done - bar.n)

            try:
                is_new = fetching.fetch(
                    entry.name, settings.ML_MODELS_DIR, source=source, force=force, progress=progress
                )
            except FetchFailed as error:
                self.stderr.write(f"{entry.name}: {error}")
                return False
            except KeyboardInterrupt:
                raise CommandError(
                    "Interrupted. The downloaded part is kept; run the command again to resume.",
                    returncode=130,
                ) from None
        state = weights.state(entry.name, settings.ML_MODELS_DIR)
        recorded = "" if entry.sha256 or not is_new else " (recorded, because no hash is published)"
        word = "installed" if is_new else "already installed"
        self.stdout.write(f"{entry.name}: {word}, SHA-256 {state.sha256}{recorded}; {licence_of(entry)}")
        return True

    def verify(self, names: list[str]) -> None:
        """Missing models are a fault only where they are named."""
        bad, good, entries = [], 0, chosen(names)
        for entry in tqdm(entries, unit=" models", file=sys.stderr, disable=None, leave=False):
            state = weights.state(entry.name, settings.ML_MODELS_DIR)
            if not names and not state.is_present and not (entry.is_bundled and entry.sha256):
                continue
            try:
                fetching.check(entry.name, settings.ML_MODELS_DIR)
            except weights.ModelUnavailable as error:
                bad.append(entry.name)
                self.stderr.write(f"{entry.name}: {error.detail}")
                continue
            good += 1
            self.stdout.write(f"{entry.name}: OK")
        self.stdout.write(f"{good} OK, {len(bad)} unusable, {len(entries) - good - len(bad)} not installed.")
        if bad:
            raise CommandError(f"Unusable: {', '.join(bad)}.")


def chosen(names: list[str]) -> list[weights.Entry]:
    """The models that are named, by themselves or by their family; all without a name."""
    entries = weights.entries()
    unknown = [name for name in names if name not in entries and name not in weights.FAMILIES]
    if unknown:
        raise CommandError(
            f"There is no model or family {', '.join(unknown)}. Models: {', '.join(entries)}. "
            f"Families: {', '.join(weights.FAMILIES)}."
        )
    return [entry for entry in entries.values() if not names or {entry.name, entry.family} & set(names)]


def megabytes(byte_size: int) -> str:
    return f"{byte_size / 1e6:.1f} MB"


def size_of(entry: weights.Entry) -> str:
    return megabytes(entry.byte_size) if entry.byte_size else "size unknown"


def licence_of(entry: weights.Entry) -> str:
    return " ".join(part for part in (f"licence: {entry.licence}.", entry.licence_note) if part)


def hash_of(entry: weights.Entry, state: weights.State) -> str:
    if state.sha256:
        return state.sha256 + ("" if entry.sha256 else " (recorded at installation; none is published)")
    if entry.is_bundled and not entry.sha256:
        return "none in weights.toml"
    return entry.sha256 or "not published; recorded at the first installation"

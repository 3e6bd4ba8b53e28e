"""Compare the database with the stored files."""

import sys
from argparse import ArgumentParser
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from processing.storage import integrity


class Command(BaseCommand):
    help = "Find missing, damaged and orphaned files. The exit status is 1 if any is left unrepaired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="mark images as damaged, regenerate results and thumbnails, delete orphaned files",
        )
        parser.add_argument(
            "--fast", action="store_true", help="compare sizes only, without reading the files"
        )

        parser.add_argument(
            "--grace-minutes",
            type=int,
            default=int(integrity.GRACE.total_seconds() // 60),
            metavar="N",
            help="files younger than this that have no record may belong to work in progress: Pix waits for that work, "
            "and if it takes too long, only counts the files (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # Progress goes to standard error, and only where somebody looks at it.
        with tqdm(unit=" files", file=sys.stderr, disable=None) as bar:
            report = integrity.verify(
                repair=options["repair"],
                fast=options["fast"],
                grace=timedelta(minutes=max(0, options["grace_minutes"])),
                progress=bar.update,
            )
        for finding in report.findings:
            self.stdout.write(self.line(finding))
        self.stdout.write(self.counts(report))
        if not report.is_clean:
            sys.exit(1)

    @staticmethod
    def line(finding: integrity.Finding) -> str:
        parts = (finding.key, finding.label, finding.detail, finding.done and f"→ {finding.done}")
        return f"{finding.problem:<9} {finding.file_class:<11} " + " · ".join(part for part in parts if part)

    @staticmethod
    def counts(report: integrity.Report) -> str:
        checked = ", ".join(f"{count} {name}" for name, count in report.checked.items()) or "none"
        problems = Counter(finding.problem for finding in report.findings)
        kinds = (integrity.MISSING, integrity.DAMAGED, integrity.ORPHANED, integrity.RECOVERED)
        counted = ", ".join(f"{problems[kind]} {kind}" for kind in kinds)
        repaired = sum(bool(finding.done) for finding in report.findings)
        young = (
            f" Without a record, but possibly part of work in progress: {report.young}."
            if report.young
            else ""
        )
        return f"Files checked: {checked}. Found: {counted}. Repaired: {repaired}.{young}"

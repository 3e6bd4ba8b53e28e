"""Compare rows and stored files."""

import sys
from argparse import ArgumentParser
from collections import Counter
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from processing import integrity


class Command(BaseCommand):
    help = "Find missing, damaged and orphaned files; exit status 1 when any is left unrepaired."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="Mark images damaged, have results and thumbnails made again, delete orphans.",
        )
        parser.add_argument("--fast", action="store_true", help="Compare sizes only, read no contents.")

        parser.add_argument(
            "--grace-minutes",
            type=int,
            default=int(integrity.GRACE.total_seconds() // 60),
            metavar="N",
            help="Files without a row that are younger may belong to work in progress: that work is waited for, and "
            "when it takes too long they are counted, and neither a problem nor deleted (default %(default)s).",
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
        found = ", ".join(f"{problems[kind]} {kind}" for kind in kinds)
        repaired = sum(bool(finding.done) for finding in report.findings)
        young = f" {report.young} without a row may belong to work in progress." if report.young else ""
        return f"Files checked: {checked}. Found: {found}; {repaired} dealt with.{young}"

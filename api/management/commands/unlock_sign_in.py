"""Let people sign in again after too many wrong passwords."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from api.access import audit, sign_in
from api.models import SignInAttempt


class Command(BaseCommand):
    help = "Clear the counts of wrong passwords, so that sign-in is allowed again. Without options, clear all of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="", help="only for this user name")
        parser.add_argument("--address", default="", help="only for this address (IPv6: its /64 network)")
        parser.add_argument("--dry-run", action="store_true", help="only list the counts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            for attempt in SignInAttempt.objects.order_by("pk"):
                self.stdout.write(f"{attempt.at.isoformat(timespec='seconds')}  {attempt}")
            return
        count = sign_in.unlock(username=options["user"], source=options["address"])
        if count:
            detail = {"user": options["user"], "address": options["address"], "attempts": count}
            audit.record("login.unlock", None, detail=detail)
        self.stdout.write(f"{count} wrong passwords forgotten.")

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from api.access import audit
from api.access.accounts import key_owner
from api.access.keys import checked_scopes, create_key
from api.core.errors import ApiError


class Command(BaseCommand):
    help = "Create an API key. Its text is the last line of standard output and is shown only once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the key is for")
        parser.add_argument(
            "--scopes",
            default="read,write,process",
            help="of read,write,process,admin (default: all but admin)",
        )
        parser.add_argument("--user", default="", help="owner of the key (default: the first administrator)")
        parser.add_argument(
            "--expires-days", type=int, default=None, help="1 to 36500 (default: it never expires)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scopes = checked_scopes(options["scopes"].split(","))
            owner = key_owner(options["user"], scopes=scopes)
            expires_at = self.expiry(options["expires_days"])
            key, text = create_key(options["name"], user=owner, scopes=scopes, expires_at=expires_at)
        except ApiError as error:
            raise CommandError(error.detail) from error
        audit.record("api_key.create", key, actor=owner, detail={"scopes": scopes, "by": "command"})
        self.stderr.write(
            f"Created the API key {key.name!r} of {owner.username!r} with the scopes {', '.join(scopes)}."
        )
        self.stdout.write(text)

    @staticmethod
    def expiry(days: int | None) -> datetime | None:
        if days is None:
            return None
        if not 1 <= days <= 36_500:
            raise CommandError(f"--expires-days must be from 1 to 36500, not {days}.")
        return timezone.now() + timedelta(days=days)

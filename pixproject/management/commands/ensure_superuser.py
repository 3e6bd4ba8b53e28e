"""Make the first admin, once."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import IntegrityError, transaction

NAME = "admin"


class Command(BaseCommand):
    help = f"Make the user {NAME} unless an admin exists; its password is PIX_ADMIN_PASSWORD or printed once."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(_sentence())
        self.stdout.write(f"Lost password: ./manage.py changepassword {NAME}")


def _sentence() -> str:
    users = get_user_model().objects
    if (
        name := users.filter(is_superuser=True, is_active=True)
        .order_by("pk")
        .values_list("username", flat=True)
        .first()
    ):
        return f"User: {name}"
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            users.create_superuser(NAME, password=password)
    except IntegrityError:  # another process was first, or a plain user has that name
        return f"User: {NAME}"
    shown = "the one in PIX_ADMIN_PASSWORD" if settings.ADMIN_PASSWORD else f"{password}  (shown this once)"
    return f"User: {NAME}\nPassword: {shown}"

"""Make the first admin, once."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import IntegrityError, transaction

NAME = "admin"


class Command(BaseCommand):
    help = f"Make the user {NAME} unless an admin exists; its password is PIX_ADMIN_PASSWORD or printed once."

    def handle(self, *args: Any, **options: Any) -> None:
        admins = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
        made = None if admins.exists() else _make_admin()
        admin = admins.first()
        if admin is None:
            self.stdout.write(f"There is no admin, and {NAME} is a plain user: ./manage.py createsuperuser")
            return
        self.stdout.write(f"User: {admin.get_username()}")
        if made:
            self.stdout.write(f"Password: {made}")
        self.stdout.write(f"Lost password: ./manage.py changepassword {admin.get_username()}")


def _make_admin() -> str | None:
    """Return what to print of the new admin's password, or nothing where another process made one first."""
    password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            User.objects.create_superuser(NAME, password=password)
    except IntegrityError:
        return None
    return "the one in PIX_ADMIN_PASSWORD" if settings.ADMIN_PASSWORD else f"{password}  (shown this once)"

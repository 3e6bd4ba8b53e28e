"""Create the first admin account, once."""

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import IntegrityError, transaction

NAME = "admin"


class Command(BaseCommand):
    help = (
        f"Create the user {NAME} unless an administrator exists. "
        "The password is PIX_ADMIN_PASSWORD, or a generated one that is printed once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        admins = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
        made = ""
        if not admins.exists():
            password = settings.ADMIN_PASSWORD or secrets.token_urlsafe(12)
            try:
                with transaction.atomic():
                    User.objects.create_superuser(NAME, password=password)
            except IntegrityError:
                pass  # another process created one first
            else:
                is_set = bool(settings.ADMIN_PASSWORD)
                made = "as set in PIX_ADMIN_PASSWORD" if is_set else f"{password}  (shown only once)"
        admin = admins.first()
        if admin is None:
            self.stdout.write(
                f"No administrator exists, and {NAME} is an ordinary user. Run: ./manage.py createsuperuser"
            )
            return
        self.stdout.write(f"User: {admin.get_username()}")
        if made:
            self.stdout.write(f"Password: {made}")
        self.stdout.write(f"Forgot the password? ./manage.py changepassword {admin.get_username()}")

import io
import re

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def ensure_superuser():
    output = io.StringIO()
    call_command("ensure_superuser", stdout=output)
    return output.getvalue()


def test_first_admin_gets_a_password_that_is_printed_and_works(settings):
    settings.ADMIN_PASSWORD = ""
    password = re.search(r"Password: (\S+)  \(shown only once\)", ensure_superuser())[1]
    assert authenticate(username="admin", password=password).is_superuser


def test_password_of_the_settings_is_used_and_not_printed(settings):
    settings.ADMIN_PASSWORD = "chosen by the owner"
    assert "chosen by the owner" not in ensure_superuser()
    assert authenticate(username="admin", password="chosen by the owner").is_superuser


def test_second_time_changes_nothing_and_names_the_admin(settings):
    settings.ADMIN_PASSWORD = "first"
    ensure_superuser()
    settings.ADMIN_PASSWORD = "second"
    assert ensure_superuser() == "User: admin\nForgot the password? ./manage.py changepassword admin\n"
    assert authenticate(username="admin", password="first")


def test_admin_of_another_name_is_enough():
    User.objects.create_superuser("ada", password="x")
    assert ensure_superuser() == "User: ada\nForgot the password? ./manage.py changepassword ada\n"
    assert User.objects.count() == 1


def test_plain_user_called_admin_is_left_alone():
    User.objects.create_user("admin", password="x")
    assert "No administrator" in ensure_superuser()
    assert not User.objects.get().is_superuser

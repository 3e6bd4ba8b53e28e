"""Wrong passwords are counted by account and address, and refused when there are too many."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from api.models import AuditEvent, SignInAttempt
from tests.factories import make_user

PASSWORD = "long-secret-9"
HERE, THERE = "192.0.2.1", "198.51.100.7"


def attempt(username: str = "ann", password: str = "wrong", **meta: str):
    return Client().post("/sign-in/", {"username": username, "password": password}, **meta)


@pytest.fixture
def ann(db):
    return make_user(username="ann", password=PASSWORD)


def test_the_eleventh_wrong_password_of_an_account_is_refused(ann):
    answers = [attempt(REMOTE_ADDR=HERE) for _ in range(11)]
    right = attempt(password=PASSWORD, REMOTE_ADDR=HERE)

    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert right.status_code == 429
    assert 0 < int(right["Retry-After"]) <= 15 * 60
    page = right.content.decode()
    assert "Too many wrong passwords. Try again in 15 minutes." in page
    assert 'name="password"' in page
    assert 'value="ann"' in page


def test_the_right_password_from_another_address_works(ann):
    for _ in range(12):
        attempt(REMOTE_ADDR=HERE)

    assert attempt(password=PASSWORD, REMOTE_ADDR=THERE).status_code == 302


def test_an_address_may_not_try_many_accounts(ann):
    for number in range(50):
        attempt(f"user{number}", REMOTE_ADDR=HERE)

    assert attempt(password=PASSWORD, REMOTE_ADDR=HERE).status_code == 429
    assert attempt(password=PASSWORD, REMOTE_ADDR=THERE).status_code == 302


def test_signing_in_forgets_the_wrong_ones_of_that_account_only(ann):
    for _ in range(9):
        attempt(REMOTE_ADDR=HERE)
        attempt("bob", REMOTE_ADDR=HERE)

    assert attempt(password=PASSWORD, REMOTE_ADDR=HERE).status_code == 302
    assert [attempt(REMOTE_ADDR=HERE).status_code for _ in range(10)] == [200] * 10
    assert [attempt("bob", REMOTE_ADDR=HERE).status_code for _ in range(2)] == [200, 429]


def test_after_a_quarter_of_an_hour_passwords_count_anew(ann):
    for _ in range(11):
        attempt(REMOTE_ADDR=HERE)
    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=15, seconds=1))

    assert attempt(password=PASSWORD, REMOTE_ADDR=HERE).status_code == 302
    assert not SignInAttempt.objects.exists()


def test_refused_attempts_do_not_make_the_wait_longer(ann):
    for _ in range(30):
        attempt(REMOTE_ADDR=HERE)

    assert SignInAttempt.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_no_more_are_checked_when_many_come_at_once():
    make_user(username="ann", password=PASSWORD)

    def ask(_number: int) -> int:
        try:
            return attempt(REMOTE_ADDR=HERE).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(ask, range(24)))

    assert statuses.count(200) <= 10
    assert AuditEvent.objects.filter(action="login.failed").count() == statuses.count(200)


@pytest.mark.parametrize("header", [{}, {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}])
def test_two_clients_without_a_proxy_are_told_apart_whatever_they_say(ann, settings, header):
    settings.TRUSTED_PROXIES = []
    for _ in range(10):
        attempt(REMOTE_ADDR=HERE, **header)

    assert attempt(REMOTE_ADDR=HERE, HTTP_X_FORWARDED_FOR="203.0.113.10").status_code == 429
    assert attempt(REMOTE_ADDR=THERE, **header).status_code == 200


@pytest.mark.parametrize("proxy", ["10.0.3.4", ""])
def test_two_clients_behind_a_proxy_are_told_apart(ann, settings, proxy):
    """A Unix socket has no address: only a proxy on this machine speaks through it."""
    settings.TRUSTED_PROXIES = ["10.0.3.0/24"]
    first, second = (
        {"REMOTE_ADDR": proxy, "HTTP_X_FORWARDED_FOR": f"1.1.1.1, {name}"} for name in (HERE, THERE)
    )
    for _ in range(10):
        attempt(**first)

    assert (attempt(**first).status_code, attempt(**second).status_code) == (429, 200)
    spoofed = {**first, "HTTP_X_FORWARDED_FOR": f"{THERE}, {HERE}"}
    assert attempt(**spoofed).status_code == 429


def test_the_audit_tells_wrong_passwords(ann):
    attempt(REMOTE_ADDR=HERE), attempt("nobody", REMOTE_ADDR=HERE)

    rows = AuditEvent.objects.filter(action="login.failed").order_by("pk")
    assert [(row.detail, row.ip, row.actor_name) for row in rows] == [
        ({"user": "ann", "known": True}, HERE, ""),
        ({"user": "nobody", "known": False}, HERE, ""),
    ]


def test_the_command_lets_people_in_again(ann):
    for _ in range(11):
        attempt(REMOTE_ADDR=HERE)
    said = StringIO()

    call_command("unlock_sign_in", "--dry-run", stdout=said)
    call_command("unlock_sign_in", "--user", "bob", stdout=said)
    still = attempt(password=PASSWORD, REMOTE_ADDR=HERE).status_code
    call_command("unlock_sign_in", "--user", "ann", "--address", HERE, stdout=said)

    assert still == 429
    assert attempt(password=PASSWORD, REMOTE_ADDR=HERE).status_code == 302
    assert said.getvalue().splitlines()[-2:] == [
        "0 wrong passwords forgotten.",
        "10 wrong passwords forgotten.",
    ]
    assert AuditEvent.objects.get(action="login.unlock").detail["attempts"] == 10


def test_a_password_is_hashed_once_whether_or_not_the_account_exists(ann, monkeypatch):
    """Otherwise the time of an answer would tell which accounts exist."""
    from django.contrib.auth import hashers

    hasher, encoded = hashers.get_hasher(), []
    encode = type(hasher).encode
    monkeypatch.setattr(
        type(hasher), "encode", lambda self, *args: encoded.append(args[0]) or encode(self, *args)
    )
    counts = []
    for username in ("ann", "nobody"):
        encoded.clear()
        attempt(username, REMOTE_ADDR=HERE)
        counts.append(len(encoded))

    assert counts == [1, 1]

"""Signing in with a password: wrong ones are counted by account and address, and refused when there are too many."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from api.access import audit
from api.access.addresses import source_of
from api.core.errors import ApiError, ErrorCode
from api.models import SignInAttempt

WINDOW = timedelta(minutes=15)
MAX_PER_ACCOUNT = 10  # and address: whoever knows a name cannot lock its owner out from elsewhere
MAX_PER_SOURCE = 50


class PasswordBackend(ModelBackend):
    """Every door to a password comes through here: the page, the admin, and whatever there will be."""

    def authenticate(
        self, request: Any, username: str | None = None, password: str | None = None, **options: Any
    ) -> Any:
        if (
            request is None or username is None or password is None
        ):  # a command, which nobody sends from outside
            return super().authenticate(request, username, password, **options)
        attempt = _counted_attempt(request, username)
        user = super().authenticate(request, username, password, **options)
        if user is None:
            detail = {"user": attempt.username, "known": User.objects.filter(username=username).exists()}
            audit.record("login.failed", None, request=request, detail=detail)
        else:
            _attempts(attempt).delete()
        return user


def unlock(*, username: str = "", source: str = "") -> int:
    """Forget wrong passwords, of all accounts and addresses or of those named; answers how many."""
    attempts = SignInAttempt.objects.all()
    if username:
        attempts = attempts.filter(username=username)
    if source:
        attempts = attempts.filter(source=source)
    return attempts.delete()[0]


def _counted_attempt(request: Any, username: str) -> SignInAttempt:
    """Note the attempt before the password is checked: of many at once, no more are checked than in turn.

    Raises:
        ApiError: 429 with the time after which the next one is checked.
    """
    now = timezone.now()
    SignInAttempt.objects.filter(at__lt=now - WINDOW).delete()
    attempt = SignInAttempt.objects.create(at=now, username=username[:150], source=source_of(request))
    limits = [
        (_attempts(attempt), MAX_PER_ACCOUNT),
        (SignInAttempt.objects.filter(source=attempt.source), MAX_PER_SOURCE),
    ]
    waits = [wait for attempts, limit in limits if (wait := _wait_s(attempts, attempt, limit=limit, now=now))]
    if waits:
        attempt.delete()  # it was not checked: asking on and on does not make the wait longer
        minutes = max(1, round(max(waits) / 60))
        raise ApiError(
            ErrorCode.THROTTLED,
            f"Too many wrong passwords. Try again in {minutes} minute{'s' if minutes > 1 else ''}.",
            headers={"Retry-After": str(max(waits))},
        )
    return attempt


def _attempts(attempt: SignInAttempt) -> QuerySet[SignInAttempt]:
    return SignInAttempt.objects.filter(username=attempt.username, source=attempt.source)


def _wait_s(
    attempts: QuerySet[SignInAttempt], attempt: SignInAttempt, *, limit: int, now: datetime
) -> int | None:
    """Seconds until fewer than `limit` of the earlier attempts count; None where they are fewer now."""
    earlier = list(attempts.filter(pk__lt=attempt.pk).order_by("-pk").values_list("at", flat=True)[:limit])
    if len(earlier) < limit:
        return None
    return max(1, round((earlier[-1] + WINDOW - now).total_seconds()))

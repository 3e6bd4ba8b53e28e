"""Requests per minute, counted in the cache: two cheap commands, and none while the cache is away."""

import hashlib
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from api.access.addresses import source_of
from api.models import ApiKey
from pixproject.web.base import parking

# While Redis is away every request would wait for its time-out: leave it alone for a moment.
AWAY_SECONDS = 5
_away_until = 0.0


class WindowThrottle(SimpleRateThrottle):
    """A fixed window. DRF's own keeps the time of every request of a minute in the cache."""

    num_requests: int | None
    duration: int
    scope: str
    remaining_s: float

    def allow_request(self, request: Request, view: Any) -> bool:
        who = self.get_cache_key(request, view)
        if who is None or self.num_requests is None or parking.was_parked(request.META):
            return True  # a request that waited was counted before it did
        window, elapsed = divmod(time.time(), self.duration)
        self.remaining_s = self.duration - elapsed
        count = self._count(f"throttle:{self.scope}:{who}:{int(window)}")
        return count is None or count <= self.num_requests

    def wait(self) -> float:
        return max(1.0, self.remaining_s)

    def _count(self, key: str) -> int | None:
        """This request's number in the window, or None while the cache is away."""
        global _away_until
        if time.monotonic() < _away_until:
            return None
        try:
            if cache.add(key, 1, timeout=int(self.duration) + 1):
                return 1
            count = cache.incr(key)
        except ValueError:  # the window ended between the two commands
            return 1
        if not count:  # django-redis answers nothing when it ignores a failure
            _away_until = time.monotonic() + AWAY_SECONDS
            return None
        return count

    def get_rate(self) -> str:
        rates: dict[str, str] = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]  # type: ignore[assignment]
        return rates[self.scope]


class AnonThrottle(WindowThrottle):
    scope = "anon"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        if request.user and request.user.is_authenticated:
            return None
        return hashlib.sha256(source_of(request).encode()).hexdigest()[:16]


class KeyThrottle(WindowThrottle):
    scope = "key"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        if isinstance(request.auth, ApiKey):
            return f"key-{request.auth.prefix}"
        return f"user-{request.user.pk}" if request.user and request.user.is_authenticated else None

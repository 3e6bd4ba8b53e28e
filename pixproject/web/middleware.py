"""What happens to every request and answer."""

import logging
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from pixproject.web.base import parking, request_id

logger = logging.getLogger("pix.request")
PROBE_PATHS = ("/api/health/live", "/api/health/ready")
PROBE_HOST = "localhost"
QUIET_PATHS = ("/static/", *PROBE_PATHS)


class RequestIdMiddleware:
    """Give every request an id, send it back and write one log line when the answer is ready."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = request_id.choose(request.headers.get(request_id.HEADER))  # type: ignore[attr-defined]
        with request_id.bound(request.request_id):  # type: ignore[attr-defined]
            started = time.perf_counter()
            response = self.get_response(request)
            response.headers[request_id.HEADER] = request_id.current()
            if not request.path.startswith(QUIET_PATHS) and not parking.is_parked(request.META):
                self.log(request, response, time.perf_counter() - started)
        return response

    @staticmethod
    def log(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        level = logging.WARNING if response.status_code >= 500 else logging.INFO
        logger.log(
            level,
            "%s %s %s",
            request.method,
            request.path,
            response.status_code,
            extra={"status": response.status_code, "duration_ms": round(1000 * seconds, 1)},
        )


class ProbeHostMiddleware:
    """Answer health probes whatever host they ask for: load balancers and Kubernetes ask by IP address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.rstrip("/") in PROBE_PATHS:
            request.get_host = lambda: PROBE_HOST  # type: ignore[method-assign]  # their answers name no host
        return self.get_response(request)


class ContentSecurityPolicyMiddleware:
    """Say what a page may load. A view's own header (originals: sandbox) wins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.policies = tuple((prefix, _policy(extra)) for prefix, extra in _LOOSER)
        self.strict = _policy({})

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy_for(request.path))
        return response

    def policy_for(self, path: str) -> str:
        return next((policy for prefix, policy in self.policies if path.startswith(prefix)), self.strict)


# The admin theme's Alpine evaluates expressions in attributes, and it and htmx set styles inline, as does
# Swagger UI. None of them runs an inline script.
_LOOSER: tuple[tuple[str, dict[str, str]], ...] = (
    ("/admin/", {"script-src": "'unsafe-eval'", "style-src": "'unsafe-inline'"}),
    ("/api/docs", {"style-src": "'unsafe-inline'"}),
)


def _policy(extra: dict[str, str]) -> str:
    directives = {
        "default-src": "'self'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": " ".join(["'self' data: blob:", *_storage_origins()]),
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value} {extra.get(name, '')}".rstrip() for name, value in directives.items())


def _storage_origins() -> list[str]:
    """Where presigned links of images lead: nowhere else than here with local storage."""
    if settings.STORAGE_BACKEND != "s3":
        return []
    bucket, region = settings.AWS_S3_BUCKET, settings.AWS_REGION
    if settings.AWS_ENDPOINT_URL:
        endpoint = urlsplit(settings.AWS_ENDPOINT_URL)
        return [f"{endpoint.scheme}://{host}" for host in (endpoint.netloc, f"{bucket}.{endpoint.netloc}")]
    hosts = ("s3.amazonaws.com", f"s3.{region}.amazonaws.com")
    return [f"https://{prefix}{host}" for host in hosts for prefix in ("", f"{bucket}.")]

"""What happens to every request and answer."""

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from pixproject import request_id

logger = logging.getLogger("pix.request")
QUIET_PATHS = ("/static/", "/api/health/live", "/api/health/ready")


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
            if not request.path.startswith(QUIET_PATHS):
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

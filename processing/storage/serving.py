"""Stored files over HTTP: ETag, ranges, and headers that keep a hostile file from being more than a file."""

import io
import re
from collections.abc import Callable, Iterator
from typing import IO

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import content_disposition_header, quote_etag

from api.core.errors import ApiError, ErrorCode, error_body

CHUNK = 1 << 18
ALTERED = "X-Pix-Altered"  # what was taken out of a stored file
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def serve_file(
    request: HttpRequest,
    key: str,
    *,
    content_type: str,
    filename: str,
    etag: str,
    is_attachment: bool = True,
    max_age_s: int = 0,
    vary: tuple[str, ...] = (),
    alter: Callable[[bytes], bytes] | None = None,
) -> HttpResponseBase:
    """Stream a stored file, or the range of it that was asked for; 304 when the caller has it.

    `alter` gets the whole file and answers as many bytes; they need an `etag` of their own and come only whole: else
    each range would alter the file again.

    Raises:
        ApiError: `file_missing` (404) or `range_not_satisfiable` (416).
    """
    quoted = quote_etag(etag)
    response: HttpResponseBase | None = get_conditional_response(request, etag=quoted)
    if response is None:
        response = _content(request, key, content_type, quoted, alter)
        response.headers["Content-Disposition"] = (
            content_disposition_header(is_attachment, filename) or "inline"
        )
        response.headers["Accept-Ranges"] = "bytes" if alter is None else "none"
    response.headers["ETag"] = quoted
    response.headers["Cache-Control"] = f"private, max-age={max_age_s}" if max_age_s else "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = SANDBOX
    if vary:
        patch_vary_headers(response, vary)
    return response


def refusal(error: ApiError) -> HttpResponse:
    """The error body, for views outside the REST framework."""
    return JsonResponse(error_body(error), status=error.status, headers=dict(error.headers))


def _content(
    request: HttpRequest,
    key: str,
    content_type: str,
    quoted_etag: str,
    alter: Callable[[bytes], bytes] | None,
) -> HttpResponseBase:
    size = _size(key)
    start, end = _range(request, size, quoted_etag) if alter is None else (0, size)
    is_partial = (start, end) != (0, size)
    body: Iterator[bytes] = iter(())
    if request.method != "HEAD":
        source = _open(key)
        if alter is not None:
            with source:
                source = io.BytesIO(alter(source.read()))
        body = _chunks(source, start, end)
    response = StreamingHttpResponse(body, status=206 if is_partial else 200, content_type=content_type)
    response.headers["Content-Length"] = str(end - start)
    if is_partial:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return response


def _size(key: str) -> int:
    try:
        return default_storage.size(key)
    except Exception as error:  # each storage has its own word for "no such file"
        raise ApiError(ErrorCode.FILE_MISSING, "The stored file is missing.") from error


def _open(key: str) -> IO[bytes]:
    try:
        return default_storage.open(key, "rb")
    except OSError as error:
        raise ApiError(ErrorCode.FILE_MISSING, "The stored file is missing.") from error


def _range(request: HttpRequest, size: int, quoted_etag: str) -> tuple[int, int]:
    """The first byte and the one after the last. Several ranges, or one in another unit, get the whole file."""
    match = _RANGE.fullmatch(request.headers.get("Range", ""))
    condition = request.headers.get("If-Range", quoted_etag)
    if match is None or match.groups() == ("", "") or condition != quoted_etag:
        return 0, size
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or start >= end:
        raise ApiError(
            ErrorCode.RANGE_NOT_SATISFIABLE,
            f"The range {match.group()} lies outside the file, which has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return start, end


def _chunks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        remaining = end - start
        while remaining > 0 and (chunk := file.read(min(CHUNK, remaining))):
            remaining -= len(chunk)
            yield chunk

"""The same request twice does its work once.

Everything happens in one transaction: an advisory lock of the key, the view, the row with the view's answer. The
lock ends with that transaction, so whoever gets it afterwards finds the row. Redis is not involved.
"""

import functools
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.errors import ApiError, ErrorCode, invalid_field
from api.core.requests import body_of
from api.core.written_files import removed_on_error
from api.models import IdempotencyKey

logger = logging.getLogger("pix.idempotency")

HEADER = "Idempotency-Key"
FIELD = "idempotency_key"
MAX_KEY_LENGTH = 255
KEPT_HEADERS = ("Location", "Retry-After", "ETag")
HASH_CHUNK = 1 << 20

View = Callable[..., Response]
Mend = Callable[[UploadedFile, Any], object]  # a file and who sent it
_mends: list[Mend] = []


@dataclass(frozen=True)
class Claim:
    """One request with a key: whose key it is and what the request asks for."""

    scope: str
    key: str
    fingerprint: str

    @property
    def lock_number(self) -> int:
        digest = hashlib.sha256(f"{self.scope}\0{self.key}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)


def register_mend(mend: Mend) -> None:
    """Have `mend` given every file that comes with a repeated request, before the stored answer is repeated.

    The answer says that the file was taken in. Where the file has been lost since, its bytes have just come again.
    """
    _mends.append(mend)


def idempotent(view: View) -> View:
    """Decorate a view method that creates something.

    Nothing may be waited for inside that needs its own work to be committed (`Prefer: wait` belongs outside).
    """

    @functools.wraps(view)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = key_of(request)
        if key is None:
            return view(self, request, *args, **kwargs)
        claim = Claim(f"user:{request.user.pk}", key, fingerprint(request))
        return _once(claim, request, lambda: view(self, request, *args, **kwargs))

    return wrapper


def _once(claim: Claim, request: Request, answer: Callable[[], Response]) -> Response:
    with removed_on_error(), transaction.atomic():
        _lock(claim)
        if stored := _stored(claim):
            replayed = _replay(stored, claim)
            _mend_files(request)
            return replayed
        response = answer()
        if response.status_code < 400:
            _store(claim, response)
        else:  # a refusal leaves nothing behind and may be tried again
            transaction.set_rollback(True)
        return response


def key_of(request: Request) -> str | None:
    """The request's key from its header or its field; None without one."""
    key = request.headers.get(HEADER)
    if key is None:
        key = body_of(request).get(FIELD)
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        length = len(key) if isinstance(key, str) else 0
        raise invalid_field(FIELD, f"Use 1 to {MAX_KEY_LENGTH} printable characters; this key has {length}.")
    return key


def fingerprint(request: Request) -> str:
    """What the request asks for. Never its raw body: a form's boundary changes on every retry."""
    parts = {
        "method": request.method,
        "path": request.path.rstrip("/"),
        "query": _sorted_fields(request.query_params),
        "fields": _sorted_fields(request.data),
        "files": sorted((name, _digest(file)) for name, files in request.FILES.lists() for file in files),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _sorted_fields(fields: Any) -> Any:
    if not isinstance(fields, Mapping):
        return fields
    pairs = fields.lists() if hasattr(fields, "lists") else fields.items()
    named = {name: value for name, value in pairs if name != FIELD}
    return {name: value for name, value in named.items() if not _holds_files(value)}


def _holds_files(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, UploadedFile) for item in value)


def _digest(file: UploadedFile) -> str:
    if sha256 := getattr(file, "sha256", None):
        return str(sha256)
    digest = hashlib.sha256()
    for chunk in file.chunks(HASH_CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def _lock(claim: Claim) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [claim.lock_number])
        (is_ours,) = cursor.fetchone()
    if not is_ours:
        raise ApiError(
            ErrorCode.IDEMPOTENCY_IN_PROGRESS,
            f"The first request with the idempotency key {claim.key!r} is still being processed.",
            headers={"Retry-After": "1"},
        )


def _stored(claim: Claim) -> IdempotencyKey | None:
    row = IdempotencyKey.objects.filter(scope=claim.scope, key=claim.key).first()
    if row and row.expires_at <= timezone.now():
        row.delete()
        return None
    return row


def _replay(row: IdempotencyKey, claim: Claim) -> Response:
    if row.fingerprint != claim.fingerprint:
        raise ApiError(
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            f"The idempotency key {claim.key!r} was used at {row.created_at.isoformat()} with another request.",
        )
    headers = {**row.response_headers, "Idempotent-Replayed": "true"}
    return Response(row.response_body, status=row.response_status, headers=headers)


def _mend_files(request: Request) -> None:
    sent = [file for _name, files in request.FILES.lists() for file in files]
    # In the order of their hashes, as they are taken in: two requests with the same files cannot deadlock.
    for file in sorted(sent, key=lambda file: getattr(file, "sha256", "")):
        for mend in _mends:
            try:
                with transaction.atomic():
                    mend(file, request.user)
            except (ApiError, OSError) as error:  # the stored answer is right all the same
                logger.warning("Could not mend a file that was sent again: %s", error)


def _store(claim: Claim, response: Response) -> None:
    IdempotencyKey.objects.create(
        scope=claim.scope,
        key=claim.key,
        fingerprint=claim.fingerprint,
        response_status=response.status_code,
        response_body=json.loads(JSONRenderer().render(response.data)),
        response_headers={name: response[name] for name in KEPT_HEADERS if name in response},
        expires_at=timezone.now() + timedelta(seconds=settings.IDEMPOTENCY_TTL_SECONDS),
    )

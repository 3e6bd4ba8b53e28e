"""API keys: made, found and revoked here only."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from api.core import phrases
from api.core.errors import ErrorCode, invalid_field
from api.models import ApiKey, Scope

PREFIX_CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789"
PREFIX_LENGTH = 8
# Writing the time of every request would turn each read of the API into a write.
LAST_USED_STEP = timedelta(minutes=1)


class KeyExists(Exception):
    """There is a key with this id: the request that made it was sent again."""


def create_key(
    name: str,
    *,
    user: User,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    key_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; its text is returned here and can never be shown again.

    Raises:
        ApiError: 400 naming the field; KeyExists: `key_id` was used before.
    """
    prefix = "".join(secrets.choice(PREFIX_CHARACTERS) for _ in range(PREFIX_LENGTH))
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        id=key_id or uuid4(),
        name=_checked_name(name),
        user=user,
        prefix=prefix,
        secret_sha256=_digest(secret),
        scopes=checked_scopes(scopes),
        expires_at=_checked_expiry(expires_at),
    )
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError as error:
        if ApiKey.objects.filter(pk=key.pk).exists():
            raise KeyExists from error
        raise
    return key, f"{prefix}.{secret}"


def find_key(text: str) -> ApiKey | None:
    """The key with this text, usable or not; None when there is none."""
    prefix, _, secret = text.partition(".")
    key = ApiKey.objects.select_related("user").filter(prefix=prefix).first() if prefix.isascii() else None
    # A SHA-256 suffices: the secret is 256 random bits, which no dictionary holds.
    if key is None or not hmac.compare_digest(key.secret_sha256, _digest(secret)):
        return None
    return key


def change_key(key: ApiKey, *, changes: Mapping[str, Any]) -> ApiKey:
    """Give a key another name or another end; scopes and text never change."""
    if "name" in changes:
        key.name = _checked_name(changes["name"])
    if "expires_at" in changes:
        key.expires_at = _checked_expiry(changes["expires_at"])
    key.save(update_fields=["name", "expires_at"])
    return key


def revoke_key(key: ApiKey) -> bool:
    """Whether this call revoked the key (False: it was revoked already)."""
    now = timezone.now()
    return ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now) == 1


def note_use(key: ApiKey) -> None:
    """Keep the time of use, to the minute."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_STEP:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def checked_scopes(scopes: Iterable[str]) -> list[str]:
    """The scopes in their order, each once."""
    requested = {scope.strip() for scope in scopes} - {""}
    if unknown := sorted(requested - set(Scope.values)):
        raise invalid_field("scopes", phrases.not_a_choice(unknown[0], Scope.values))
    if not requested:
        raise invalid_field(
            "scopes", f"Choose at least one of: {', '.join(Scope.values)}.", code=ErrorCode.REQUIRED
        )
    return [scope for scope in Scope.values if scope in requested]


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise invalid_field("name", f"Use 1 to 100 printable characters; this name has {len(name)}.")
    return name


def _checked_expiry(expires_at: datetime | None) -> datetime | None:
    if expires_at is not None and expires_at <= timezone.now():
        raise invalid_field("expires_at", f"{expires_at.isoformat()} is in the past.")
    return expires_at


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

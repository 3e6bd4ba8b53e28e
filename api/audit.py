"""Who did what: append-only, the database refuses changes."""

from typing import Any

from django.conf import settings
from django.db.models import Model

from api.models import ApiKey, AuditEvent
from pixproject import request_id


def record(
    action: str, target: Model | None, *, request: Any = None, actor: Any = None, detail: dict | None = None
) -> AuditEvent:
    """Write one line: `image.trash`, its target and who asked; `detail` says what changed."""
    actor = actor or getattr(request, "user", None)
    is_person = actor is not None and actor.pk is not None
    key = getattr(request, "auth", None)
    return AuditEvent.objects.create(
        actor=actor if is_person else None,
        actor_name=actor.get_username() if is_person else "",
        api_key_prefix=key.prefix if isinstance(key, ApiKey) else "",
        request_id=request_id.current(),
        ip=client_ip(request) if request is not None else None,
        action=action,
        target_type=target._meta.model_name if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        detail=detail or {},
    )


def client_ip(request: Any) -> str | None:
    """The caller's address; a proxy's word is believed only where a proxy is configured."""
    if settings.BEHIND_HTTPS_PROXY and (forwarded := request.META.get("HTTP_X_FORWARDED_FOR")):
        return forwarded.rpartition(",")[2].strip() or None  # the last one was added by our own proxy
    return request.META.get("REMOTE_ADDR") or None

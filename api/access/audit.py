"""Who did what: append-only, the database refuses changes."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from api.access.addresses import client_ip
from api.models import ApiKey, AuditEvent
from pixproject.web.base import request_id

# Services know no request; what they record still says where it came from.
_request: ContextVar[HttpRequest | None] = ContextVar("audited_request", default=None)
CHUNK = 1000


class AuditMiddleware:
    """Let `record` know the request that is being answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _request.set(request)
        try:
            return self.get_response(request)
        finally:
            _request.reset(token)


def record(
    action: str, target: Model | None, *, request: Any = None, actor: Any = None, detail: dict | None = None
) -> AuditEvent:
    """Write one line: `image.trash`, its target and who asked; `detail` says what changed."""
    event = _event(action, target, request=request, actor=actor, detail=detail)
    event.save(force_insert=True)
    return event


def record_many(
    action: str, targets: Iterable[Model], *, actor: Any = None, detail: dict | None = None
) -> None:
    """Write one line for each target."""
    events = [_event(action, target, actor=actor, detail=detail) for target in targets]
    AuditEvent.objects.bulk_create(events, batch_size=CHUNK)


def _event(
    action: str, target: Model | None, *, request: Any = None, actor: Any = None, detail: dict | None = None
) -> AuditEvent:
    request = request or _request.get()
    actor = actor or getattr(request, "user", None)
    is_person = actor is not None and actor.pk is not None
    return AuditEvent(
        actor_id=actor.pk if is_person else None,
        actor_name=actor.get_username() if is_person else "",
        api_key_prefix=_key_prefix(request),
        request_id=request_id.current(),
        ip=client_ip(request) if request is not None else None,
        action=action,
        target_type=(target._meta.model_name or "") if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        detail=detail or {},
    )


def _key_prefix(request: Any) -> str:
    key = getattr(request, "auth", None) or getattr(request, "api_key", None)
    return key.prefix if isinstance(key, ApiKey) else ""

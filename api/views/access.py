"""The API's own resources: keys, the caller, the audit, the table of error codes."""

from typing import Any

from django.conf import settings
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access import audit
from api.access.accounts import check_rights_over, key_owner
from api.access.keys import change_key, create_key, revoke_key
from api.access.permissions import require_scope, scopes_of, scopes_up_to
from api.core.errors import ApiError, ErrorCode, status_of
from api.core.pagination import MAX_PAGE_SIZE
from api.core.requests import NoFieldsSerializer
from api.core.serializers import (
    ApiKeyChangesSerializer,
    ApiKeySerializer,
    AuditEventSerializer,
    CreatedApiKeySerializer,
    ErrorCodeSerializer,
    MeSerializer,
    NewApiKeySerializer,
)
from api.models import ApiKey, AuditEvent, Scope

ADMIN_ONLY = {
    "GET": Scope.ADMIN,
    "HEAD": Scope.ADMIN,
    "OPTIONS": Scope.ADMIN,
    "POST": Scope.ADMIN,
    "PATCH": Scope.ADMIN,
    "DELETE": Scope.ADMIN,
}


def limits() -> dict[str, Any]:
    """All limits on requests."""
    return {
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
        "max_image_pixels": settings.MAX_IMAGE_PIXELS,
        "max_image_side": settings.MAX_IMAGE_SIDE,
        "max_frames": settings.MAX_FRAMES,
        "max_files_per_request": settings.MAX_FILES_PER_REQUEST,
        "max_fields_bytes": settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        "decode_timeout_seconds": settings.DECODE_TIMEOUT_SECONDS,
        "formats": settings.ALLOWED_EXTENSIONS,
        "thumbnail_sizes": settings.DEFAULT_THUMBNAIL_SIZES,
        "max_page_size": MAX_PAGE_SIZE,
        "requests": settings.API_RATE_KEY,
    }


class MeView(APIView):
    """The signed-in user, the scopes held, and all limits on requests."""

    required_scopes = {"GET": Scope.READ}

    @extend_schema(responses=MeSerializer, tags=["me"])
    def get(self, request: Request) -> Response:
        scopes = scopes_of(request)
        body = {
            "user": request.user,
            "scopes": [scope for scope in Scope.values if scope in scopes],
            "api_key": request.auth if isinstance(request.auth, ApiKey) else None,
            "limits": limits(),
        }
        return Response(MeSerializer(body).data)


class ErrorCodesView(APIView):
    """All codes of errors and failed operations."""

    @extend_schema(responses=ErrorCodeSerializer(many=True), tags=["errors"])
    def get(self, request: Request) -> Response:
        rows = [
            {"code": code, "status": status_of(code), "description": text} for code, text in ErrorCode.choices
        ]
        return Response(rows)


@extend_schema(tags=["api-keys"])
class ApiKeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """API keys. The key itself is shown only once, in the response to its creation."""

    queryset = ApiKey.objects.select_related("user")
    serializer_class = ApiKeySerializer
    required_scopes = ADMIN_ONLY

    @extend_schema(request=NewApiKeySerializer, responses={201: CreatedApiKeySerializer})
    def create(self, request: Request) -> Response:
        """Create a key. Not idempotent on purpose: a stored response would keep the key's text."""
        values = NewApiKeySerializer.read(request)
        if lacking := sorted(scopes_up_to(values["scopes"]) - scopes_of(request)):
            require_scope(request, lacking[0])
        owner = key_owner(
            values.get("user") or request.user.username, scopes=values["scopes"], requested_by=request.user
        )
        key, text = create_key(
            values["name"], user=owner, scopes=values["scopes"], expires_at=values.get("expires_at")
        )
        audit.record("api_key.create", key, request=request, detail={"name": key.name, "scopes": key.scopes})
        key.key = text  # type: ignore[attr-defined]
        location = {"Location": f"/api/api-keys/{key.pk}/"}
        return Response(CreatedApiKeySerializer(key).data, status=201, headers=location)

    @extend_schema(request=ApiKeyChangesSerializer, responses=ApiKeySerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the key's name or expiry; its scopes cannot be changed."""
        key, changes = self.get_object(), ApiKeyChangesSerializer.read(request)
        check_rights_over(key.user, request.user)
        change_key(key, changes=changes)
        audit.record("api_key.update", key, request=request, detail={"name": key.name})
        return Response(ApiKeySerializer(key).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke the key; it stays listed for the audit."""
        self._revoke(request)
        return Response(status=204)

    @extend_schema(request=None, responses=ApiKeySerializer)
    @action(detail=True, methods=["POST"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Revoke the key immediately and permanently."""
        NoFieldsSerializer.read(request)
        self._revoke(request)
        return Response(ApiKeySerializer(self.get_object()).data)

    def _revoke(self, request: Request) -> None:
        key = self.get_object()
        if not revoke_key(key):
            raise ApiError(
                ErrorCode.CONFLICT, f"The key {key.prefix} was revoked at {key.revoked_at.isoformat()}."
            )
        audit.record("api_key.revoke", key, request=request, detail={"name": key.name})


class AuditFilter(filters.FilterSet):
    actor = filters.CharFilter("actor_name", max_length=150)
    action = filters.CharFilter("action", max_length=64)
    target_type = filters.CharFilter("target_type", max_length=64)
    target_id = filters.CharFilter("target_id", max_length=64)
    request_id = filters.CharFilter("request_id", max_length=64)
    after = filters.IsoDateTimeFilter("at", "gte")
    before = filters.IsoDateTimeFilter("at", "lt")

    class Meta:
        model = AuditEvent
        fields: list[str] = []


@extend_schema(tags=["audit"])
class AuditViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Who did what, newest first."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditFilter
    required_scopes = ADMIN_ONLY

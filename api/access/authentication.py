"""Who is asking: a program by its API key, a person by the session of the pages."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from api.access.keys import find_key, note_use
from api.models import ApiKey


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Api-Key <prefix>.<secret>`"""

    keyword = "Api-Key"

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        header = authentication.get_authorization_header(request).decode("latin-1").split()
        if not header or header[0].lower() != self.keyword.lower():
            return None
        if len(header) != 2:
            raise AuthenticationFailed("The header must read: Authorization: Api-Key <prefix>.<secret>")
        key = find_key(header[1])
        if key is None:
            raise AuthenticationFailed("This API key does not exist.")
        self.check(key)
        note_use(key)
        # For the audit, which sees Django's own request.
        request._request.api_key = key  # type: ignore[attr-defined]
        return key.user, key

    @staticmethod
    def check(key: ApiKey) -> None:
        if key.revoked_at is not None:
            raise AuthenticationFailed(
                f"The API key {key.prefix} was revoked at {key.revoked_at.isoformat()}."
            )
        if not key.is_usable and key.expires_at is not None:
            raise AuthenticationFailed(f"The API key {key.prefix} expired at {key.expires_at.isoformat()}.")
        if not key.user.is_active:
            raise AuthenticationFailed(f"The account that owns the API key {key.prefix} is disabled.")

    def authenticate_header(self, request: Request) -> str:
        return self.keyword


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the pages, with its CSRF check."""


def request_source(request: Request) -> str:
    """Where a request came from, as images and jobs record it: the pages use the API with their session."""
    return "web" if isinstance(request.successful_authenticator, SessionAuthentication) else "api"


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <prefix>.<secret>`, made by `./manage.py create_api_key NAME --scopes …`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    target_class = SessionAuthentication
    name = "Session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        from django.conf import settings

        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}

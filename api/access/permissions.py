"""What somebody may do: four scopes, one table for keys and people."""

from collections.abc import Iterable
from typing import Any

from rest_framework import permissions
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from api.models import ApiKey, Scope

GROUP_SCOPES = {
    "viewer": Scope.READ,
    "reviewer": Scope.WRITE,
    "operator": Scope.PROCESS,
    "admin": Scope.ADMIN,
}
DEFAULT_SCOPES = {"GET": Scope.READ, "HEAD": Scope.READ, "OPTIONS": Scope.READ}


def scopes_up_to(scopes: Iterable[str]) -> set[str]:
    """The scopes with those before them: `write` includes `read`."""
    order = list(Scope.values)
    highest = max((order.index(scope) for scope in scopes), default=-1)
    return set(order[: highest + 1])


def scopes_of(subject: Any) -> set[str]:
    """The scopes of a user, or of a request: there a key limits its user and never adds to them."""
    user = getattr(subject, "user", subject)
    scopes = _scopes_of_user(user)
    key = getattr(subject, "auth", None)
    return scopes & scopes_up_to(key.scopes) if isinstance(key, ApiKey) else scopes


def _scopes_of_user(user: Any) -> set[str]:
    if not user.is_authenticated or not user.is_active:
        return set()
    if user.is_superuser:
        return set(Scope.values)
    if not hasattr(user, "_scopes"):  # asked several times in one request
        names = user.groups.values_list("name", flat=True)
        # Every signed-in user sees the whole library, also one in no group.
        user._scopes = scopes_up_to(
            {Scope.READ, *(GROUP_SCOPES[name] for name in names if name in GROUP_SCOPES)}
        )
    return set(user._scopes)


def has_scope(subject: Any, scope: str) -> bool:
    """Whether a user (or the user and key of a request) has a scope; for pages, admin and templates."""
    return scope in scopes_of(subject)


def require_scope(subject: Any, scope: str) -> None:
    """Refuse somebody who lacks a scope, naming it."""
    if not has_scope(subject, scope):
        raise PermissionDenied(missing(scope))


def missing(scope: str) -> str:
    return f"This requires the scope {str(scope)!r}, which you or your API key do not have."


class HasScope(permissions.BasePermission):
    """Reads need `read`, all else `write`, unless the view says otherwise.

    A view sets `required_scopes = {"POST": "process"}` by method, or has `scope_for(action)`.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        scope = self.scope_of(request, view)
        self.message = missing(scope)
        return has_scope(request, scope)

    @staticmethod
    def scope_of(request: Request, view: Any) -> str:
        scope_for = getattr(view, "scope_for", None)
        if scope_for and (scope := scope_for(getattr(view, "action", None))):
            return str(scope)
        table: dict[str, str] = getattr(view, "required_scopes", {})
        method = request.method or ""
        return table.get(method) or DEFAULT_SCOPES.get(method, Scope.WRITE)

"""Whose keys they are: a key always belongs to a user and can never do more than that user."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User

from api.access.permissions import GROUP_SCOPES, scopes_of, scopes_up_to
from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field

SERVICE_USER = "service"


def key_owner(username: str, *, scopes: Iterable[str], requested_by: Any = None) -> User:
    """The named user, else the first administrator, else a user without a password made for this.

    Raises:
        ApiError: 400 for a user who does not exist or may do less than the scopes; 403 for one who has more rights
            than the person who asks (`requested_by`; commands have none).
    """
    users = get_user_model().objects
    if username:
        user = users.filter(username=username).first()
        if user is None:
            raise invalid_field("user", f"The user {username!r} does not exist.")
    else:
        user = users.filter(is_superuser=True, is_active=True).order_by("pk").first() or _service_user(scopes)
    if requested_by is not None:
        check_rights_over(user, requested_by)
    if lacking := sorted(scopes_up_to(scopes) - scopes_of(user)):
        raise invalid_field("scopes", f"The user {user.username!r} does not have {', '.join(lacking)}.")
    return user


def check_rights_over(owner: Any, person: Any) -> None:
    """Whoever makes or prolongs another's key could act as that user.

    Raises:
        ApiError: 403 where the owner has more rights than the person.
    """
    if owner == person or person.is_superuser:
        return
    if owner.is_superuser or scopes_of(owner) - scopes_of(person):
        detail = f"The user {owner.get_username()!r} has more rights than you."
        raise ApiError(
            ErrorCode.PERMISSION_DENIED,
            detail,
            errors=[FieldError("user", ErrorCode.PERMISSION_DENIED, detail)],
        )


def _service_user(scopes: Iterable[str]) -> User:
    user, is_new = get_user_model().objects.get_or_create(username=SERVICE_USER)
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    allowed = scopes_up_to(scopes)
    user.groups.add(
        *Group.objects.filter(name__in=[name for name, scope in GROUP_SCOPES.items() if scope in allowed])
    )
    return user

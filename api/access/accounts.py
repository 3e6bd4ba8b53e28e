"""Whose keys they are: a key always belongs to a user and can never do more than that user."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User

from api.access.permissions import GROUP_SCOPES, scopes_of, scopes_up_to
from api.core.errors import invalid_field

SERVICE_USER = "service"


def key_owner(username: str, *, scopes: Iterable[str]) -> User:
    """The named user, else the first administrator, else a user without a password made for this."""
    users = get_user_model().objects
    if username:
        user = users.filter(username=username).first()
        if user is None:
            raise invalid_field("user", f"The user {username!r} does not exist.")
    else:
        user = users.filter(is_superuser=True, is_active=True).order_by("pk").first() or _service_user(scopes)
    if lacking := sorted(scopes_up_to(scopes) - scopes_of(user)):
        raise invalid_field("scopes", f"The user {user.username!r} does not have {', '.join(lacking)}.")
    return user


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

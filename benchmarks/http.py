"""Requests to the application in this process: everything but the network."""

from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from api.keys import create_key


def admin() -> Any:
    users = get_user_model().objects
    return users.filter(username="bench").first() or users.create_superuser("bench", password="bench")


def api_client() -> Client:
    """Signed in by an API key."""
    _, key = create_key("bench", user=admin(), scopes=["admin"])
    return Client(headers={"Authorization": f"Api-Key {key}"})


def page_client() -> Client:
    """Signed in by a session, as a browser is."""
    client = Client()
    client.force_login(admin())
    return client

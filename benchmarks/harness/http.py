"""Requests to the application in this process: everything but the network."""

from django.contrib.auth.models import User
from django.test import Client

from api.access.keys import create_key


def admin() -> User:
    users = User.objects
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

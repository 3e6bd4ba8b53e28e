"""Default deny: nobody gets anything but a sign-in without credentials, whatever the address."""

import re
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db
OPEN = {
    "/api/health/live/",
    "/api/health/ready/",
    "/sign-in/",
    "/admin/login/",
    # Redirects to addresses that are not open themselves.
    "/health",
    "/health/",
    "/docs",
    "/docs/",
}
# The signature is the permission: without one the answer is 403.
SIGNED = re.compile(r"/files/")
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
EXAMPLES = {"int": "1", "uuid": str(uuid.UUID(int=4)), "slug": "x", "str": "x", "path": "x/y"}


def addresses(resolver: URLResolver, prefix: str = "/") -> Iterator[str]:
    """An example of every address in the URLconf."""
    for entry in resolver.url_patterns:
        here = prefix + example(str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from addresses(entry, here)
        elif isinstance(entry, URLPattern):
            yield here


def example(pattern: str) -> str:
    """A text that a route or a regular expression matches."""
    if not pattern.startswith("^") and "(?P" not in pattern:
        return re.sub(r"<(?:(\w+):)?\w+>", lambda match: EXAMPLES[match[1] or "str"], pattern)
    text = pattern.removeprefix("^").removesuffix("\\Z").removesuffix("$").replace("/?", "/")
    text = _named_groups_replaced(text)
    return text.replace("\\.", ".").replace("\\/", "/")


def _named_groups_replaced(text: str) -> str:
    while (start := text.find("(?P<")) >= 0:
        depth, end = 0, start
        for end in range(start, len(text)):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            if depth == 0:
                break
        inner = text[start : end + 1]
        value = EXAMPLES["uuid"] if "a-f" in inner else "1"
        text = text[:start] + value + text[end + 1 :]
    return text


ALL = sorted(set(addresses(get_resolver())))


def test_the_walk_finds_the_addresses():
    assert len(ALL) > 60
    assert {"/api/images/", "/api/me/", "/api/jobs/", "/api/process/", "/metrics", "/"} <= set(ALL)
    assert f"/api/images/{EXAMPLES['uuid']}/file/" in ALL
    assert set(ALL) >= OPEN


@pytest.mark.parametrize("address", sorted(set(ALL) - OPEN))
def test_without_credentials(address):
    for method in METHODS:
        response = getattr(Client(), method)(address)
        assert is_denied(address, response), (method, address, response.status_code)


def is_denied(address: str, response) -> bool:
    if SIGNED.match(address):
        return response.status_code in (403, 405)
    if response.status_code in (401, 403, 405):
        return True
    location = response.headers.get("Location", "")
    return response.status_code == 302 and location.startswith(("/sign-in/", "/admin/login/"))


def test_what_is_open_says_only_a_word():
    client = Client()

    assert client.get("/api/health/live/").json() == {"status": "ok"}
    assert client.get("/api/health/ready/").json() == {"status": "ok"}
    assert client.get("/health")["Location"] == "/api/health/"


def test_the_schema_needs_a_sign_in():
    assert Client().get("/api/schema/").status_code == 401

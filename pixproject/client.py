"""A small client of Pix's own REST API: what the demo, the smoke test and the benchmarks speak through."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import requests
from django.utils import timezone

from api.access.accounts import key_owner
from api.access.keys import create_key, revoke_key

TIMEOUT_S = 30
FINISHED = ("completed", "completed_with_errors", "failed", "cancelled")


class Refused(Exception):
    """The instance answered with an error, or not at all; the sentence says which."""


class Client:
    """One instance, one API key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url if url.endswith("/") else f"{url}/"
        self.session = requests.Session()
        self.session.trust_env = False  # connect to the instance directly, not through a proxy
        self.session.headers["Authorization"] = f"Api-Key {key}"
        self.stranger = requests.Session()  # without the key
        self.stranger.trust_env = False

    def get(self, path: str, **headers: str) -> dict[str, Any]:
        return self._json("GET", path, headers=headers)

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        return self._json("POST", "api/images/", files={"file": (name, content)})

    def submit(
        self, *, image: str, operations: Sequence[Any] = (), pipeline: Sequence[Any] = ()
    ) -> dict[str, Any]:
        body = {"image": image, "operations": list(operations), "pipeline": list(pipeline)}
        return self._json("POST", "api/jobs/", json={name: value for name, value in body.items() if value})

    def submit_file(self, name: str, content: bytes, **work: Sequence[Any]) -> dict[str, Any]:
        """Upload and submit in one request; `work` is operations and/or pipeline."""
        data = {field: json.dumps(list(value)) for field, value in work.items()}
        return self._json("POST", "api/jobs/", files={"file": (name, content)}, data=data)

    def finished(
        self, job_id: str, *, timeout_s: float, on_progress: Callable[[dict[str, Any]], None] | None = None
    ) -> dict[str, Any]:
        """The job when it has ended.

        Raises:
            Refused: when it has not ended after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            job = self.get(f"api/jobs/{job_id}/")
            if on_progress:
                on_progress(job)
            if job["status"] in FINISHED:
                return job
            if time.monotonic() > deadline:
                raise Refused(f"Job {job_id} is still {job['status']} after {timeout_s:g} s.")
            time.sleep(0.1)

    def download(self, url: str) -> bytes:
        """A signed link's file, asked for as a stranger would: without the key."""
        try:
            response = self.stranger.get(urljoin(self.url, url), timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise Refused(f"No response from {url}: {error}") from error
        if response.status_code != 200:
            raise Refused(f"{url} returned {response.status_code}.")
        return response.content

    def purge(self, image_id: str) -> None:
        self._send("DELETE", f"api/images/{image_id}/?purge=true")

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._send(method, path, **options).json()
        return answer

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            response = self.session.request(method, urljoin(self.url, path), timeout=TIMEOUT_S, **options)
        except requests.RequestException as error:
            raise Refused(f"No response from {self.url}: {error}") from error
        if not response.ok:
            try:
                detail = str(response.json()["detail"])
            except (ValueError, KeyError, TypeError):
                detail = response.text[:200]
            raise Refused(f"{method} /{path} returned {response.status_code}: {detail}")
        return response


@contextlib.contextmanager
def temporary_key(name: str, *, scopes: Sequence[str]) -> Iterator[str]:
    """A key of the first administrator that ends with the block, and expires after an hour."""
    expires_at = timezone.now() + timedelta(hours=1)
    key, text = create_key(name, user=key_owner("", scopes=scopes), scopes=scopes, expires_at=expires_at)
    try:
        yield text
    finally:
        revoke_key(key)

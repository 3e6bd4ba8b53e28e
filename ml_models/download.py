"""One file over HTTP into a partial file: goes on where it was cut, tries again, and never takes more than it may.

It knows nothing of hashes; ml_models/fetching.py checks what arrived.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from requests import Response

CHUNK_BYTES = 2**18
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60
ATTEMPTS = 5  # in a row without a byte more
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be others a moment later

Progress = Callable[[int, int], None]  # bytes there are, bytes there will be (0: unknown)


class FetchFailed(Exception):
    """A file could not be installed; the sentence is for the operator."""


class _TryAgain(Exception):
    """The attempt ended early, by no fault of the file."""


@dataclass
class Download:
    """What is fetched, and how far that is."""

    address: str
    part: BinaryIO
    byte_size: int  # 0: not known
    max_bytes: int
    progress: Progress
    version: str = ""  # the server's name for these bytes, once it has sent one

    @property
    def offset(self) -> int:
        return self.part.seek(0, 2)

    def restart(self) -> None:
        self.part.truncate(0)


def download(task: Download, *, backoff_s: float = 1.0) -> None:
    """Bring the rest of the file into `task.part`.

    Raises:
        FetchFailed: if the address has no such file, the file has another size, or the connection keeps breaking.
    """
    failures, furthest = 0, task.offset
    while True:
        try:
            return _attempt(task)
        except _TryAgain as error:
            failures = 1 if task.offset > furthest else failures + 1
            furthest = max(furthest, task.offset)
            if failures >= ATTEMPTS:
                raise FetchFailed(f"{task.address}: {error} Gave up after {ATTEMPTS} attempts.") from error
        time.sleep(backoff_s * 2 ** (failures - 1))


def _attempt(task: Download) -> None:
    import requests
    import urllib3

    offset = task.offset
    headers = {"Accept-Encoding": "identity", "User-Agent": "Pix"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if task.version:
            headers["If-Range"] = task.version
    timeouts = (CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    try:
        with requests.get(task.address, headers=headers, timeout=timeouts, stream=True) as response:
            if not _is_complete_already(task, response, offset):
                _receive(task, response, _total(task, response, offset))
    except (requests.exceptions.MissingSchema, requests.exceptions.InvalidURL) as error:
        raise FetchFailed(f"{task.address} is not a valid address.") from error
    except requests.exceptions.InvalidSchema as error:
        raise FetchFailed(f"{task.address} must start with http:// or https://.") from error
    except requests.exceptions.SSLError as error:
        raise FetchFailed(
            f"{task.address}: the certificate of the server is not accepted ({error})."
        ) from error
    except requests.exceptions.Timeout as error:
        raise _TryAgain(f"no answer within {READ_TIMEOUT_S} s.") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _TryAgain(f"the connection failed or was cut ({type(error).__name__}).") from error


def _is_complete_already(task: Download, response: "Response", offset: int) -> bool:
    """The server has no byte beyond those that are here, and knows of no others."""
    if response.status_code != 416:
        return False
    if response.headers.get("Content-Range", "") == f"bytes */{offset}":
        return True
    task.restart()
    raise _TryAgain("the file on the server has changed since the download started.")


def _total(task: Download, response: "Response", offset: int) -> int:
    """How many bytes the whole file has (0: unknown), after anything but the file was refused."""
    status = response.status_code
    if status in PASSING:
        raise _TryAgain(f"the server returned {status}.")
    if status not in (200, 206):
        hint = {401: " (not signed in)", 403: " (forbidden)", 404: " (not found)"}.get(status, "")
        raise FetchFailed(f"{task.address}: the server returned {status}{hint}.")
    if task.address.startswith("https:") and not response.url.startswith("https:"):
        raise FetchFailed(f"{task.address}: the server redirects to an unencrypted address ({response.url}).")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise FetchFailed(f"{task.address}: the server returned a web page instead of the file.")
    begin, total = _range_of(response)
    if begin != offset:
        task.restart()
        if begin:
            raise _TryAgain("the server sent a different part of the file than requested.")
    if total and task.byte_size and total != task.byte_size:
        raise FetchFailed(f"{task.address}: the file has {total} bytes instead of {task.byte_size}.")
    if total > task.max_bytes:
        raise FetchFailed(f"{task.address}: the file has {total} bytes; the limit is {task.max_bytes}.")
    etag = response.headers.get("ETag", "")
    task.version = "" if etag.startswith("W/") else etag
    return total


def _range_of(response: "Response") -> tuple[int, int]:
    """Where the answer begins in the file, and how many bytes the file has (0: unknown)."""
    if response.status_code == 206:
        match = re.match(r"bytes (\d+)-\d+/(\d+|\*)$", response.headers.get("Content-Range", ""))
        if not match:
            return -1, 0
        return int(match[1]), int(match[2]) if match[2] != "*" else 0
    return 0, int(response.headers.get("Content-Length") or 0)


def _receive(task: Download, response: "Response", total: int) -> None:
    received = task.offset
    task.progress(received, total or task.byte_size)
    # Not decoded: a server that calls a .gz file encoded would have it unpacked.
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        received += len(chunk)
        if received > task.max_bytes:
            task.restart()
            raise FetchFailed(
                f"{task.address}: received more than {task.max_bytes} bytes; this is a different file."
            )
        task.part.write(chunk)
        task.progress(received, total or task.byte_size)
    task.part.flush()
    should_be = total or task.byte_size
    if should_be and received < should_be:
        raise _TryAgain(f"received only {received} of {should_be} bytes.")

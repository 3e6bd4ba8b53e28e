"""Check this container's part of Pix. Used by compose, ECS and Kubernetes; exit status 0 means healthy.

    python deploy/healthcheck.py web               the web server responds
    python deploy/healthcheck.py worker            a worker on this host has reported to the database recently
    python deploy/healthcheck.py process WORD      a process with this word in its command line is running

It does not import Django: it runs every few seconds, and loading Django would cost a second of CPU each time.
"""

import http.client
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

SEEN_WITHIN_S = 60


def web() -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
    connection.request("GET", "/api/health/live/")
    return connection.getresponse().status == 200


def worker() -> bool:
    import psycopg

    query = (
        "SELECT count(*) FROM processing_workerheartbeat"
        " WHERE host = %s AND seen_at > now() - make_interval(secs => %s)"
    )
    with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=4) as connection:
        row = connection.execute(query, [socket.gethostname(), SEEN_WITHIN_S]).fetchone()
    return row is not None and row[0] > 0


def process(word: str) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has just ended
            continue
        if word in command and "healthcheck.py" not in " ".join(command):
            return True
    return False


CHECKS: dict[str, Callable[..., bool]] = {"web": web, "worker": worker, "process": process}

if __name__ == "__main__":
    name, *arguments = sys.argv[1:] or ["web"]
    try:
        is_alive = CHECKS[name](*arguments)
    except Exception as error:  # whatever it is: not alive, and the log says why
        sys.exit(f"{name}: {type(error).__name__}: {error}")
    sys.exit(0 if is_alive else f"{name}: not alive")

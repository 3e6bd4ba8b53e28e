"""Where the embedded servers live and how to reach them. Pure functions: nothing is made or started here."""

import hashlib
from pathlib import Path
from urllib.parse import quote

POSTGRES_PORT = 5432  # only a part of the socket's name: no TCP port is opened
# A Unix socket's address holds 107 bytes; PostgreSQL's lock file beside the socket has the longest name.
LONGEST_SOCKET_PATH_BYTES = 100
LONGEST_NAME = f"/.s.PGSQL.{POSTGRES_PORT}.lock"


def socket_dir(data_dir: Path) -> Path:
    """`<data>/run`, or a short folder under /tmp when that path is too long for a Unix socket."""
    run_dir = data_dir.absolute() / "run"
    too_long = len(bytes(run_dir)) + len(LONGEST_NAME) > LONGEST_SOCKET_PATH_BYTES
    # libpq reads a comma in a host as the start of a second host.
    if too_long or "," in str(run_dir):
        digest = hashlib.sha256(bytes(data_dir.resolve())).hexdigest()
        return Path("/tmp") / f"pix-{digest[:16]}"
    return run_dir


def postgres_settings(data_dir: Path) -> dict[str, str]:
    """The place and name of the embedded database, as an entry of Django's DATABASES wants them."""
    return {"HOST": str(socket_dir(data_dir)), "PORT": str(POSTGRES_PORT), "USER": "pix", "NAME": "pix"}


def redis_socket(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "redis.sock"


def redis_url(data_dir: Path) -> str:
    return f"unix://{quote(str(redis_socket(data_dir)))}"

"""The installation's own secret key: made once, kept under the data folder."""

import fcntl
import os
import secrets
from pathlib import Path


def secret_key(data_dir: Path) -> str:
    """Return `<data>/secret_key`, making it (readable by its owner only) when it is not there yet."""
    path = data_dir / "secret_key"
    try:
        key = path.read_text().strip()
    except FileNotFoundError:
        key = ""
    if key:
        return key
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # of several first processes one writes, the others read its key
        if not (key := file.read().strip()):
            key = secrets.token_urlsafe(50)
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        return key

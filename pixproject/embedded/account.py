"""As whom PostgreSQL runs: it refuses root, and containers often have nobody else."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .process import EmbeddedServerError

NOBODY = 65534
# In a user namespace of its own root is called nobody: PostgreSQL runs, and files stay root's and closed.
UNSHARE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")


@dataclass(frozen=True)
class Account:
    """How to start a program so that PostgreSQL accepts its user."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def popen_options(self) -> dict[str, object]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, *folders: Path) -> None:
        """Hand empty new folders to the other user, where there is one."""
        if self.uid is not None and self.gid is not None:
            for folder in folders:
                os.chown(folder, self.uid, self.gid)


def postgres_account(cluster: Path, program: Path) -> Account:
    """Ourselves; as root, root in a user namespace, else nobody. Data that exist decide between these two.

    Raises:
        EmbeddedServerError: when root has no way to run PostgreSQL here.
    """
    if os.geteuid() != 0:
        return Account()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if owner not in {None, 0, NOBODY}:
        raise EmbeddedServerError(f"{cluster} belongs to user {owner}: run Pix as that user, not as root.")
    if owner != NOBODY and _runs([*UNSHARE, str(program), "--version"]):
        return Account(prefix=UNSHARE)
    if owner != 0 and (account := _nobody()) and _runs([str(program), "--version"], account):
        return account
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root, and neither a user namespace nor the user nobody works here. "
        "Run Pix as a regular user, or set DATABASE_URL to a PostgreSQL server with pgvector."
    )


def _nobody() -> Account | None:
    try:
        entry = pwd.getpwuid(NOBODY)
    except KeyError:
        return None
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def _runs(command: list[str], account: Account | None = None) -> bool:
    if shutil.which(command[0]) is None:
        return False
    options = account.popen_options() if account else {}
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False, **options
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return bool(done.returncode == 0)

"""Do the rows and the stored files agree? Finds missing, damaged and orphaned files and mends them."""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from processing import files
from processing.storage import file_classes, open_transactions
from processing.storage.file_classes import FileClass, StoredFile

CHUNK = 500
READ_BYTES = 1 << 20
# A worker stores a file before its row exists and an upload takes its time: younger files are judged only when all
# work that was going on when they were listed has ended.
GRACE = timedelta(hours=1)
SETTLE_S = 10
MISSING, DAMAGED, ORPHANED, RECOVERED = "missing", "damaged", "orphaned", "recovered"
TEMPORARY = "temporary"
Progress = Callable[[], object]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and what was done about it (empty: nothing)."""

    problem: str
    file_class: str
    key: str
    label: str = ""
    detail: str = ""
    done: str = ""


@dataclass
class Report:
    """What a check looked at and found."""

    checked: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    young: int = 0  # files without a row that may still get one

    @property
    def is_clean(self) -> bool:
        """Nothing is wrong, or all of it was put right."""
        return all(finding.done for finding in self.findings)


@dataclass(frozen=True)
class Listed:
    """A file that lies in storage."""

    key: str
    byte_size: int
    changed_at: datetime


def verify(
    *, repair: bool = False, fast: bool = False, grace: timedelta = GRACE, progress: Progress = lambda: None
) -> Report:
    """Compare every row's file and every stored file; `fast` compares sizes and reads no contents."""
    report = Report()
    for file_class in file_classes.CLASSES.values():
        if file_class.files is not None:
            _verify_rows(file_class, report, repair=repair, fast=fast, progress=progress)
    young = [
        (file_class, file)
        for file_class in file_classes.CLASSES.values()
        if file_class.known is not None
        for file in find_orphans(file_class, report, repair=repair, before=timezone.now() - grace)
    ]
    _judge_young(young, report, repair=repair)
    find_leftovers(report, repair=repair, before=timezone.now() - grace)
    return report


def _verify_rows(
    file_class: FileClass, report: Report, *, repair: bool, fast: bool, progress: Progress
) -> None:
    assert file_class.files is not None
    for file in file_class.files():
        report.checked[file_class.name] += 1
        finding = _finding(file_class, file, repair=repair, fast=fast)
        if finding is not None:
            report.findings.append(finding)
        progress()


def _finding(file_class: FileClass, file: StoredFile, *, repair: bool, fast: bool) -> Finding | None:
    problem = examine(file, fast=fast)
    if problem is not None:
        kind, detail = problem
        done = "already marked as damaged" if file.is_known_damaged else ""
        if repair and not done and file_class.mend:
            done = file_class.mend(file, kind)
        return Finding(kind, file_class.name, file.key, file.label, detail, done)
    if file.is_known_damaged and not (fast and file.sha256):
        done = file_class.recover(file) if repair and file_class.recover else ""
        return Finding(
            RECOVERED, file_class.name, file.key, file.label, "marked as damaged, but intact", done
        )
    return None


def examine(file: StoredFile, *, fast: bool = False) -> tuple[str, str] | None:
    """What is wrong with a stored file: (problem, detail); None when it is as it was stored."""
    try:
        size = default_storage.size(file.key)
    except Exception as error:  # each storage has its own word for "no such file"
        return MISSING, type(error).__name__
    if size != file.byte_size:
        return DAMAGED, f"{size:,} bytes instead of {file.byte_size:,}"
    if file.sha256 and not fast and _sha256(file.key) != file.sha256:
        return DAMAGED, "its contents have changed (different SHA-256)"
    return None


def _sha256(key: str) -> str:
    digest = hashlib.sha256()
    with default_storage.open(key, "rb") as source:
        while chunk := source.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def find_orphans(
    file_class: FileClass, report: Report, *, repair: bool, before: datetime
) -> Iterator[Listed]:
    """Report a class's orphans; yields the files without a row that are too young to be judged by their age."""
    listed = walk(file_class.prefix)
    while chunk := list(islice(listed, CHUNK)):
        unknown = _without_row(file_class, chunk)
        _add_orphans(report, file_class.name, [f for f in unknown if f.changed_at < before], repair=repair)
        yield from (file for file in unknown if file.changed_at >= before)


def _without_row(file_class: FileClass, listed: list[Listed]) -> list[Listed]:
    assert file_class.known is not None
    known = file_class.known([file.key for file in listed])
    return [file for file in listed if file.key not in known]


def _judge_young(young: list[tuple[FileClass, Listed]], report: Report, *, repair: bool) -> None:
    if not young:
        return
    if not open_transactions.wait_for_end(timezone.now(), timeout_s=SETTLE_S):
        report.young = len(young)
        return
    for file_class, file in young:
        _add_orphans(report, file_class.name, _without_row(file_class, [file]), repair=repair)


def _add_orphans(report: Report, name: str, orphans: list[Listed], *, repair: bool) -> None:
    for orphan in orphans:
        if repair:
            default_storage.delete(orphan.key)
        detail, done = f"{orphan.byte_size:,} bytes, not used by any record", "deleted" if repair else ""
        report.findings.append(Finding(ORPHANED, name, orphan.key, detail=detail, done=done))


def walk(prefix: str) -> Iterator[Listed]:
    """Every file in storage below a folder."""
    if files.is_local():
        yield from _walk_folder(Path(default_storage.path(prefix)), default_storage.path(""))
        return
    for item in default_storage.bucket.objects.filter(Prefix=f"{prefix}/"):  # type: ignore[attr-defined]
        yield Listed(item.key, item.size, item.last_modified)


def _walk_folder(folder: Path, root: str) -> Iterator[Listed]:
    for where, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            try:
                facts = os.stat(path)
            except FileNotFoundError:  # removed since it was listed
                continue
            changed_at = datetime.fromtimestamp(facts.st_mtime, UTC)
            yield Listed(os.path.relpath(path, root), facts.st_size, changed_at)


def find_leftovers(report: Report, *, repair: bool, before: datetime) -> None:
    """Temporary files of processes that were killed, and of health checks."""
    _add_orphans(report, TEMPORARY, [f for f in walk("health") if f.changed_at < before], repair=repair)
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*"):
        measured = _measure(path)
        if measured is None or measured[1] >= before:
            continue
        byte_size, _ = measured
        if repair and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif repair:
            path.unlink(missing_ok=True)
        detail, done = f"{byte_size:,} bytes, left behind by a killed process", "deleted" if repair else ""
        report.findings.append(Finding(ORPHANED, TEMPORARY, path.name, detail=detail, done=done))


def _measure(path: Path) -> tuple[int, datetime] | None:
    """The bytes in a file or folder, and when anything in it last changed; None for one that goes meanwhile."""
    size, changed = 0, 0.0
    try:
        for inner in (path, *path.rglob("*")):
            facts = inner.lstat()
            size += 0 if inner.is_dir() else facts.st_size
            changed = max(changed, facts.st_mtime)
    except FileNotFoundError:  # somebody is at work in it
        return None
    return size, datetime.fromtimestamp(changed, UTC)

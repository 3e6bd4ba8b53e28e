"""What killed processes and lost connections leave behind, removed without anybody asking."""

import logging
import threading
from datetime import timedelta

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from processing.storage import file_classes, integrity

logger = logging.getLogger("pix.leftovers")
INTERVAL_S = 3600
ORPHANS_INTERVAL_S = 24 * 3600  # finding them means listing every file
ORPHANS_REMOVED = "orphans-removed"
ABANDONED_AFTER = timedelta(days=1)  # no work takes that long

_is_running = threading.Lock()
_threads: list[threading.Thread] = []


def remove() -> int:
    """Remove temporary files and, once a day, files without a row; answers how many.

    Originals stay, whatever their rows say: somebody may be restoring a backup whose database comes last. Everything
    else can be made again.
    """
    report = integrity.Report()
    before = timezone.now() - ABANDONED_AFTER
    integrity.find_leftovers(report, repair=True, before=before)
    if cache.add(ORPHANS_REMOVED, 1, ORPHANS_INTERVAL_S):
        try:
            for file_class in file_classes.CLASSES.values():
                if file_class.can_be_made_again:
                    for _young in integrity.find_orphans(file_class, report, repair=True, before=before):
                        pass
        except BaseException:
            cache.delete(ORPHANS_REMOVED)
            raise
    if report.findings:
        logger.info("Removed %s files that were left behind", len(report.findings))
    return len(report.findings)


def start_removing() -> None:
    """In a thread of its own: a walk through many files must not delay what the sweeper does every second."""
    if _is_running.acquire(blocking=False):
        _threads[:] = [threading.Thread(target=_run, name="leftovers", daemon=True)]
        _threads[0].start()


def wait() -> None:
    """Until a removal under way has ended: for a process that would end before it."""
    for thread in _threads:
        thread.join()


def _run() -> None:
    try:
        remove()
    except Exception:
        logger.exception("Leftovers could not be removed; the next try is in an hour")
    finally:
        connection.close()
        _is_running.release()

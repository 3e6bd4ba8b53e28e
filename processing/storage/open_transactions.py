"""Whether work that began before a moment is still going on: until it ends, its files may have no row yet."""

import time
from datetime import datetime

from django.db import connection

from processing.models import Operation
from processing.states import OperationStatus

POLL_S = 0.25

_OPEN_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND xact_start < %s"""


def wait_for_end(moment: datetime, *, timeout_s: float) -> bool:
    """Wait for every transaction and operation that began before `moment`; False when some outlast the time-out."""
    deadline = time.monotonic() + timeout_s
    while _is_going_on(moment):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _is_going_on(moment: datetime) -> bool:
    if Operation.objects.filter(status=OperationStatus.RUNNING, started_at__lt=moment).exists():
        return True
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_TRANSACTIONS, [moment])
        (count,) = cursor.fetchone()
    return bool(count)

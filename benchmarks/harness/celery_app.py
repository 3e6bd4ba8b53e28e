"""The same empty task in Celery, on the same Redis, with its results in Redis."""

import os
from pathlib import Path

from celery import Celery

from pixproject.embedded.paths import redis_socket

SOCKET = redis_socket(Path(os.environ["PIX_DATA_DIR"]))
app = Celery(
    "bench",
    broker=f"redis+socket://{SOCKET}?virtual_host=1",
    backend=f"redis+socket://{SOCKET}?virtual_host=2",
)
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@app.task
def nothing() -> None:
    return None

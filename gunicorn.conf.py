"""The web server. Found by gunicorn itself when it starts in this folder."""

import os
from typing import Any

from pixproject import settings
from processing.engine.subprocesses import warm_up_shared

wsgi_app = "pixproject.wsgi"
bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
worker_class = "pixproject.web_worker.WebWorker"
logconfig_dict = settings.LOGGING  # its own lines like all others
worker_tmp_dir = (
    "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
)  # a heartbeat file must not wait for a disk
timeout = 60  # of a worker's heartbeat, not of a request
graceful_timeout = 15
control_socket_disable = True  # it lies in the home folder: two instances would fight over it
WARM_UP_AFTER_S = 2.0  # the workers of the engine start at the same time, and nobody uploads that soon


def post_worker_init(worker: Any) -> None:
    """Runs in each web process once it can answer: let no first upload wait for its decoder to start."""
    warm_up_shared(settings.DECODE_MEMORY_BYTES, after_s=WARM_UP_AFTER_S)

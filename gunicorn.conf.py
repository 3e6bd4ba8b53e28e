"""The web server. Found by gunicorn itself when it starts in this folder."""

import os

from pixproject import settings

wsgi_app = "pixproject.wsgi"
bind = f"{settings.HOST}:{settings.PORT}"
workers = settings.WEB_CONCURRENCY
threads = 8
worker_class = "gthread"
logconfig_dict = settings.LOGGING  # its own lines like all others
worker_tmp_dir = (
    "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
)  # a heartbeat file must not wait for a disk
timeout = 60  # of a worker's heartbeat, not of a request
graceful_timeout = 15
keepalive = 5
control_socket_disable = True  # it lies in the home folder: two instances would fight over it

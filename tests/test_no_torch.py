"""Web processes and workers without the queue `ml` stay light: they never import torch."""

import subprocess
import sys

LOADED = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pixproject.settings")
import django
django.setup()
import pixproject.urls, pixproject.wsgi, processing.engine.worker, processing.tasks.operations
from processing.engine.registry import HANDLERS
from processing import model_availability, services
from processing.algorithms.operations.table import OPERATIONS
functions = [handler.compute.__module__ for handler in HANDLERS.values()]  # subprocesses import these
states = [services.why_unavailable(spec) for spec in OPERATIONS.values()], model_availability.models()
print(sorted({"torch", "torchvision", "timm", "pyiqa", "hdbscan"} & set(sys.modules)))
"""


def test_web_and_default_worker_import_no_torch():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"

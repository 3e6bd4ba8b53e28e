"""The worker processes in the admin."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import F
from django.db.models.functions import Now
from django.http import HttpRequest
from unfold.decorators import display

from pixproject.web.admin import PixModelAdmin
from pixproject.web.templatetags.pix_admin import duration
from processing.models import WorkerHeartbeat
from processing.queue_metrics import WORKER_ALIVE_SECONDS


@admin.register(WorkerHeartbeat)
class WorkerAdmin(PixModelAdmin):
    """Read only: workers report themselves."""

    list_display = (
        "worker_id",
        "state",
        "host",
        "process_id",
        "queue_names",
        "threads",
        "running",
        "up_for",
        "seen_ago",
    )
    list_display_links = None
    search_fields = ("id", "host")
    ordering = ("-seen_at",)

    def get_queryset(self, request: HttpRequest) -> Any:
        """With the age of each report by the database's clock, which also wrote it."""
        return super().get_queryset(request).annotate(silent_for=Now() - F("seen_at"))

    @display(description="State", label={"alive": "success", "silent": "danger"})
    def state(self, worker: Any) -> str:
        is_alive = worker.silent_for < timedelta(seconds=WORKER_ALIVE_SECONDS)
        return "alive" if is_alive else "silent"

    @display(description="ID", ordering="id")
    def worker_id(self, worker: WorkerHeartbeat) -> str:
        return worker.pk

    @display(description="Process ID", ordering="pid")
    def process_id(self, worker: WorkerHeartbeat) -> int:
        return worker.pid

    @display(description="Queues")
    def queue_names(self, worker: WorkerHeartbeat) -> str:
        return ", ".join(worker.queues)

    @display(description="Up for", ordering="-started_at")
    def up_for(self, worker: WorkerHeartbeat) -> str:
        return duration((worker.seen_at - worker.started_at).total_seconds())

    @display(description="Last seen", ordering="seen_at")
    def seen_ago(self, worker: Any) -> str:
        return f"{duration(worker.silent_for.total_seconds())} ago"

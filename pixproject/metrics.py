"""Numbers for Prometheus, read from the database when it asks: all processes give the same answer."""

from collections.abc import Iterator

import psutil
from django.conf import settings
from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.views import APIView

from processing import estimates, queue_metrics
from processing.algorithms.operations.table import OPERATIONS


class PixCollector(Collector):
    """Queues, operations, jobs, workers, durations, disk."""

    def collect(self) -> Iterator[Metric]:
        yield from self._queues()
        yield from self._operations()
        yield from self._durations()
        usage = psutil.disk_usage(str(settings.DATA_DIR))
        yield GaugeMetricFamily(
            "pix_disk_free_bytes", "Free space on the disk with the data folder.", value=usage.free
        )
        yield GaugeMetricFamily(
            "pix_disk_total_bytes", "Size of the disk with the data folder.", value=usage.total
        )

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("pix_queue_waiting", "Waiting operations.", labels=["queue"])
        running = GaugeMetricFamily("pix_queue_running", "Running operations.", labels=["queue"])
        oldest = GaugeMetricFamily(
            "pix_queue_oldest_waiting_seconds", "Age of the oldest waiting operation.", labels=["queue"]
        )
        paused = GaugeMetricFamily("pix_queue_paused", "1 if the queue is paused.", labels=["queue"])
        workers = GaugeMetricFamily("pix_queue_workers", "Live workers serving the queue.", labels=["queue"])
        for queue in queue_metrics.queue_numbers():
            waiting.add_metric([queue.name], queue.waiting)
            running.add_metric([queue.name], queue.running)
            oldest.add_metric([queue.name], queue.oldest_waiting_seconds or 0)
            paused.add_metric([queue.name], int(queue.paused))
            workers.add_metric([queue.name], queue.workers)
        yield from (waiting, running, oldest, paused, workers)

    def _operations(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("pix_jobs", "Jobs by status.", labels=["status"])
        for status, count in queue_metrics.jobs_by_status().items():
            jobs.add_metric([status], count)
        operations = GaugeMetricFamily("pix_operations", "Operations by status.", labels=["queue", "status"])
        for (queue, status), count in queue_metrics.operations_by_status().items():
            operations.add_metric([queue, status], count)
        errors = GaugeMetricFamily("pix_operations_failed", "Failed operations.", labels=["error_code"])
        for row in queue_metrics.failed_by_error():
            errors.add_metric([row["error_code"]], row["count"])
        yield from (jobs, operations, errors)

    def _durations(self) -> Iterator[Metric]:
        median = GaugeMetricFamily(
            "pix_operation_duration_seconds",
            f"Durations of the {estimates.SAMPLE_SIZE} most recently finished operations.",
            labels=["name", "quantile"],
        )
        for name in OPERATIONS:
            measured = estimates.measured(name)
            if measured.samples:
                median.add_metric([name, "0.5"], measured.p50_ms / 1000)
                median.add_metric([name, "0.9"], measured.p90_ms / 1000)
        yield median


class MetricsView(APIView):
    """`GET /metrics` in the Prometheus text format; a scraper sends an API key with the scope `read`."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        if not settings.METRICS_ENABLED:
            raise Http404
        registry = CollectorRegistry(auto_describe=False)
        registry.register(PixCollector())
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


metrics = MetricsView.as_view()

"""The operator's lists and pages for work: jobs, results, workers, queues and what failed."""

from processing.admin import jobs, results, workers

__all__ = ["jobs", "results", "workers"]

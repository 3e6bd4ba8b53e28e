"""The operator's lists and pages for work: jobs, results, workers, queues, models, and what failed."""

from pixproject.web.admin import pix_site
from processing.admin import jobs, pages, results, weights, workers

__all__ = ["jobs", "pages", "results", "weights", "workers"]

pix_site().add_page("failed-work/", pages.failed_work, name="failed_work")
pix_site().add_page("queues/", pages.queues, name="queues")
pix_site().add_page("models/", weights.weights, name="models")

"""The pages of jobs."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from pixproject.web.access import needs, next_path, show_error
from pixproject.web.forms import FormError, read
from processing import phrases
from processing.engine import jobs
from processing.models import Job
from processing.pages import job_presenter
from processing.pages.forms import JobIdsForm, OffsetForm, PollForm, PriorityForm, RetryForm
from processing.states import JobStatus, OperationStatus, Priority

JOBS_PER_PAGE = 20
HISTORY_LIMIT = 30


def _job(job_id: uuid.UUID) -> Job:
    return get_object_or_404(Job.objects.select_related("requested_by", "image"), pk=job_id)


@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    """Everybody's jobs, or one's own, by status."""
    status = request.GET.get("status", "")
    is_mine = request.GET.get("whose") == "mine"
    jobs = job_presenter.jobs_of(request.user) if is_mine else job_presenter.visible_jobs()
    if status in JobStatus.values:
        jobs = jobs.filter(status=status)
    page = Paginator(jobs, JOBS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "cards": job_presenter.cards(page.object_list),
        "statuses": JobStatus.values,
        "status": status,
        "is_mine": is_mine,
    }
    return render(request, "jobs/jobs.html", context)


@require_safe
@never_cache
def job_detail(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    job = _job(job_id)
    context = job_presenter.live_context(job) | {"priorities": Priority.choices, "statuses": OperationStatus}
    return render(request, "jobs/job.html", context)


@require_safe
@never_cache
def job_live(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """The live part of a job's page; it asks for itself until the job is finished."""
    context = job_presenter.live_context(_job(job_id), **read(PollForm(request.GET)))
    context["priorities"] = Priority.choices
    return render(request, "jobs/_live.html", context)


@require_safe
def job_results(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """More results of a job with many."""
    job, offset = _job(job_id), read(OffsetForm(request.GET))["offset"]
    results = job_presenter.results(job, offset=offset)
    is_more = len(results) > job_presenter.RESULTS_PER_PAGE
    context: dict[str, Any] = {
        "job": job,
        "results": results[: job_presenter.RESULTS_PER_PAGE],
        "next_offset": offset + job_presenter.RESULTS_PER_PAGE if is_more else None,
    }
    return render(
        request, "jobs/_results.html" if request.headers.get("HX-Request") else "jobs/results.html", context
    )


@require_safe
@never_cache
def job_card(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """One job in a list; it asks for itself until the job is finished."""
    (card,) = job_presenter.cards([_job(job_id)], **read(PollForm(request.GET)))
    return render(request, "jobs/_card.html", {"card": card})


@require_safe
@never_cache
def job_cards(request: HttpRequest) -> HttpResponse:
    """The jobs that a browser remembers; ids that are unknown here are left out."""
    ids = read(JobIdsForm(request.GET))["ids"]
    jobs = job_presenter.visible_jobs().filter(pk__in=ids[:HISTORY_LIMIT])
    return render(request, "jobs/_cards.html", {"cards": job_presenter.cards(jobs)})


def _back(request: HttpRequest, job: Job) -> HttpResponse:
    if request.headers.get("HX-Request"):  # a card in a list replaces itself
        (card,) = job_presenter.cards([job])
        return render(request, "jobs/_card.html", {"card": card})
    return redirect(next_path(request, reverse("job", args=[job.pk])))


@require_POST
@needs("process")
def job_cancel(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    job = _job(job_id)
    if not jobs.cancel_job(job, actor=request.user):
        messages.info(request, phrases.NOTHING_TO_CANCEL)
    return _back(request, job)


@require_POST
@needs("process")
def job_retry(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Retry the named operation, or all that failed or were cancelled."""
    job = _job(job_id)
    ids = read(RetryForm(request.POST))["operation"]
    if not jobs.retry_job(job, operation_ids=ids or None, actor=request.user):
        messages.info(request, phrases.NOTHING_TO_RETRY)
    return _back(request, job)


@require_POST
@needs("process")
def job_priority(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    job = _job(job_id)
    try:
        priority = read(PriorityForm(request.POST))["priority"]
    except FormError as error:
        show_error(request, error)
    else:
        if not jobs.set_priority(job, priority, actor=request.user):
            messages.info(request, phrases.PRIORITY_TOO_LATE)
    return _back(request, job)

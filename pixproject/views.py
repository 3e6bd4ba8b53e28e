"""The start page, the status page and what belongs to an account."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from api.core.errors import ApiError, ErrorCode
from batches.submission import Submission, submit
from images.models import Image
from pixproject import health
from pixproject.web import access as page_access
from pixproject.web.base import request_id
from processing import queue_metrics, services
from processing.algorithms.errors import ProcessingError
from processing.models import Job
from processing.pages import composer, job_presenter
from processing.states import Priority

RECENT_JOBS = 8
MAX_PRESELECTED = 100


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@vary_on_headers("Accept")
def home(request: HttpRequest) -> HttpResponseBase:
    """Choose pictures and work; programs that ask for JSON get the word about our health."""
    if request.method == "POST":
        return _submit(request)
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        is_ready = health.is_ready()
        return JsonResponse({"status": "ok" if is_ready else "failed"}, status=200 if is_ready else 503)
    return _home_page(request)


def _home_page(request: HttpRequest, *, status: int = 200) -> HttpResponse:
    images = _preselected(request)
    context = {
        "groups": composer.groups(),
        "recipes": composer.RECIPES,
        "chosen_images": images,
        "priorities": Priority.choices,
        "cards": job_presenter.cards(job_presenter.jobs_of(request.user)[:RECENT_JOBS]),
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
        "max_files": settings.MAX_FILES_PER_REQUEST,
        "formats": settings.ALLOWED_EXTENSIONS,
    }
    return render(request, "pages/home.html", context, status=status)


def _preselected(request: HttpRequest) -> list[Image]:
    """The images of the library that the address names: `?images=<id>,<id>`."""
    ids = _uuids(
        request.GET.get("images", "").split(",") if request.method == "GET" else request.POST.getlist("image")
    )
    found = Image.objects.filter(pk__in=ids[:MAX_PRESELECTED], status=Image.Status.READY).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def _uuids(words: list[str]) -> list[uuid.UUID]:
    ids = []
    for word in words:
        try:
            ids.append(uuid.UUID(word))
        except ValueError:
            continue
    return list(dict.fromkeys(ids))


@page_access.needs("process")
def _submit(request: HttpRequest) -> HttpResponse:
    """The form without scripts: everything in one request."""
    try:
        job = _submitted_job(request)
    except (ApiError, ProcessingError) as error:
        page_access.tell(request, error)
        return _home_page(request, status=getattr(error, "status", None) or 400)
    return redirect("job", job_id=job.pk)


def _submitted_job(request: HttpRequest) -> Job:
    steps = composer.steps_from_form(request.POST)
    is_pipeline = request.POST.get("mode") == "pipeline" and len(steps) > 1
    work = services.parse_work(**{"pipeline" if is_pipeline else "operations": steps})
    submission = Submission(
        work=work,
        delivery=_delivery(request),
        files=tuple(request.FILES.getlist("file")),
        image_ids=tuple(_uuids(request.POST.getlist("image"))),
    )
    if not (submission.files or submission.image_ids):
        raise ApiError(ErrorCode.NO_FILE, "Choose at least one picture.")
    return submit(submission)


def _delivery(request: HttpRequest) -> services.Delivery:
    priority = request.POST.get("priority", "")
    return services.Delivery(
        priority=int(priority) if priority in {str(value) for value in Priority.values} else Priority.NORMAL,
        output_folder=request.POST.get("output_folder", "").strip()[:200],
        filename_prefix=request.POST.get("filename_prefix", "").strip()[:100],
        requested_by=request.user,
        source="web",
        request_id=request_id.current(),
    )


def _status_context() -> dict[str, Any]:
    found = health.examine()
    is_database_well = found.checks["database"].status == health.OK
    return {
        "health": found,
        "facts": health.as_json(found),
        "queues": queue_metrics.queue_numbers() if is_database_well else [],
        "workers": list(queue_metrics.live_workers()) if is_database_well else [],
    }


@require_safe
@never_cache
def status(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/status.html", _status_context())


@require_safe
@never_cache
def status_live(request: HttpRequest) -> HttpResponse:
    return render(request, "pages/_status_live.html", _status_context())


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": "This user name and password do not match. Mind upper and lower case.",
        "inactive": "This account is switched off. An administrator can switch it on again.",
    }


class SignIn(auth_views.LoginView):
    authentication_form = SignInForm
    template_name = "account/sign_in.html"
    redirect_authenticated_user = True


class PasswordChange(auth_views.PasswordChangeView):
    template_name = "account/password_change.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed.")
        return super().form_valid(form)

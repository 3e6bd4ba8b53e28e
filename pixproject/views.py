"""The start page, the status page, signing in and passwords."""

from typing import Any

from django import forms
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
from images.phrases import CHOOSE_FILES
from pixproject import health
from pixproject.web import access as page_access
from pixproject.web.base import request_id
from pixproject.web.forms import FileListField, UUIDListField, read
from processing import queue_metrics, services
from processing.algorithms.errors import ProcessingError
from processing.pages import composer, job_presenter
from processing.pages.forms import PriorityField
from processing.states import Priority

RECENT_JOBS = 8
MAX_PRESELECTED = 100


class PreselectedForm(forms.Form):
    images = UUIDListField()


class ChosenForm(forms.Form):
    image = UUIDListField()


class SubmitForm(ChosenForm):
    """The start page's form; the operations in it are read by the composer."""

    file = FileListField()
    priority = PriorityField()
    output_folder = forms.CharField(required=False, max_length=200)
    filename_prefix = forms.CharField(required=False, max_length=100)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@vary_on_headers("Accept")
def home(request: HttpRequest) -> HttpResponseBase:
    """Choose images and operations; programs that ask for JSON get the health instead."""
    if request.method == "POST":
        return _submit(request)
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        is_ready = health.is_ready()
        return JsonResponse({"status": "ok" if is_ready else "failed"}, status=200 if is_ready else 503)
    return _home_page(request)


def _home_page(request: HttpRequest, *, status: int = 200) -> HttpResponse:
    if request.method == "POST":
        ids = read(ChosenForm(request.POST))["image"]
    else:  # those of the library that the address names: `?images=<id>,<id>`
        ids = read(PreselectedForm(request.GET))["images"]
    images = Image.objects.filter(pk__in=ids[:MAX_PRESELECTED], status=Image.Status.READY).in_bulk()
    context = {
        "groups": composer.groups(request.POST if request.method == "POST" else None),
        "recipes": composer.RECIPES,
        "chosen_images": [images[pk] for pk in ids if pk in images],
        "priorities": Priority.choices,
        "cards": job_presenter.cards(job_presenter.jobs_of(request.user)[:RECENT_JOBS]),
        "max_upload_bytes": settings.MAX_UPLOAD_BYTES,
        "max_files": settings.MAX_FILES_PER_REQUEST,
        "formats": settings.ALLOWED_EXTENSIONS,
    }
    return render(request, "pages/home.html", context, status=status)


@page_access.needs("process")
def _submit(request: HttpRequest) -> HttpResponse:
    """The form without scripts: everything in one request."""
    try:
        values = read(SubmitForm(request.POST, request.FILES))
        work = composer.work_of(request.POST)
        delivery = services.Delivery(
            **{name: values[name] for name in ("priority", "output_folder", "filename_prefix")},
            requested_by=request.user,
            source="web",
            request_id=request_id.current(),
        )
        if not (values["file"] or values["image"]):
            raise ApiError(ErrorCode.NO_FILE, CHOOSE_FILES)
        files, image_ids = tuple(values["file"]), tuple(values["image"])
        job = submit(Submission(work=work, delivery=delivery, files=files, image_ids=image_ids))
    except (ApiError, ProcessingError) as error:
        page_access.show_error(request, error)
        return _home_page(request, status=getattr(error, "status", None) or 400)
    return redirect("job", job_id=job.pk)


def _status_context() -> dict[str, Any]:
    report = health.examine()
    is_database_well = report.checks["database"].status == health.OK
    return {
        "health": report,
        "facts": health.as_json(report),
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
        "invalid_login": "The user name or password is wrong. Both are case-sensitive.",
        "inactive": "This account is disabled. Ask an administrator to enable it.",
    }


class SignIn(auth_views.LoginView):
    authentication_form = SignInForm
    template_name = "account/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().post(request, *args, **kwargs)
        except ApiError as error:  # too many wrong passwords: the form stays, with what it says of the time
            form = self.get_form_class()(request)
            form.initial = {"username": request.POST.get("username", "")}
            context = self.get_context_data(form=form, refusal=error.detail)
            return self.render_to_response(context, status=error.status, headers=dict(error.headers))


class PasswordChange(auth_views.PasswordChangeView):
    template_name = "account/password_change.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password was changed.")
        return super().form_valid(form)

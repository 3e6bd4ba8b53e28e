"""Who may use a page: the same scopes as the API, refused with a sentence for people."""

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme

from api.access.permissions import has_scope
from api.core.errors import ApiError
from processing.algorithms.errors import ProcessingError

View = Callable[..., HttpResponseBase]
REFUSALS = {
    "write": "Your account can view images but not change them.",
    "process": "Your account cannot start, stop or change jobs.",
    "admin": "Only administrators can do this.",
}


def needs(scope: str) -> Callable[[View], View]:
    """Let only people with `scope` in; the others read what they lack."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not has_scope(request.user, scope):
                raise PermissionDenied(f"{REFUSALS[scope]} Ask an administrator for the scope “{scope}”.")
            return view(request, *args, **kwargs)

        return checked

    return decorate


def refusal_sentence(error: ApiError | ProcessingError) -> str:
    return str(error.detail)


def show_error(request: HttpRequest, error: ApiError | ProcessingError) -> None:
    """Show a refusal on the next page."""
    messages.error(request, refusal_sentence(error))


def shows_refusals(
    page: View, *, sentence: Callable[[ApiError | ProcessingError], str] = refusal_sentence
) -> Callable[[View], View]:
    """Show what a service refuses as a message on the page that `page` answers with, called as the view was."""

    def decorate(view: View) -> View:
        @wraps(view)
        def shown(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except (ApiError, ProcessingError) as error:
                messages.error(request, sentence(error))
                return page(request, *args, **kwargs)

        return shown

    return decorate


def next_path(request: HttpRequest, default: str) -> str:
    """Where a form asks to go afterwards, when that is on this site."""
    target = request.POST.get("next", "")
    is_here = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    return target if is_here and target.startswith("/") else default

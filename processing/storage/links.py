"""Links to results that work without signing in: the signature is the permission, and it expires."""

import time
import uuid
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from api.core.errors import ApiError, ErrorCode
from processing import files
from processing.algorithms.codecs.formats import FORMATS
from processing.models import OperationArtifact
from processing.storage import serving

SALT = "pix.links"


def signed_url(link: OperationArtifact) -> tuple[str, datetime]:
    """An address of a result for whoever holds it, and when it ends."""
    expires = int(time.time()) + settings.PRESIGNED_URL_EXPIRY_SECONDS
    expires_at = datetime.fromtimestamp(expires, UTC)
    if not files.is_local():
        return _presigned(link), expires_at
    path = reverse("linked-file", args=[link.pk, link.name])
    return (
        f"{path}?{urlencode({'expires': expires, 'signature': _sign(link.pk, link.name, expires)})}",
        expires_at,
    )


def _presigned(link: OperationArtifact) -> str:
    disposition = f"attachment; filename*=UTF-8''{quote(link.name)}"
    parameters = {
        "ResponseContentDisposition": disposition,
        "ResponseContentType": FORMATS[link.artifact.format].mime_type,
    }
    return default_storage.url(link.artifact.file, parameters=parameters)  # type: ignore[call-arg]


def _sign(link_id: uuid.UUID, name: str, expires: int) -> str:
    return salted_hmac(SALT, f"{link_id}:{expires}:{name}", algorithm="sha256").hexdigest()


def _check(link_id: uuid.UUID, name: str, expires: str, signature: str) -> None:
    is_number = expires.isascii() and expires.isdigit() and len(expires) < 12 and not expires.startswith("0")
    if not is_number or not constant_time_compare(signature, _sign(link_id, name, int(expires))):
        raise ApiError(ErrorCode.LINK_INVALID, "This link is incomplete or was changed.")
    if int(expires) < time.time():
        ended = datetime.fromtimestamp(int(expires), UTC).isoformat()
        raise ApiError(
            ErrorCode.LINK_INVALID, f"This link expired at {ended}. Request the job again to get a new link."
        )


@login_not_required
@csrf_exempt  # it only reads; so that other methods are answered 405
@require_safe
def linked_file(request: HttpRequest, link_id: uuid.UUID, name: str) -> HttpResponseBase:
    """A result's bytes for the holder of a signed link."""
    try:
        _check(link_id, name, request.GET.get("expires", ""), request.GET.get("signature", ""))
        return artifact_response(request, link_id)
    except ApiError as error:
        return serving.refusal(error)


def artifact_response(request: HttpRequest, link_id: uuid.UUID) -> HttpResponseBase:
    """A result's bytes; raises ApiError when it was removed."""
    link = OperationArtifact.objects.select_related("artifact").filter(pk=link_id).first()
    if link is None:
        raise ApiError(
            ErrorCode.NOT_FOUND, "This result does not exist; it may have been removed by a clean-up."
        )
    return serving.serve_file(
        request,
        link.artifact.file,
        content_type=FORMATS[link.artifact.format].mime_type,
        filename=link.name,
        etag=link.artifact.sha256,
        is_attachment="download" in request.GET,
    )

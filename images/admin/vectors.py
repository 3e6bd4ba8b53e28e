"""Vectors in the admin: which an image has, what is near it, and the action that makes them again."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from api.core.errors import ApiError
from images.models import Image
from images.pages.similar import similar_context
from images.vectors import embeddings
from pixproject.web.admin import go_back


def vectors_context(image: Image) -> dict[str, Any]:
    """The rows of an image's vectors, whether each can still be compared, and the nearest images."""
    rows = image.embeddings.defer("vector").order_by("model")
    return {"vectors": [(row, embeddings.is_current(row)) for row in rows], **similar_context(image)}


class VectorActions:
    """Mixed into the images' admin."""

    @action(description="Re-embed", permissions=["process"])
    def reembed(self, request: HttpRequest, queryset: QuerySet[Image]) -> HttpResponse | None:
        chosen = list(queryset)
        whole = [image for image in chosen if image.status == Image.Status.READY]
        if whole:
            try:
                job = embeddings.submit_embeddings(
                    whole, requested_by=request.user, source=Image.Source.ADMIN
                )
            except ApiError as error:
                messages.error(request, error.detail)
                return go_back(request)
            self.audit(request, "image.embed", job, {"images": len(whole)})  # type: ignore[attr-defined]
        self.say(  # type: ignore[attr-defined]
            request, len(whole), len(chosen), "queued for embedding", why_not="not ready"
        )
        return go_back(request)

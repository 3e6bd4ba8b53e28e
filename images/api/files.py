"""Parts of one image over REST: bytes, thumbnails, metadata, results, jobs, history."""

from typing import Any
from urllib.parse import quote

from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.permissions import has_scope
from api.core.errors import ApiError, ErrorCode
from api.core.requests import FlagField, QuerySerializer
from api.core.schema import image_bytes
from api.models import AuditEvent, Scope
from images import damage, renditions
from images.models import Image
from images.serializers import HistorySerializer, MetadataSerializer
from processing import files
from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.metadata.position import without_position
from processing.models import Job, OperationArtifact
from processing.phrases import NO_ORIGINAL
from processing.serializers import ArtifactSerializer, JobListSerializer
from processing.storage.serving import ALTERED, serve_file

BYTES = image_bytes()
THUMBNAIL_SECONDS = 86_400
STAND_IN_SECONDS = 60  # of a thumbnail that was not asked for: the right one may be there soon


def original(request: HttpRequest, image: Image, *, sees_position: bool) -> HttpResponseBase:
    """The original's bytes, only ever as attachment: they are foreign. Who may not see its position gets it without."""
    if image.status == Image.Status.PURGED:
        raise ApiError(ErrorCode.GONE, "The image was purged; its files are gone.")
    if damage.note(image) == damage.MISSING:
        raise ApiError(ErrorCode.FILE_MISSING, NO_ORIGINAL)
    hides_position = image.gps is not None and not sees_position
    response = serve_file(
        request,
        image.file,
        content_type=FORMATS[image.format].mime_type,
        filename=image.original_filename,
        etag=f"{image.sha256}-no-gps" if hides_position else image.sha256,
        is_attachment=True,
        alter=without_position if hides_position else None,
    )
    if hides_position:
        response.headers[ALTERED] = "gps"
    return response


def wants_bytes(request: Request) -> bool:
    """Whether the Accept header names an image type first."""
    return request.headers.get("Accept", "").lstrip().lower().startswith("image/")


class FileQuery(QuerySerializer):
    redirect = FlagField(
        required=False, default=False, help_text="If storage is remote, redirect (302) to a signed URL."
    )


@extend_schema_field({"type": "integer", "enum": renditions.sizes(), "default": 256})
class SizeField(serializers.IntegerField):
    """One of the sizes that are configured; `renditions.thumbnail` checks it."""


class ThumbnailQuery(QuerySerializer):
    size = SizeField(required=False, default=256, help_text="Longest side in pixels.")
    format = serializers.ChoiceField(
        choices=["auto", *renditions.FORMATS],
        required=False,
        default="auto",
        help_text="auto: by the header Accept.",
    )


class ImageParts:
    """Mixed into the view set of images."""

    @extend_schema(
        responses=BYTES,
        parameters=[FileQuery],
    )
    @action(detail=True)
    def file(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The original, byte for byte, as an attachment.

        Callers without the scope write get it without its position (GPS), which the header `X-Pix-Altered: gps` says.
        """
        image = self.get_object()  # type: ignore[attr-defined]
        sees_position = has_scope(request, Scope.WRITE)
        may_redirect = sees_position or image.gps is None
        if FileQuery.read(request)["redirect"] and may_redirect and not files.is_local() and image.file:
            parameters = {
                "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(image.original_filename)}",
                "ResponseContentType": FORMATS[image.format].mime_type,
            }
            return HttpResponseRedirect(default_storage.url(image.file, parameters=parameters))  # type: ignore[call-arg]
        return original(request._request, image, sees_position=sees_position)

    @extend_schema(
        responses=BYTES,
        parameters=[ThumbnailQuery],
    )
    @action(detail=True)
    def thumbnail(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """A small image, upright and without metadata; created on request if it is missing."""
        image = self.get_object()  # type: ignore[attr-defined]
        query = ThumbnailQuery.read(request)
        size, format = query["size"], query["format"]
        if format == "auto":  # WebP for whoever says that it is understood, else JPEG
            format = "webp" if "image/webp" in request.headers.get("Accept", "") else "jpg"
        rendition = renditions.thumbnail(image, size=size, format=format)
        is_asked = (rendition.size, rendition.format) == (size, format)
        return serve_file(
            request._request,
            rendition.file,
            content_type=FORMATS[rendition.format].mime_type,
            filename=f"{image.pk}-{rendition.size}.{rendition.format}",
            etag=f"{image.sha256[:32]}-{rendition.size}-{rendition.format}",
            is_attachment=False,
            max_age_s=THUMBNAIL_SECONDS if is_asked else STAND_IN_SECONDS,
            vary=("Accept",),
        )

    @extend_schema(responses=MetadataSerializer)
    @action(detail=True)
    def metadata(self, request: Request, pk: str | None = None) -> Response:
        """Metadata of the file: EXIF with readable names and raw; the location requires the scope write."""
        image = self.get_object()  # type: ignore[attr-defined]
        return Response(MetadataSerializer(image, context={"request": request}).data)

    @extend_schema(responses=ArtifactSerializer(many=True), filters=False)
    @action(detail=True)
    def artifacts(self, request: Request, pk: str | None = None) -> Response:
        """Results made from this image, newest first."""
        made = OperationArtifact.objects.filter(operation__image=self.get_object())  # type: ignore[attr-defined]
        return self._page(
            made.select_related("artifact", "operation").order_by("-operation_id", "role"), ArtifactSerializer
        )

    @extend_schema(responses=JobListSerializer(many=True), filters=False)
    @action(detail=True)
    def jobs(self, request: Request, pk: str | None = None) -> Response:
        """Jobs for this image, newest first."""
        image = self.get_object()  # type: ignore[attr-defined]
        jobs = Job.objects.filter(pk__in=image.operations.values("job")).select_related("requested_by")
        return self._page(jobs.order_by("-created_at", "-id"), JobListSerializer)

    @extend_schema(responses=HistorySerializer(many=True), filters=False)
    @action(detail=True)
    def history(self, request: Request, pk: str | None = None) -> Response:
        """Who did what to this image, newest first."""
        image = self.get_object()  # type: ignore[attr-defined]
        return self._page(
            AuditEvent.objects.filter(target_type="image", target_id=str(image.pk)), HistorySerializer
        )

    def _page(self, rows: QuerySet[Any], serializer: type) -> Response:
        page = self.paginate_queryset(rows)  # type: ignore[attr-defined]
        context = {"request": self.request}  # type: ignore[attr-defined]
        answer: Response = self.get_paginated_response(serializer(page, many=True, context=context).data)  # type: ignore[attr-defined]
        return answer

"""Results over REST: find, download, compare with the source."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.errors import ApiError, ErrorCode
from api.core.schema import image_bytes
from processing import files
from processing.algorithms.codecs.formats import FORMATS
from processing.algorithms.codecs.probing import Limits
from processing.engine.subprocesses import run_isolated
from processing.filters import ArtifactFilter
from processing.models import OperationArtifact
from processing.serializers import ArtifactSerializer
from processing.storage import serving
from processing.tasks.comparison import compare_files

CACHE_SECONDS = 86_400


class ComparisonSerializer(serializers.Serializer):
    artifact = serializers.UUIDField()
    image = serializers.UUIDField()
    psnr_db = serializers.FloatField(allow_null=True)
    ssim = serializers.FloatField(allow_null=True)
    is_identical = serializers.BooleanField()
    note = serializers.CharField()
    source_byte_size = serializers.IntegerField()
    byte_size = serializers.IntegerField()
    saved_bytes = serializers.IntegerField()
    saved_percent = serializers.FloatField()


class ArtifactViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = OperationArtifact.objects.select_related("artifact", "operation__image").order_by(
        "-operation_id", "role"
    )
    serializer_class = ArtifactSerializer
    filterset_class = ArtifactFilter
    lookup_value_regex = "[0-9a-fA-F-]{36}"

    @extend_schema(responses=image_bytes())
    @action(detail=True)
    def file(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The result's bytes, as an attachment."""
        return result_response(request._request, self.get_object())

    @extend_schema(responses=ComparisonSerializer)
    @action(detail=True)
    def compare(self, request: Request, pk: str | None = None) -> Response:
        """How far the result is from its source (PSNR, SSIM) and how many bytes it saves."""
        return Response(comparison(self.get_object()))


def result_response(request: HttpRequest, link: OperationArtifact) -> HttpResponseBase:
    """A result as a download under the name that its request asked for."""
    return serving.serve_file(
        request,
        link.artifact.file,
        content_type=FORMATS[link.artifact.format].mime_type,
        filename=link.name,
        etag=link.artifact.sha256,
        is_attachment=True,
    )


def comparison(link: OperationArtifact) -> dict[str, Any]:
    """Measured once and remembered: neither file ever changes."""
    image, artifact = link.operation.image, link.artifact
    if image is None or not files.has_size(image.file, image.byte_size):
        raise ApiError(ErrorCode.GONE, "The source image was removed; there is nothing to compare with.")
    if not files.has_size(artifact.file, artifact.byte_size):
        raise ApiError(ErrorCode.FILE_MISSING, "The stored file is missing.")
    key = f"comparison:{image.sha256}:{artifact.sha256}"
    measured = cache.get(key)
    if measured is None:
        with files.local_copy(image.file) as source, files.local_copy(artifact.file) as result:
            compared = run_isolated(
                compare_files,
                source,
                result,
                result_limits(),
                timeout_s=settings.DECODE_TIMEOUT_SECONDS,
                memory_bytes=settings.DECODE_MEMORY_BYTES,
            )
        measured = asdict(compared)
        cache.set(key, measured, CACHE_SECONDS)
    saved = image.byte_size - artifact.byte_size
    return {
        "artifact": str(link.pk),
        "image": str(image.pk),
        **measured,
        "source_byte_size": image.byte_size,
        "byte_size": artifact.byte_size,
        "saved_bytes": saved,
        "saved_percent": round(100 * saved / image.byte_size, 1),
    }


def result_limits() -> Limits:
    """Results may be of any format that Pix writes and, stored plainly, larger than an upload may be."""
    return Limits(
        max_bytes=2**40,
        max_pixels=settings.MAX_IMAGE_PIXELS,
        max_side_px=settings.MAX_IMAGE_SIDE,
        max_frames=settings.MAX_FRAMES,
        formats=frozenset(FORMATS),
    )

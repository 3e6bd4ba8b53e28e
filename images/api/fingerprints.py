"""What images of the kind fingerprint have in addition, over REST."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request

from images.quality.fingerprints import MAP_SECONDS, VERSION, ridge_map_png


class FingerprintParts:
    """Mixed into the view set of images: what only fingerprints have."""

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    @action(detail=True, url_path="ridge-map")
    def ridge_map(self, request: Request, pk: str | None = None) -> HttpResponse:
        """The ridges as PNG: position, direction and clarity (longer and greener is clearer)."""
        image = self.get_object()  # type: ignore[attr-defined]
        answer = HttpResponse(ridge_map_png(image), content_type="image/png")
        answer["ETag"] = f'"{image.sha256[:32]}-{VERSION}"'
        answer["Cache-Control"] = f"private, max-age={MAP_SECONDS}"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

"""How requests for a batch are read: checked fields, the version that the caller saw, images by id or filter."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from api.core.errors import ErrorCode, invalid_field
from api.core.requests import IdempotentSerializer
from batches.history.changes import ExpectedVersion
from images.api.filters import chosen
from images.services import library

MAX_IDS = 10_000
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description='The version that you saw, from the header ETag, such as `"7"`. 412 if the batch has changed.',
)
_VERSION = re.compile(r'(?:W/)?"(\d{1,9})"|(\d{1,9})')


class VersionedSerializer(IdempotentSerializer):
    """A change of the groups, bound to the version that the caller saw: see `expected_version`."""

    read_elsewhere = (*IdempotentSerializer.read_elsewhere, "version")

    version = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        help_text="The version that you saw: 409 if the batch has changed since. See also the header If-Match.",
    )


def ids_field(**options: Any) -> serializers.ListField:
    """A list of image ids."""
    return serializers.ListField(child=serializers.UUIDField(), max_length=MAX_IDS, **options)


class ImageIdsSerializer(VersionedSerializer):
    image_ids = ids_field(allow_empty=False)


class ChosenImagesSerializer(VersionedSerializer):
    """Images by their ids, or all that match filters of the image list."""

    image_ids = ids_field(required=False)
    filter = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text=f"Filters of `GET /api/images/` instead of ids; at most {MAX_IDS} images.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "image_ids" in attrs and "filter" in attrs:
            raise serializers.ValidationError({"image_ids": "Send either image_ids or filter."})
        return attrs


def chosen_ids(values: Mapping[str, Any], request: Request) -> list[UUID]:
    """The images that a request names by ids or by a filter; none where it names none."""
    if "filter" not in values:
        return list(values.get("image_ids", ()))
    images = chosen(values["filter"], queryset=library(), request=request)
    return list(images.values_list("pk", flat=True))


def expected_version(request: Request) -> ExpectedVersion | None:
    """The version that the caller saw, by the header `If-Match` or the field `version`.

    Raises:
        ApiError: 400 if either is not a version.
    """
    text = request.headers.get("If-Match")
    if text is not None and text.strip() != "*":
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            detail = f'{text[:50]!r} is not a valid version. Send one such as "7".'
            raise invalid_field("If-Match", detail, code=ErrorCode.MALFORMED)
        return ExpectedVersion(int(match[1] or match[2]))
    data: Any = request.data
    version = data.get("version") if isinstance(data, Mapping) else None
    if version is None:
        return None
    field = VersionedSerializer().fields["version"]
    try:
        return ExpectedVersion(field.run_validation(version), is_header=False)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"version": error.detail}) from None

"""How requests for a batch are read: checked fields, the version that the caller saw, images by id or filter."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from api.core.errors import ErrorCode, invalid_field
from api.core.requests import IdempotentSerializer, body_of
from batches.history.changes import ExpectedVersion
from images.api.filters import chosen
from images.api.selection import SelectionSerializer, filters_of
from images.selection import check_expected
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


class ChosenImagesSerializer(SelectionSerializer, VersionedSerializer):
    """Images by their ids, by filters of the image list, or all."""

    ids_name = "image_ids"
    is_choice_required = False

    image_ids = ids_field(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self.check_selection(attrs, is_required=self.is_choice_required)
        return attrs


class AddedImagesSerializer(ChosenImagesSerializer):
    """Images to add, chosen in one of these ways."""

    is_choice_required = True

    image_ids = ids_field(required=False, allow_empty=False)


def chosen_ids(values: Mapping[str, Any], request: Request) -> list[UUID]:
    """The images that a request chooses; none where it chooses none.

    Raises:
        ApiError: 400 for a wrong filter, 409 where they are not as many as the request expects.
    """
    if (filters := filters_of(values)) is None:
        ids = list(values.get("image_ids", ()))
    else:
        images = chosen(filters, queryset=library(), request=request)
        ids = list(images.values_list("pk", flat=True))
    check_expected(len(ids), values.get("expected"))
    return ids


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
    version = body_of(request).get("version")
    if version is None:
        return None
    field = VersionedSerializer().fields["version"]
    try:
        return ExpectedVersion(field.run_validation(version), is_header=False)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({"version": error.detail}) from None

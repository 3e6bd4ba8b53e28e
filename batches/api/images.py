"""The images of a batch: list, add, upload, remove."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.errors import ApiError, ErrorCode
from api.core.idempotency import idempotent
from api.core.pagination import PageQuery
from api.core.requests import FlagField, takes_files
from batches import services
from batches.api.requests import (
    IF_MATCH,
    AddedImagesSerializer,
    ImageIdsSerializer,
    chosen_ids,
    expected_version,
)
from batches.api.responses import ChangedSerializer, changed, etag
from batches.groups.queries import in_group
from batches.history.changes import Step
from batches.models import Batch, BatchImage
from batches.serializers import MemberSerializer, members_json
from images.api.uploads import UploadSerializer, upload
from images.api.viewset import UPLOADED, UUID_PATTERN
from images.serializers import UploadedImageSerializer, UploadResultsSerializer
from images.services import scores


class AddedSerializer(ChangedSerializer):
    added = serializers.IntegerField(help_text="Images that were not in the batch yet.")
    image_count = serializers.IntegerField()


ADDED = PolymorphicProxySerializer(
    component_name="AddedOrUpload",
    serializers=[AddedSerializer, UploadedImageSerializer, UploadResultsSerializer],
    resource_type_field_name=None,
)


class RemovedSerializer(ChangedSerializer):
    removed = serializers.IntegerField()
    image_count = serializers.IntegerField()


class MembersQuery(PageQuery):
    group = serializers.CharField(
        required=False, max_length=64, help_text="A group's label, or `unassigned`."
    )
    decision = serializers.ChoiceField(choices=BatchImage.Decision.values, required=False)
    locked = FlagField(required=False)


class ImagesActions:
    """Mixed into the view set of batches."""

    get_object: Any
    paginate_queryset: Any
    get_paginated_response: Any

    @extend_schema(
        responses=MemberSerializer(many=True),
        filters=False,
        parameters=[MembersQuery],
    )
    @action(detail=True)
    def images(self, request: Request, pk: str) -> Response:
        """The batch's images in their order, each with its place in the batch."""
        batch, asked = self.get_object(), MembersQuery.read(request)
        members = members_of(batch).filter(
            in_group(batch, asked.get("group"), field="group"),
            **{name: asked[name] for name in ("decision", "locked") if name in asked},
        )
        response: Response = self.get_paginated_response(
            members_json(self.paginate_queryset(members), request)
        )
        response["ETag"] = etag(batch.version)["ETag"]
        return response

    @extend_schema(
        request={"application/json": AddedImagesSerializer, "multipart/form-data": UploadSerializer},
        parameters=[IF_MATCH],
        responses={
            200: OpenApiResponse(ADDED, "What was added; for files, the same as POST /api/images/."),
            201: OpenApiResponse(UPLOADED, "For files, at least one of which is new."),
        },
    )
    @images.mapping.post
    @takes_files()
    @idempotent
    def add_images(self, request: Request, pk: str) -> Response:
        """Add images by `image_ids`, by a `filter` of the image list or `all`, or upload files into the batch."""
        batch = self.get_object()
        if request.FILES:
            return upload(request, batch=batch)
        values = AddedImagesSerializer.read(request)
        image_ids = chosen_ids(values, request)
        step = services.add_images(
            batch, image_ids, actor=request.user, expected_version=expected_version(request)
        )
        return _counted(batch, step, "added")

    @extend_schema(request=ImageIdsSerializer, parameters=[IF_MATCH], responses=RemovedSerializer)
    @action(detail=True, methods=["POST"], url_path="images/remove")
    @idempotent
    def remove_images(self, request: Request, pk: str) -> Response:
        """Remove images from the batch; they stay in the library."""
        batch = self.get_object()
        image_ids = ImageIdsSerializer.read(request)["image_ids"]
        step = services.remove_images(
            batch, image_ids, actor=request.user, expected_version=expected_version(request)
        )
        return _counted(batch, step, "removed")

    @extend_schema(parameters=[IF_MATCH], responses={204: None})
    @action(detail=True, methods=["DELETE"], url_path=f"images/(?P<image_id>{UUID_PATTERN})")
    def remove_image(self, request: Request, pk: str, image_id: str) -> Response:
        """Remove one image from the batch."""
        batch = self.get_object()
        version = expected_version(request)
        if not batch.batch_images.filter(image=image_id).exists():
            raise ApiError(ErrorCode.NOT_FOUND, f"The image {image_id} is not in this batch.")
        services.remove_images(batch, [UUID(image_id)], actor=request.user, expected_version=version)
        return Response(status=204, headers=etag(batch.version))


def members_of(batch: Batch) -> QuerySet[BatchImage]:
    """The batch's images with what their JSON shows, in three queries whatever their number."""
    rows = BatchImage.objects.filter(batch=batch).present().select_related("image__uploaded_by", "group")
    rows = rows.defer("image__exif_raw").prefetch_related(scores("image__quality_scores"))
    return rows.order_by("position", "id")


def _counted(batch: Batch, step: Step, name: str) -> Response:
    total = batch.batch_images.present().count()
    return changed(batch, step.change, **{name: step.count}, image_count=total)

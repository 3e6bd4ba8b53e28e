"""Batches over REST."""

from typing import Any
from uuid import UUID

from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, ErrorCode
from api.idempotency import idempotent
from api.serializers import StrictSerializer
from batches import services
from batches.models import Batch
from images.api import UUID_PATTERN
from images.models import Image
from images.serializers import ImageSerializer, UploadResultsSerializer, UploadSerializer
from images.services import listed, with_scores
from images.upload_api import upload

MAX_IDS = 10_000


class BatchSerializer(serializers.ModelSerializer):
    """A named set of images."""

    owner = serializers.SerializerMethodField()
    image_count = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Batch
        fields = [
            "id",
            "batch_name",
            "status",
            "parameters",
            "note",
            "owner",
            "image_count",
            "created_at",
            "updated_at",
            "links",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_owner(self, batch: Batch) -> str | None:
        return batch.owner.get_username() if batch.owner else None

    def get_image_count(self, batch: Batch) -> int:
        counted = getattr(batch, "image_count", None)
        return batch.batch_images.count() if counted is None else int(counted)

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_links(self, batch: Batch) -> dict[str, str]:
        path = f"/api/batches/{batch.pk}/"
        return {"self": path, "images": f"{path}images/", "jobs": f"/api/jobs/?batch={batch.pk}"}


class ImageIdsSerializer(StrictSerializer):
    extra_fields = ("idempotency_key",)

    image_ids = serializers.ListField(child=serializers.UUIDField(), allow_empty=False, max_length=MAX_IDS)


class BatchChangesSerializer(StrictSerializer):
    batch_name = serializers.CharField(required=False, max_length=services.MAX_NAME)
    note = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    parameters = serializers.DictField(required=False)


class NewBatchSerializer(BatchChangesSerializer):
    extra_fields = ("idempotency_key",)

    batch_name = serializers.CharField(max_length=services.MAX_NAME)
    image_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_IDS)


class AddedSerializer(serializers.Serializer):
    added = serializers.IntegerField()
    image_count = serializers.IntegerField()


class RemovedSerializer(serializers.Serializer):
    removed = serializers.IntegerField()
    image_count = serializers.IntegerField()


class BatchFilter(filters.FilterSet):
    status = filters.ChoiceFilter(choices=Batch.Status.choices)
    owner = filters.CharFilter("owner__username", max_length=150)
    batch_name = filters.CharFilter("batch_name", max_length=200)
    image = filters.ModelChoiceFilter(field_name="batch_images__image", queryset=Image.objects.all())
    search = filters.CharFilter("batch_name", "icontains", max_length=200)
    created_after = filters.IsoDateTimeFilter("created_at", "gte")
    created_before = filters.IsoDateTimeFilter("created_at", "lt")
    ordering = filters.OrderingFilter(fields=[("created_at", "created_at"), ("batch_name", "batch_name")])

    class Meta:
        model = Batch
        fields: list[str] = []


@extend_schema(tags=["batches"])
class BatchViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Named sets of images that are worked on as one."""

    queryset = services.listed(Batch.objects.present())
    serializer_class = BatchSerializer
    filterset_class = BatchFilter
    lookup_value_regex = UUID_PATTERN

    @extend_schema(request=NewBatchSerializer, responses={201: BatchSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        asked = _checked(NewBatchSerializer, request)
        batch = services.create_batch(owner=request.user, **asked)
        return Response(
            BatchSerializer(batch).data, status=201, headers={"Location": f"/api/batches/{batch.pk}/"}
        )

    @extend_schema(request=BatchChangesSerializer, responses=BatchSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        changes = _checked(BatchChangesSerializer, request)
        batch = services.update_batch(self.get_object(), actor=request.user, values=changes)
        return Response(BatchSerializer(batch).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete the batch; its images stay."""
        services.delete_batch(self.get_object(), actor=request.user)
        return Response(status=204)

    @extend_schema(responses=ImageSerializer(many=True), filters=False)
    @action(detail=True)
    def images(self, request: Request, pk: str) -> Response:
        """The batch's images in their order."""
        images = with_scores(listed(Image.objects.filter(batch_images__batch=self.get_object())))
        page = self.paginate_queryset(images.order_by("batch_images__position", "batch_images__id"))
        return self.get_paginated_response(
            ImageSerializer(page, many=True, context={"request": request}).data
        )

    @extend_schema(
        request={"application/json": ImageIdsSerializer, "multipart/form-data": UploadSerializer},
        responses={
            200: AddedSerializer,
            201: OpenApiResponse(UploadResultsSerializer, "For files: as POST /api/images/."),
        },
    )
    @images.mapping.post
    @idempotent
    def add_images(self, request: Request, pk: str) -> Response:
        """Add images by `image_ids`, or upload files into the batch."""
        batch = self.get_object()
        if request.FILES:
            return upload(request, batch=batch)
        added = services.add_images(
            batch, _checked(ImageIdsSerializer, request)["image_ids"], actor=request.user
        )
        return Response({"added": added, "image_count": batch.batch_images.count()})

    @extend_schema(request=ImageIdsSerializer, responses=RemovedSerializer)
    @action(detail=True, methods=["POST"], url_path="images/remove")
    def remove_images(self, request: Request, pk: str) -> Response:
        """Take images out of the batch; they stay in the library."""
        batch = self.get_object()
        wanted = _checked(ImageIdsSerializer, request)["image_ids"]
        removed = services.remove_images(batch, wanted, actor=request.user)
        return Response({"removed": removed, "image_count": batch.batch_images.count()})

    @extend_schema(responses={204: None})
    @action(detail=True, methods=["DELETE"], url_path=f"images/(?P<image_id>{UUID_PATTERN})")
    def remove_image(self, request: Request, pk: str, image_id: str) -> Response:
        """Take one image out of the batch."""
        if not services.remove_images(self.get_object(), [UUID(image_id)], actor=request.user):
            raise ApiError(ErrorCode.NOT_FOUND, f"The image {image_id} is not in this batch.")
        return Response(status=204)


def _checked(serializer_class: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)

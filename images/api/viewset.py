"""Images over REST."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.permissions import has_scope, require_scope
from api.core.errors import ApiError, ErrorCode, FieldError
from api.core.idempotency import idempotent
from api.core.requests import FlagField, NoFieldsSerializer, QuerySerializer, StrictSerializer, takes_files
from api.models import Scope
from batches.services import add_images, open_batch
from images import services
from images.api.files import ImageParts, original, wants_bytes
from images.api.filters import ImageFilter, chosen
from images.api.fingerprints import FingerprintParts
from images.api.quality import QualityParts
from images.api.selection import SelectionSerializer, filters_of
from images.api.similar import FeaturesQuery, FeaturesSerializer, SimilarParts, features
from images.api.uploads import UploadSerializer, upload
from images.ingest.receive import MAX_REFERENCE, MAX_TAG, MAX_TAGS
from images.models import Image
from images.selection import check_expected
from images.serializers import (
    BulkResultSerializer,
    ImageSerializer,
    UploadedImageSerializer,
    UploadResultsSerializer,
)
from processing.api.waiting import accepted
from processing.api.work import WorkSerializer, delivery_of
from processing.serializers import JobSerializer
from processing.services import submit_work

UUID_PATTERN = "[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"


class ImageChangesSerializer(StrictSerializer):
    """The fields of an image that can be changed."""

    title = serializers.CharField(required=False, allow_blank=True, max_length=200)
    note = serializers.CharField(required=False, allow_blank=True, max_length=services.MAX_NOTE)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TAG), required=False, max_length=MAX_TAGS
    )
    kind = serializers.ChoiceField(choices=Image.Kind.choices, required=False)
    pinned = serializers.BooleanField(required=False)
    reference = serializers.CharField(required=False, allow_blank=True, max_length=MAX_REFERENCE)
    metadata = serializers.DictField(required=False)


class PurgeQuery(QuerySerializer):
    purge = FlagField(
        required=False, default=False, help_text="Remove the files for good; requires the scope admin."
    )


class BulkSerializer(SelectionSerializer, WorkSerializer):
    """One action on many images, chosen by ids, by filters of the list, or all of them."""

    action = serializers.ChoiceField(choices=["delete", "restore", "tag", "process", "add_to_batch"])
    ids = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_empty=False, max_length=10_000
    )
    tags = serializers.ListField(child=serializers.CharField(max_length=MAX_TAG), required=False)
    remove_tags = serializers.ListField(child=serializers.CharField(max_length=MAX_TAG), required=False)
    batch = serializers.UUIDField(required=False, help_text="For add_to_batch.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        self.check_selection(attrs, is_required=True)
        if attrs["action"] == "tag" and not (attrs.get("tags") or attrs.get("remove_tags")):
            raise serializers.ValidationError({"tags": "The action tag requires tags or remove_tags."})
        if (attrs["action"] == "add_to_batch") != ("batch" in attrs):
            raise serializers.ValidationError(
                {"batch": "batch is required for the action add_to_batch and not allowed otherwise."}
            )
        if attrs["action"] != "process":
            return attrs
        return super().validate(attrs)


UPLOADED = PolymorphicProxySerializer(
    component_name="Upload",
    serializers=[UploadedImageSerializer, UploadResultsSerializer],
    resource_type_field_name=None,
)


@extend_schema(tags=["images"])
class ImageViewSet(
    ImageParts, FingerprintParts, QualityParts, SimilarParts, mixins.ListModelMixin, viewsets.GenericViewSet
):
    """Original images: upload, find, describe, download, trash, restore."""

    queryset = services.with_scores(services.listed(Image.objects.all()))
    serializer_class = ImageSerializer
    filterset_class = ImageFilter
    lookup_value_regex = UUID_PATTERN

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        responses={
            201: OpenApiResponse(
                UPLOADED,
                "At least one file is new. The image of a single file, or a result for each of several.",
            ),
            200: OpenApiResponse(UPLOADED, "The same if all files were already in the library."),
        },
    )
    @takes_files(or_json=False)
    @idempotent
    def create(self, request: Request) -> Response:
        """Upload one image or several, as multipart parts named `file`."""
        return upload(request)

    @extend_schema(responses=FeaturesSerializer, parameters=[FeaturesQuery])
    def retrieve(self, request: Request, pk: str) -> HttpResponseBase:
        """The image's JSON, with its vector for `?include=features`; its bytes for `Accept: image/*`."""
        image, query = self.get_object(), FeaturesQuery.read(request)
        if wants_bytes(request):
            return original(request._request, image, sees_position=has_scope(request, Scope.WRITE))
        return Response({**self.get_serializer(image).data, **features(image, query)})

    @extend_schema(request=ImageChangesSerializer, responses=ImageSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the description of the image."""
        changes = ImageChangesSerializer.read(request)
        image = services.update(self.get_object(), actor=request.user, changes=changes)
        return Response(self.get_serializer(image).data)

    @extend_schema(
        parameters=[PurgeQuery],
        responses={204: None},
    )
    def destroy(self, request: Request, pk: str) -> Response:
        """Move the image to the trash."""
        is_purge = PurgeQuery.read(request)["purge"]
        if is_purge:
            require_scope(request, Scope.ADMIN)
        image = self.get_object()
        done = (services.purge if is_purge else services.trash)(image, actor=request.user)
        if not done and image.status == Image.Status.PURGED:
            raise ApiError(ErrorCode.GONE, "The image has already been purged.")
        return Response(status=204)  # a second DELETE finds it deleted, which is what was asked for

    @extend_schema(request=None, responses=ImageSerializer)
    @action(detail=True, methods=["POST"])
    def restore(self, request: Request, pk: str) -> Response:
        """Restore the image from the trash."""
        NoFieldsSerializer.read(request)
        image = self.get_object()
        if not services.restore(image, actor=request.user):
            raise ApiError(ErrorCode.CONFLICT, f"The image is not in the trash; it is {image.status}.")
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        request=BulkSerializer,
        responses={200: BulkResultSerializer, 202: OpenApiResponse(JobSerializer, "For the action process.")},
    )
    @action(detail=False, methods=["POST"])
    @idempotent
    def actions(self, request: Request) -> Response:
        """Apply one action to many images, chosen by `ids`, by a `filter` of the list, or `all`; `dry_run` only counts.

        Above 100 images, `expected` must state their number.
        """
        values = BulkSerializer.read(request)
        if values["action"] == "process":
            require_scope(request, Scope.PROCESS)
        images = self._selected(values)
        if not values["dry_run"]:
            check_expected(len(images), values.get("expected"))
        if values["action"] == "process":
            if values["dry_run"]:
                usable = [image.pk for image in images if image.status in Image.PRESENT]
                return Response(_bulk_result(values, images, usable))
            if gone := [image for image in images if image.status not in Image.PRESENT]:
                raise ApiError(ErrorCode.CONFLICT, f"The image {gone[0].pk} is {gone[0].status}.")
            return accepted(submit_work(values["work"], images, delivery_of(values, request)))
        if values["action"] == "add_to_batch":
            return self._add_to_batch(images, values, request)
        change = services.BulkAction(values["action"], values.get("tags", ()), values.get("remove_tags", ()))
        if values["dry_run"]:
            changed = services.would_change(images, change)
        else:
            changed = services.apply_action(images, change, actor=request.user)
        return Response(_bulk_result(values, images, changed))

    def _selected(self, values: dict[str, Any]) -> list[Image]:
        if (filters := filters_of(values)) is not None:
            return list(chosen(filters, queryset=self.get_queryset(), request=self.request))
        rows = {image.pk: image for image in self.get_queryset().filter(pk__in=values["ids"])}
        if missing := [str(key) for key in values["ids"] if key not in rows]:
            errors = [
                FieldError("ids", ErrorCode.DOES_NOT_EXIST, f"There is no image {key}.")
                for key in missing[:100]
            ]
            raise ApiError(ErrorCode.DOES_NOT_EXIST, f"ids: there is no image {missing[0]}.", errors=errors)
        return list(rows.values())

    @staticmethod
    def _add_to_batch(images: list[Image], values: dict[str, Any], request: Request) -> Response:
        """Trashed images, and those already in the batch, stay unchanged."""
        batch = open_batch(values["batch"], field="batch")
        inside = set(batch.batch_images.values_list("image_id", flat=True))
        new = [image.pk for image in images if image.status in Image.PRESENT and image.pk not in inside]
        if new and not values["dry_run"]:
            add_images(batch, new, actor=request.user)
        return Response(_bulk_result(values, images, new))


def _bulk_result(values: dict[str, Any], images: list[Image], changed: list[Any]) -> dict[str, Any]:
    body = {
        "action": values["action"],
        "dry_run": values["dry_run"],
        "matched": len(images),
        "changed": len(changed),
        "unchanged": len(images) - len(changed),
        "ids": changed,
    }
    return dict(BulkResultSerializer(body).data)

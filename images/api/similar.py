"""Vectors of images over REST: similar images, search by text, computing a vector."""

import base64
import uuid
from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.authentication import request_source
from api.access.permissions import require_scope
from api.core.errors import ErrorCode, invalid_field
from api.core.idempotency import idempotent
from api.core.requests import NumberField, QuerySerializer, StrictSerializer
from api.models import Scope
from batches.models import Batch
from images.models import Embedding, Image
from images.serializers import ImageSerializer
from images.services import listed, with_scores
from images.vectors import embeddings, similarity, text_search
from processing.algorithms.embedding.embedders import EMBEDDERS, TEXT_MODEL
from processing.api.waiting import accepted, preferred_wait_s, wait_field
from processing.models import Job
from processing.serializers import JobSerializer, job_json

DEFAULT_LIMIT = 20
MODELS = [embeddings.AUTO, *EMBEDDERS]


class ModelQuery(QuerySerializer):
    model = serializers.ChoiceField(
        choices=MODELS,
        required=False,
        default=embeddings.AUTO,
        help_text="The embedding model; auto: the default one.",
    )


class FeaturesQuery(ModelQuery):
    include = serializers.ChoiceField(
        choices=["features"], required=False, help_text="Include the vector, in base64."
    )


class LimitQuery(QuerySerializer):
    limit = serializers.IntegerField(
        required=False, default=DEFAULT_LIMIT, min_value=1, max_value=similarity.MAX_LIMIT
    )


class SimilarQuery(ModelQuery, LimitQuery):
    max_distance = NumberField(required=False, min_value=0, max_value=2, help_text="Cosine distance.")
    batch = serializers.UUIDField(required=False, help_text="Only images of this batch.")


class LikeQuery(SimilarQuery):
    image = serializers.UUIDField(
        required=False, help_text="Instead of `q`: the same as `/api/images/{id}/similar/`."
    )


class TextQuery(LimitQuery):
    q = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="What the images show, in English."
    )
    wait = wait_field("Seconds to wait for a model worker; default 10.")


class NeighbourSerializer(serializers.Serializer):
    distance = serializers.FloatField(help_text="Cosine distance, 0 (the same direction) to 2.")
    image = ImageSerializer()


class SimilarSerializer(serializers.Serializer):
    """The images most similar to one, nearest first."""

    image = serializers.UUIDField()
    model = serializers.CharField()
    weights_sha256 = serializers.CharField()
    results = NeighbourSerializer(many=True)


class HitSerializer(serializers.Serializer):
    score = serializers.FloatField(help_text="Cosine similarity of the image's vector and that of the text.")
    image = ImageSerializer()


class SearchSerializer(serializers.Serializer):
    """The images that match a text, best first."""

    query = serializers.CharField()
    model = serializers.CharField()
    is_cut = serializers.BooleanField(help_text="The list ends where the scores drop.")
    results = HitSerializer(many=True)


class FeaturesSerializer(ImageSerializer):
    """An image, with its vector where `?include=features` asks for it."""

    features = serializers.CharField(required=False, help_text="Base64 of little-endian float32.")
    features_model = serializers.CharField(required=False)
    features_dim = serializers.IntegerField(required=False)
    features_weights_sha256 = serializers.CharField(required=False)

    class Meta(ImageSerializer.Meta):
        fields = [
            *ImageSerializer.Meta.fields,
            *(f"features{part}" for part in ("", "_model", "_dim", "_weights_sha256")),
        ]
        read_only_fields = fields


class EmbedSerializer(StrictSerializer):
    model = serializers.ChoiceField(choices=MODELS, default=embeddings.AUTO)


class SimilarParts:
    """Mixed into the view set of images."""

    @extend_schema(
        parameters=[SimilarQuery],
        responses={
            200: SimilarSerializer,
            409: OpenApiResponse(description="The image has no vector yet; `detail` says how to get one."),
            422: OpenApiResponse(description="The model is not installed: `model_unavailable`."),
        },
        filters=False,
    )
    @action(detail=True)
    def similar(self, request: Request, pk: str | None = None) -> Response:
        """Similar images: those with the nearest vectors, nearest first."""
        query = SimilarQuery.read(request)
        own = embeddings.of_model(query["model"]).filter(image=uuid.UUID(str(pk))).first()
        if own is None:
            own = embeddings.of_image(get_object_or_404(Image, pk=pk), query["model"])
        return self._similar(own, query)

    def _similar(self, own: Embedding, query: Mapping[str, Any]) -> Response:
        within, batch_id = None, query.get("batch")
        if batch_id is not None:
            if not Batch.objects.filter(pk=batch_id).exists():
                raise invalid_field("batch", f"There is no batch {batch_id}.", code=ErrorCode.DOES_NOT_EXIST)
            within = Image.objects.filter(batch_images__batch=batch_id)
        near = similarity.nearest(
            embeddings.numbers_of(own),
            Embedding.objects.filter(model=own.model, weights_sha256=own.weights_sha256),
            limit=query["limit"],
            max_distance=query.get("max_distance"),
            within=within,
            exclude=[own.image_id],
        )
        body = {"image": own.image_id, "model": own.model, "weights_sha256": own.weights_sha256}
        rows = [(neighbour.image_id, {"distance": neighbour.distance}) for neighbour in near]
        return Response({**body, "results": self._with_images(rows)})

    @extend_schema(
        parameters=[TextQuery, LikeQuery],
        responses={
            200: SearchSerializer,
            202: OpenApiResponse(JobSerializer, "A model worker is still processing the text: try again."),
            422: OpenApiResponse(description="CLIP is not installed: `model_unavailable`."),
        },
        filters=False,
    )
    @action(detail=False, filter_backends=[])
    def search(self, request: Request) -> Response:
        """Search images by what they show (`q`, with CLIP) or by similarity to another image (`image`).

        For file names, titles, tags and cameras use `/api/images/?search=`, which needs no model.
        """
        if "image" in request.query_params:
            query = LikeQuery.read(request)
            key = query["image"]
            image = Image.objects.only("pk").filter(pk=key).exclude(status=Image.Status.PURGED).first()
            if image is None:
                raise invalid_field("image", f"There is no image {key}.", code=ErrorCode.DOES_NOT_EXIST)
            return self._similar(embeddings.of_image(image, query["model"]), query)
        query, wait_s = TextQuery.read(request), preferred_wait_s(request)
        vector = text_search.vector_of(
            query["q"], wait_s=wait_s, requested_by=request.user, source=request_source(request)
        )
        if isinstance(vector, Job):
            return Response(job_json(vector), status=202, headers={"Retry-After": "2"})
        answer = text_search.search(vector, limit=query["limit"])
        rows = [(hit.image_id, {"score": hit.score}) for hit in answer.hits]
        body = {"query": query["q"], "model": TEXT_MODEL, "is_cut": answer.is_cut}
        return Response({**body, "results": self._with_images(rows)})

    def _with_images(self, rows: list[tuple[uuid.UUID, dict[str, float]]]) -> list[dict[str, Any]]:
        images = with_scores(listed(Image.objects.order_by())).in_bulk([image_id for image_id, _ in rows])
        rows = [row for row in rows if row[0] in images]  # one may have been removed meanwhile
        context = self.get_serializer_context()  # type: ignore[attr-defined]
        # Together: a serializer takes longer to build than to use.
        bodies = ImageSerializer([images[image_id] for image_id, _ in rows], many=True, context=context).data
        return [{**facts, "image": body} for (_, facts), body in zip(rows, bodies, strict=True)]

    @extend_schema(request=EmbedSerializer, responses={202: JobSerializer})
    @action(detail=True, methods=["POST"])
    @idempotent
    def embed(self, request: Request, pk: str | None = None) -> Response:
        """Compute the image's vector on a model worker, even if it has one."""
        require_scope(request, Scope.PROCESS)
        values = EmbedSerializer.read(request)
        job = embeddings.submit_embeddings(
            [self.get_object()],  # type: ignore[attr-defined]
            model=values["model"],
            requested_by=request.user,
            source=request_source(request),
        )
        return accepted(job)


def features(image: Image, query: Mapping[str, Any]) -> dict[str, Any]:
    """The image's vector as JSON where `?include=features` asks for it: base64 of little-endian float32."""
    if "include" not in query:
        return {}
    own = embeddings.of_image(image, query["model"])
    return {
        "features": base64.b64encode(embeddings.numbers_of(own).tobytes()).decode(),
        "features_model": own.model,
        "features_dim": own.dim,
        "features_weights_sha256": own.weights_sha256,
    }

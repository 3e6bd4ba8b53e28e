"""Vectors of images over REST: more like this, search by a sentence, have a vector made."""

import base64
import uuid
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access.authentication import door
from api.access.permissions import require_scope
from api.core.errors import ErrorCode, invalid_field
from api.core.filters import check_parameters
from api.core.idempotency import idempotent
from api.core.serializers import StrictSerializer
from api.models import Scope
from batches.models import Batch
from images.models import Embedding, Image
from images.serializers import ImageSerializer
from images.services import listed, with_scores
from images.vectors import embeddings, similarity, text_search
from processing.algorithms.embedding.embedders import EMBEDDERS, TEXT_MODEL
from processing.api.waiting import accepted, preferred_wait_s
from processing.models import Job
from processing.serializers import JobSerializer, job_json

DEFAULT_LIMIT = 20
MODELS = [embeddings.AUTO, *EMBEDDERS]
MODEL = OpenApiParameter(
    "model", str, enum=MODELS, description="Whose vectors; auto is the default embedder."
)
LIMIT = OpenApiParameter("limit", int, description=f"1 to {similarity.MAX_LIMIT}; default {DEFAULT_LIMIT}.")
MAX_DISTANCE = OpenApiParameter("max_distance", float, description="Cosine distance, 0 to 2.")
INCLUDE = OpenApiParameter("include", str, enum=["features"], description="Also the vector, in base64.")
BATCH = OpenApiParameter("batch", uuid.UUID, description="Only images of this batch.")


class NeighbourSerializer(serializers.Serializer):
    distance = serializers.FloatField(help_text="Cosine distance, 0 (the same direction) to 2.")
    image = ImageSerializer()


class SimilarSerializer(serializers.Serializer):
    """The images nearest to one, the nearest first."""

    image = serializers.UUIDField()
    model = serializers.CharField()
    weights_sha256 = serializers.CharField()
    results = NeighbourSerializer(many=True)


class HitSerializer(serializers.Serializer):
    score = serializers.FloatField(help_text="Cosine of the picture's vector to that of the text.")
    image = ImageSerializer()


class SearchSerializer(serializers.Serializer):
    """What fits a text, the best first."""

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
        parameters=[MODEL, LIMIT, MAX_DISTANCE, BATCH],
        responses={
            200: SimilarSerializer,
            409: OpenApiResponse(description="The image has no vector yet; the sentence says how to get it."),
            422: OpenApiResponse(description="The model is not installed: `model_unavailable`."),
        },
        filters=False,
    )
    @action(detail=True)
    def similar(self, request: Request, pk: str | None = None) -> Response:
        """More like this: the images whose vectors are nearest, the nearest first."""
        check_parameters(request, {"model", "limit", "max_distance", "batch"})
        own = embeddings.of_model(_model(request)).filter(image=uuid.UUID(str(pk))).first()
        if own is None:
            own = embeddings.of_image(get_object_or_404(Image, pk=pk), _model(request))
        return self._similar(request, own)

    def _similar(self, request: Request, own: Embedding) -> Response:
        near = similarity.nearest(
            embeddings.numbers_of(own),
            Embedding.objects.filter(model=own.model, weights_sha256=own.weights_sha256),
            limit=_limit(request),
            max_distance=_max_distance(request),
            within=_within(request),
            exclude=[own.image_id],
        )
        body = {"image": own.image_id, "model": own.model, "weights_sha256": own.weights_sha256}
        rows = [(found.image_id, {"distance": found.distance}) for found in near]
        return Response({**body, "results": self._with_images(rows)})

    @extend_schema(
        parameters=[
            OpenApiParameter("q", str, description="What the pictures show, in English."),
            OpenApiParameter(
                "image", uuid.UUID, description="Instead of `q`: like /api/images/{id}/similar/."
            ),
            LIMIT,
            MODEL,
            MAX_DISTANCE,
            BATCH,
            OpenApiParameter("wait", int, description="Seconds to wait for a model worker; default 10."),
        ],
        responses={
            200: SearchSerializer,
            202: OpenApiResponse(JobSerializer, "A model worker still reads the text: ask again."),
            422: OpenApiResponse(description="CLIP is not installed: `model_unavailable`."),
        },
        filters=False,
    )
    @action(detail=False, filter_backends=[])
    def search(self, request: Request) -> Response:
        """Pictures by what they show (`q`, with CLIP) or like another one (`image`).

        File names, titles, tags and cameras need no model: they are searched by `/api/images/?search=`.
        """
        if "image" in request.query_params:
            check_parameters(request, {"image", "model", "limit", "max_distance", "batch"})
            return self._similar(request, embeddings.of_image(_image(request), _model(request)))
        check_parameters(request, {"q", "limit", "wait"})
        limit, wait_s = _limit(request), preferred_wait_s(request)
        text = request.query_params.get("q", "")
        vector = text_search.vector_of(
            text,
            wait_s=wait_s,
            requested_by=request.user,
            source=door(request),
        )
        if isinstance(vector, Job):
            return Response(job_json(vector), status=202, headers={"Retry-After": "2"})
        return Response(self._found(text, vector, limit))

    def _found(self, text: str, vector: np.ndarray, limit: int) -> dict[str, Any]:
        answer = text_search.search(vector, limit=limit)
        rows = [(hit.image_id, {"score": hit.score}) for hit in answer.hits]
        body = {"query": text, "model": TEXT_MODEL, "is_cut": answer.is_cut}
        return {**body, "results": self._with_images(rows)}

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
        """Have the image's vector made by a model worker, again where there is one."""
        require_scope(request, Scope.PROCESS)
        serializer = EmbedSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        job = embeddings.submit_embeddings(
            [self.get_object()],  # type: ignore[attr-defined]
            model=serializer.validated_data["model"],
            requested_by=request.user,
            source=door(request),
        )
        return accepted(job)


def features(image: Image, request: Request) -> dict[str, Any]:
    """The image's vector as JSON where `?include=features` asks for it: base64 of little-endian float32."""
    asked = request.query_params.get("include")
    if asked is None:
        return {}
    if asked != "features":
        raise invalid_field(
            "include", f"'features' is wanted, not {asked[:50]!r}.", code=ErrorCode.INVALID_CHOICE
        )
    own = embeddings.of_image(image, _model(request))
    return {
        "features": base64.b64encode(embeddings.numbers_of(own).tobytes()).decode(),
        "features_model": own.model,
        "features_dim": own.dim,
        "features_weights_sha256": own.weights_sha256,
    }


def _model(request: Request) -> str:
    return request.query_params.get("model", embeddings.AUTO)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= similarity.MAX_LIMIT):
        raise invalid_field("limit", f"1 to {similarity.MAX_LIMIT} is wanted, not {text[:50]!r}.")
    return int(text)


def _max_distance(request: Request) -> float | None:
    text = request.query_params.get("max_distance")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 2:
        raise invalid_field("max_distance", f"a number from 0 to 2 is wanted, not {text[:50]!r}.")
    return value


def _uuid(request: Request, name: str) -> uuid.UUID:
    text = request.query_params[name]
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise invalid_field(name, f"{text[:50]!r} is no id.") from error


def _within(request: Request) -> QuerySet[Image] | None:
    if "batch" not in request.query_params:
        return None
    batch_id = _uuid(request, "batch")
    if not Batch.objects.filter(pk=batch_id).exists():
        raise invalid_field("batch", f"there is no batch {batch_id}.", code=ErrorCode.DOES_NOT_EXIST)
    return Image.objects.filter(batch_images__batch=batch_id)


def _image(request: Request) -> Image:
    image_id = _uuid(request, "image")
    found = Image.objects.only("pk").filter(pk=image_id).exclude(status=Image.Status.PURGED).first()
    if found is None:
        raise invalid_field("image", f"there is no image {image_id}.", code=ErrorCode.DOES_NOT_EXIST)
    return found

"""Distances in a batch: its map, and the groups nearest to ungrouped images."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.requests import NumberField, QuerySerializer
from batches.api.responses import etag
from batches.clustering import projection, vectors
from batches.groups import statistics

FORMATS = ("json", "f32")
MAX_LIMIT = 200


class PointSerializer(serializers.Serializer):
    image = serializers.UUIDField()
    name = serializers.CharField()
    x = serializers.FloatField()
    y = serializers.FloatField()
    group_label = serializers.CharField(allow_null=True)
    run_label = serializers.IntegerField(allow_null=True, help_text="−1: noise; null: added after the run.")
    quality = serializers.FloatField(allow_null=True, help_text="Grade, 0 to 100.")
    outlier_score = serializers.FloatField(allow_null=True)
    probability = serializers.FloatField(allow_null=True)
    decision = serializers.CharField()


class MapGroupSerializer(serializers.Serializer):
    label = serializers.CharField()  # type: ignore[assignment]
    title = serializers.CharField()
    colour = serializers.CharField()


class MapSerializer(serializers.Serializer):
    run = serializers.IntegerField(
        allow_null=True, help_text="The run that gave the projection; null before the first run."
    )
    points = PointSerializer(many=True)
    groups = MapGroupSerializer(many=True)
    proposed = MapGroupSerializer(
        many=True, help_text="The run's own groups; their labels are the points' `run_label`."
    )
    unplaced = serializers.IntegerField(help_text="Images that the run has no position for.")
    version = serializers.IntegerField()


class ChoiceSerializer(serializers.Serializer):
    group_label = serializers.CharField()
    title = serializers.CharField()
    distance = serializers.FloatField(help_text="Euclidean distance to the group's centroid, 0 to 2.")
    is_inside = serializers.BooleanField(help_text="Within the group's radius.")


class SuggestionSerializer(serializers.Serializer):
    image = serializers.UUIDField()
    name = serializers.CharField()
    choices = ChoiceSerializer(many=True, help_text="The nearest first.")


class SuggestionsSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="Number of suggestions that match the filters.")
    unassigned = serializers.IntegerField(help_text="Ungrouped images.")
    steps = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        help_text="For a slider: distances, and how many images have a group within each.",
    )
    results = SuggestionSerializer(many=True)
    version = serializers.IntegerField()


class MapQuery(QuerySerializer):
    run = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, help_text="Default: the active run."
    )
    format = serializers.ChoiceField(
        choices=FORMATS,
        required=False,
        default="json",
        help_text="f32: rows of little-endian float32 in the order of `points`: x, y, place in `groups` "
        "(−1: none), quality, outlier score (NaN: none).",
    )


class PageQuery(QuerySerializer):
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=MAX_LIMIT)
    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)


class SuggestionsQuery(PageQuery):
    max_distance = NumberField(
        required=False, min_value=0, max_value=2, help_text="Only images with a group within this distance."
    )
    group = serializers.CharField(
        required=False, max_length=64, help_text="Only images whose nearest group has this label."
    )


class NeighboursActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        responses={200: MapSerializer, (200, "application/octet-stream"): OpenApiTypes.BINARY},
        parameters=[MapQuery],
    )
    @action(detail=True, url_path="map")
    def map_of_images(self, request: Request, pk: str) -> HttpResponseBase:
        """All images as points."""
        query = MapQuery.read(request)
        batch, run = self.get_object(), query.get("run")
        if query["format"] == "f32":
            return HttpResponse(
                projection.packed(batch, run),
                content_type="application/octet-stream",
                headers=etag(batch.version),
            )
        return Response(projection.points(batch, run).as_json(), headers=etag(batch.version))

    @extend_schema(
        operation_id="batches_suggestions",
        responses=SuggestionsSerializer,
        filters=False,
        parameters=[SuggestionsQuery],
    )
    @action(detail=True, pagination_class=None)
    def suggestions(self, request: Request, pk: str) -> Response:
        """Ungrouped images with their nearest groups, nearest first."""
        batch, query = self.get_object(), SuggestionsQuery.read(request)
        label = query.get("group")
        state = vectors.embedding_state(batch)
        page = statistics.suggestions(
            batch,
            max_distance=query.get("max_distance"),
            group_label=label,
            limit=query["limit"],
            offset=query["offset"],
            state=state,
        )
        body = {
            "count": page.count,
            "unassigned": page.total_unassigned,
            "steps": statistics.counts_by_distance(batch, group_label=label, state=state),
            "results": [_suggestion(row) for row in page.results],
            "version": batch.version,
        }
        return Response(body, headers=etag(batch.version))


def _suggestion(row: statistics.Suggestion) -> dict[str, Any]:
    choices = [
        {
            "group_label": choice.group.label,
            "title": choice.group.title,
            "distance": choice.distance,
            "is_inside": choice.is_inside,
        }
        for choice in row.choices
    ]
    return {"image": str(row.image_id), "name": row.name, "choices": choices}

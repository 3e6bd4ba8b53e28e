"""What lies near what in a batch: its map, and the groups nearest to images in none."""

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.errors import ErrorCode, invalid_field
from api.core.filters import check_parameters
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
    run_label = serializers.IntegerField(allow_null=True, help_text="−1: noise; null: it came after the run.")
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
        allow_null=True, help_text="Whose projection it is; null before the first run."
    )
    points = PointSerializer(many=True)
    groups = MapGroupSerializer(many=True)
    proposed = MapGroupSerializer(
        many=True, help_text="The run's own groups; their labels are the points' `run_label`."
    )
    unplaced = serializers.IntegerField(help_text="Images for which the run has no place.")
    version = serializers.IntegerField()


class ChoiceSerializer(serializers.Serializer):
    group_label = serializers.CharField()
    title = serializers.CharField()
    distance = serializers.FloatField(help_text="Euclidean, to the group's middle, 0 to 2.")
    is_inside = serializers.BooleanField(help_text="Within the group's radius.")


class SuggestionSerializer(serializers.Serializer):
    image = serializers.UUIDField()
    name = serializers.CharField()
    choices = ChoiceSerializer(many=True, help_text="The nearest first.")


class SuggestionsSerializer(serializers.Serializer):
    count = serializers.IntegerField(help_text="Suggestions that the filters let through.")
    unassigned = serializers.IntegerField(help_text="Images in no group.")
    steps = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        help_text="For a slider: distances, and how many images have a group so near.",
    )
    results = SuggestionSerializer(many=True)
    version = serializers.IntegerField()


class NeighboursActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        responses={200: MapSerializer, (200, "application/octet-stream"): OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("run", int, description="Of this run; else of the active one."),
            OpenApiParameter(
                "format",
                str,
                enum=FORMATS,
                description="f32: rows of little-endian float32 in the order of `points`: x, y, place in `groups` "
                "(−1: none), quality, outlier score (NaN: none).",
            ),
        ],
    )
    @action(detail=True, url_path="map")
    def map_of_images(self, request: Request, pk: str) -> HttpResponseBase:
        """All images as points."""
        check_parameters(request, {"run", "format"})
        run = number_in(request, "run")
        shape = request.query_params.get("format", "json")
        if shape not in FORMATS:
            detail = f"{shape[:20]!r} is none of {', '.join(FORMATS)}."
            raise invalid_field("format", detail, code=ErrorCode.INVALID_CHOICE)
        batch = self.get_object()
        if shape == "f32":
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
        parameters=[
            OpenApiParameter("max_distance", float, description="Only images with a group so near, 0 to 2."),
            OpenApiParameter("group", str, description="Only images whose nearest group has this label."),
            OpenApiParameter("limit", int, description=f"1 to {MAX_LIMIT}; 50 by itself."),
            OpenApiParameter("offset", int),
        ],
    )
    @action(detail=True, pagination_class=None)
    def suggestions(self, request: Request, pk: str) -> Response:
        """The images in no group with the groups nearest to them, the nearest first."""
        check_parameters(request, {"max_distance", "group", "limit", "offset"})
        batch, label = self.get_object(), request.query_params.get("group")
        limit = number_in(request, "limit", low=1, high=MAX_LIMIT)
        vectors.hold(batch)
        page = statistics.suggestions(
            batch,
            max_distance=decimal_in(request, "max_distance"),
            group_label=label,
            limit=50 if limit is None else limit,
            offset=number_in(request, "offset") or 0,
        )
        body = {
            "count": page.count,
            "unassigned": page.total_unassigned,
            "steps": statistics.counts_by_distance(batch, group_label=label),
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


def number_in(request: Request, name: str, *, low: int = 0, high: int = 2**31 - 1) -> int | None:
    """A whole number among the query's parameters."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and low <= int(text) <= high):
        raise invalid_field(name, f"a whole number from {low} to {high} is wanted, not {text[:50]!r}.")
    return int(text)


def decimal_in(request: Request, name: str) -> float | None:
    """A finite number among the query's parameters."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if number != number or abs(number) == float("inf"):
        raise invalid_field(name, f"a number is wanted, not {text[:50]!r}.")
    return number

"""Near-duplicates of a batch as sets, and what people decide about them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.idempotency import idempotent
from api.core.requests import NumberField
from batches.api.neighbours import PageQuery
from batches.api.requests import IF_MATCH, MAX_IDS, VersionedSerializer, expected_version, ids_field
from batches.api.responses import ChangedSerializer, changed, etag
from batches.duplicates import sets as near_sets
from batches.duplicates.resolve import VERDICTS

MAX_SETS = 10_000


class NearImageSerializer(serializers.Serializer):
    image = serializers.UUIDField(source="image_id")
    name = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    byte_size = serializers.IntegerField()
    format = serializers.CharField()
    quality_grade = serializers.FloatField(allow_null=True)
    has_camera_data = serializers.BooleanField()
    captured_at = serializers.DateTimeField(allow_null=True)
    bits = serializers.IntegerField(
        allow_null=True, help_text="Hash bits that differ from the original's, 0 to 64."
    )
    distance = serializers.FloatField(allow_null=True, help_text="Cosine distance to the original's vector.")
    decision = serializers.CharField()


class NearSetSerializer(serializers.Serializer):
    """Images that show the same thing."""

    key = serializers.CharField(help_text="Stays the same as long as the set has the same images.")
    original = serializers.UUIDField(help_text="The image to keep.")
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why that image was chosen.")
    is_decided = serializers.BooleanField()
    images = NearImageSerializer(many=True, help_text="The original first, then by distance.")


class NearSetsSerializer(serializers.Serializer):
    threshold = serializers.FloatField()
    steps = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3),
        help_text="For a slider: threshold, number of undecided sets, number of images in them.",
    )
    is_cut = serializers.BooleanField(help_text="There are more pairs than the limit; the rest is left out.")
    count = serializers.IntegerField(help_text="Sets at this threshold.")
    results = NearSetSerializer(many=True, help_text="Undecided sets first.")
    version = serializers.IntegerField()


class NearDecisionSerializer(serializers.Serializer):
    keep = serializers.UUIDField()
    others = ids_field(allow_empty=False)


class ResolveSetsSerializer(VersionedSerializer):
    """Decisions set by set, or for all undecided sets at a threshold, keeping each suggested original."""

    decisions = serializers.ListField(
        child=NearDecisionSerializer(), required=False, allow_empty=False, max_length=MAX_SETS
    )
    all = serializers.BooleanField(required=False, default=False)
    threshold = NumberField(
        required=False,
        default=near_sets.DEFAULT_THRESHOLD,
        min_value=0,
        max_value=1,
        help_text="With all: true.",
    )
    verdict = serializers.ChoiceField(
        choices=[str(verdict) for verdict in VERDICTS],
        required=False,
        default="duplicate",
        help_text="duplicate: the others are rejected; not_duplicate: the images differ.",
    )
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only count; change nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["all"] == ("decisions" in attrs):
            error = serializers.ErrorDetail("Send either decisions or all: true.", code="required")
            raise serializers.ValidationError({"decisions": [error]})
        if (count := sum(len(one["others"]) for one in attrs.get("decisions", ()))) > MAX_IDS:
            detail = f"{count} images are too many. The limit is {MAX_IDS}."
            raise serializers.ValidationError({"decisions": detail})
        return attrs


class ResolvedSerializer(ChangedSerializer):
    dry_run = serializers.BooleanField()
    sets = serializers.IntegerField(help_text="Number of sets decided.")
    rejected = serializers.IntegerField(help_text="Number of images rejected.")
    pairs = serializers.IntegerField(help_text="Number of pairs decided.")


class NearSetsQuery(PageQuery):
    threshold = NumberField(
        required=False,
        default=near_sets.DEFAULT_THRESHOLD,
        min_value=0,
        max_value=1,
        help_text="0 (strict) to 1 (loose).",
    )


class NearDuplicatesActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(
        responses=NearSetsSerializer,
        parameters=[NearSetsQuery],
    )
    @action(detail=True, url_path="near-duplicates")
    def near_duplicates(self, request: Request, pk: str) -> Response:
        """Sets of images that show the same thing, each with the image to keep and why."""
        batch, query = self.get_object(), NearSetsQuery.read(request)
        threshold, limit, offset = query["threshold"], query["limit"], query["offset"]
        sets = near_sets.sets(batch, threshold)
        body = {
            "threshold": threshold,
            "steps": near_sets.counts(batch),
            "is_cut": near_sets.is_cut(batch),
            "count": len(sets),
            "results": NearSetSerializer(sets[offset : offset + limit], many=True).data,
            "version": batch.version,
        }
        return Response(body, headers=etag(batch.version))

    @extend_schema(request=ResolveSetsSerializer, parameters=[IF_MATCH], responses=ResolvedSerializer)
    @action(detail=True, methods=["POST"], url_path="near-duplicates/resolve")
    @idempotent
    def resolve_near_duplicates(self, request: Request, pk: str) -> Response:
        """Decide sets in one step: reject all but the image to keep, or mark the images as different."""
        batch, values = self.get_object(), ResolveSetsSerializer.read(request)
        verdict, is_dry_run, version = values["verdict"], values["dry_run"], expected_version(request)
        decisions = (
            near_sets.all_decisions(batch, values["threshold"]) if values["all"] else values["decisions"]
        )
        if not decisions:  # all of none
            return changed(batch, None, dry_run=is_dry_run, sets=0, rejected=0, pairs=0)
        counts = vars(near_sets.preview(batch, decisions=decisions, verdict=verdict))
        if is_dry_run:
            return changed(batch, None, dry_run=True, **counts)
        change = near_sets.resolve(
            batch, decisions=decisions, verdict=verdict, actor=request.user, expected_version=version
        )
        return changed(batch, change, dry_run=False, **counts)

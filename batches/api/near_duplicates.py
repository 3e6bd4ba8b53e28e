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
        allow_null=True, help_text="In which its hash differs from the original's, 0 to 64."
    )
    distance = serializers.FloatField(allow_null=True, help_text="Cosine, to the original's vector.")
    decision = serializers.CharField()


class NearSetSerializer(serializers.Serializer):
    """Pictures that are the same one again."""

    key = serializers.CharField(help_text="The same as long as the same images are in it.")
    original = serializers.UUIDField(help_text="The image to keep.")
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why that one.")
    is_decided = serializers.BooleanField()
    images = NearImageSerializer(many=True, help_text="The original first, then the nearest.")


class NearSetsSerializer(serializers.Serializer):
    threshold = serializers.FloatField()
    steps = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3),
        help_text="For a slider: threshold, sets without a decision, images in them.",
    )
    is_cut = serializers.BooleanField(help_text="There are more pairs than are looked at.")
    count = serializers.IntegerField(help_text="Sets at this threshold.")
    results = NearSetSerializer(many=True, help_text="Those without a decision first.")
    version = serializers.IntegerField()


class NearDecisionSerializer(serializers.Serializer):
    keep = serializers.UUIDField()
    others = ids_field(allow_empty=False)


class ResolveSetsSerializer(VersionedSerializer):
    """Decisions by set, or all that are open at a threshold, each by its suggested original."""

    decisions = serializers.ListField(
        child=NearDecisionSerializer(), required=False, allow_empty=False, max_length=MAX_SETS
    )
    all = serializers.BooleanField(required=False, default=False)
    threshold = NumberField(
        required=False, default=near_sets.DEFAULT_THRESHOLD, min_value=0, max_value=1, help_text="For all."
    )
    verdict = serializers.ChoiceField(
        choices=[str(verdict) for verdict in VERDICTS],
        required=False,
        default="duplicate",
        help_text="duplicate: the others are rejected; not_duplicate: they are different pictures.",
    )
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only count.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["all"] == ("decisions" in attrs):
            error = serializers.ErrorDetail("Send either decisions or all: true.", code="required")
            raise serializers.ValidationError({"decisions": [error]})
        if (count := sum(len(one["others"]) for one in attrs.get("decisions", ()))) > MAX_IDS:
            detail = f"These are {count} images; the limit is {MAX_IDS}."
            raise serializers.ValidationError({"decisions": detail})
        return attrs


class ResolvedSerializer(ChangedSerializer):
    dry_run = serializers.BooleanField()
    sets = serializers.IntegerField(help_text="Sets that are decided by this.")
    rejected = serializers.IntegerField(help_text="Images that are rejected by this.")
    pairs = serializers.IntegerField(help_text="Pairs that get a verdict by this.")


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
        """Sets of pictures that are the same one again, each with the one to keep and why."""
        batch, asked = self.get_object(), NearSetsQuery.read(request)
        threshold, limit, offset = asked["threshold"], asked["limit"], asked["offset"]
        found = near_sets.sets(batch, threshold)
        body = {
            "threshold": threshold,
            "steps": near_sets.counts(batch),
            "is_cut": near_sets.is_cut(batch),
            "count": len(found),
            "results": NearSetSerializer(found[offset : offset + limit], many=True).data,
            "version": batch.version,
        }
        return Response(body, headers=etag(batch.version))

    @extend_schema(request=ResolveSetsSerializer, parameters=[IF_MATCH], responses=ResolvedSerializer)
    @action(detail=True, methods=["POST"], url_path="near-duplicates/resolve")
    @idempotent
    def resolve_near_duplicates(self, request: Request, pk: str) -> Response:
        """Decide sets as one step: reject all but the kept image, or say that they are different pictures."""
        batch, asked = self.get_object(), ResolveSetsSerializer.read(request)
        verdict, is_dry_run, seen = asked["verdict"], asked["dry_run"], expected_version(request)
        decisions = near_sets.all_decisions(batch, asked["threshold"]) if asked["all"] else asked["decisions"]
        if not decisions:  # all of none
            return changed(batch, None, dry_run=is_dry_run, sets=0, rejected=0, pairs=0)
        told = vars(near_sets.preview(batch, decisions=decisions, verdict=verdict))
        if is_dry_run:
            return changed(batch, None, dry_run=True, **told)
        change = near_sets.resolve(batch, decisions=decisions, verdict=verdict, actor=request.user, seen=seen)
        return changed(batch, change, dry_run=False, **told)

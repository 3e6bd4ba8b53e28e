"""A run compared with the batch's current groups, and activating it."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.idempotency import idempotent
from api.core.requests import QuerySerializer
from batches.api.requests import IF_MATCH, VersionedSerializer, expected_version
from batches.api.responses import ChangedSerializer, changed, etag
from batches.api.runs import run_of, settled
from batches.clustering import activation
from batches.serializers import RunSerializer

NUMBER = "runs/(?P<number>[0-9]{1,9})"
IN_PATH = OpenApiParameter("number", int, OpenApiParameter.PATH)


class DiffQuery(QuerySerializer):
    against = serializers.ChoiceField(
        choices=["active"], required=False, help_text="The batch's current groups: the only choice."
    )


class SourceSerializer(serializers.Serializer):
    title = serializers.CharField()
    count = serializers.IntegerField()


class DiffItemSerializer(serializers.Serializer):
    """What the run would do to one group."""

    key = serializers.CharField(help_text="For `items` of activate.")
    kind = serializers.CharField(help_text="kept, changed, new or dissolved.")
    title = serializers.CharField()
    group_label = serializers.CharField(allow_null=True, help_text="null: a new group.")
    run_label = serializers.IntegerField(allow_null=True, help_text="null: a dissolved group.")
    keeps = serializers.IntegerField()
    gains = serializers.IntegerField()
    loses = serializers.IntegerField()
    sources = SourceSerializer(
        many=True, help_text="Where images come from; for a dissolved group, where they go."
    )
    images = serializers.ListField(
        child=serializers.UUIDField(), help_text="Examples of the images concerned."
    )


class DiffSerializer(serializers.Serializer):
    """What activating a run would change."""

    run = serializers.IntegerField()
    items = DiffItemSerializer(many=True)
    kept = serializers.IntegerField()
    changed = serializers.IntegerField()
    new = serializers.IntegerField()
    dissolved = serializers.IntegerField()
    moved = serializers.IntegerField(help_text="Images that move from one group to another.")
    joined = serializers.IntegerField(help_text="Ungrouped images that join a group.")
    left = serializers.IntegerField(help_text="Images that become ungrouped.")
    held = serializers.IntegerField(help_text="Images that stay because a person placed or locked them.")
    version = serializers.IntegerField()


class ActivateSerializer(VersionedSerializer):
    items = serializers.ListField(
        child=serializers.CharField(max_length=80),
        required=False,
        allow_null=True,
        allow_empty=False,
        max_length=100_000,
        help_text="Keys of the diff items to accept. Default: all.",
    )


class ActivatedSerializer(ChangedSerializer):
    run = RunSerializer()


class ProposalsActions:
    """Mixed into the view set of batches."""

    get_object: Any

    @extend_schema(responses=DiffSerializer, parameters=[IN_PATH, DiffQuery])
    @action(detail=True, url_path=f"{NUMBER}/diff")
    def diff_of_run(self, request: Request, pk: str, number: str) -> Response:
        """What activating the run would change, group by group, largest changes first."""
        DiffQuery.read(request)
        batch = settled(self.get_object())
        diff = asdict(activation.plan(batch, run_of(batch, number)))
        for item in diff["items"]:
            item["sources"] = [{"title": title, "count": count} for title, count in item["sources"]]
        return Response(diff, headers=etag(diff["version"]))

    @extend_schema(request=ActivateSerializer, parameters=[IF_MATCH, IN_PATH], responses=ActivatedSerializer)
    @action(detail=True, methods=["POST"], url_path=f"{NUMBER}/activate")
    @idempotent
    def activate_run(self, request: Request, pk: str, number: str) -> Response:
        """Activate all or some of the run's groups; what people placed or locked stays."""
        batch = settled(self.get_object())
        run = run_of(batch, number)
        values = ActivateSerializer.read(request)
        change = activation.activate(
            batch,
            run,
            actor=request.user,
            items=values.get("items"),
            expected_version=expected_version(request),
        )
        return changed(batch, change, run=RunSerializer(run_of(batch, number)).data)

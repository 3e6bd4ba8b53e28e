"""Quality over REST: the measurements of an image, the metrics, the thresholds of each kind."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access.authentication import request_source
from api.access.permissions import require_scope
from api.core.errors import ApiError, ErrorCode
from api.core.idempotency import idempotent
from api.core.requests import NumberField, StrictSerializer
from api.models import Scope
from images.quality import profiles, report
from images.quality import service as quality
from images.serializers import IssueSerializer
from processing.algorithms.quality.causes import CAUSES
from processing.algorithms.quality.grading import limits
from processing.algorithms.quality.metrics import METRICS
from processing.api.waiting import accepted
from processing.serializers import JobSerializer

KIND = OpenApiParameter("kind", str, location=OpenApiParameter.PATH, enum=list(profiles.KINDS))


class MeasureSerializer(serializers.Serializer):
    """One measure of an image: a value, or why there is none."""

    name = serializers.CharField()
    title = serializers.CharField()
    direction = serializers.ChoiceField(choices=["higher", "lower"], help_text="Which way is better.")
    range = serializers.ListField(child=serializers.FloatField(), help_text="The usual range of values.")
    value = serializers.FloatField(allow_null=True)
    normalized = serializers.FloatField(allow_null=True, help_text="0 to 1, where 1 is best.")
    version = serializers.CharField(allow_blank=True)
    is_stale = serializers.BooleanField(help_text="Measured by another version than the current one.")
    weights_sha256 = serializers.CharField(allow_blank=True)
    input_size = serializers.IntegerField(
        allow_null=True, help_text="Longer side of the measured image in px."
    )
    duration_ms = serializers.IntegerField(allow_null=True)
    error_code = serializers.CharField(allow_blank=True)
    error_detail = serializers.CharField(allow_blank=True)
    is_available = serializers.BooleanField(help_text="Whether it can be computed on this installation.")
    why_not = serializers.CharField(allow_blank=True)
    command = serializers.CharField(allow_blank=True, help_text="The command that makes it available.")


class CauseSerializer(MeasureSerializer):
    code = serializers.CharField(help_text="Code of the issue that it raises.")
    unit = serializers.CharField(allow_blank=True)
    threshold = serializers.FloatField(allow_null=True, help_text="null: not judged for this kind.")
    is_fault = serializers.BooleanField()


class QualitySerializer(serializers.Serializer):
    """Everything that was measured of one image."""

    image = serializers.UUIDField()
    kind = serializers.CharField()
    grade = serializers.FloatField(allow_null=True, help_text="0 to 100; null until it is measured.")
    profile = serializers.CharField(
        allow_blank=True, help_text="The thresholds that gave the grade and issues."
    )
    issues = IssueSerializer(many=True)
    causes = CauseSerializer(many=True)
    metrics = MeasureSerializer(many=True)
    fingerprint = serializers.DictField(allow_null=True, help_text="The measurements of a fingerprint.")


class MeasureRequestSerializer(StrictSerializer):
    metrics = serializers.ListField(
        child=serializers.ChoiceField(choices=list(METRICS)),
        required=False,
        max_length=len(METRICS),
        help_text="Default: those of QUALITY_METRICS that can be computed. The causes are always measured.",
    )


class QualityParts:
    """Mixed into the view set of images."""

    @extend_schema(responses=QualitySerializer, filters=False)
    @action(detail=True, url_path="quality")
    def quality_of(self, request: Request, pk: str | None = None) -> Response:
        """The measurements of the image; for those that are missing, why."""
        return Response(report.as_json(self.get_object()))  # type: ignore[attr-defined]

    @extend_schema(
        request=MeasureRequestSerializer,
        responses={
            202: JobSerializer,
            422: OpenApiResponse(description="A requested metric cannot be computed: `model_unavailable`."),
        },
    )
    @quality_of.mapping.post
    @idempotent
    def measure(self, request: Request, pk: str | None = None) -> Response:
        """Measure the image, even if it was measured before."""
        require_scope(request, Scope.PROCESS)
        values = MeasureRequestSerializer.read(request)
        job = quality.submit_quality(
            [self.get_object()],  # type: ignore[attr-defined]
            metrics=values.get("metrics"),
            requested_by=request.user,
            source=request_source(request),
        )
        return accepted(job)


class MetricSerializer(serializers.Serializer):
    """A metric or cause that images can be measured by."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    family = serializers.ChoiceField(choices=["metric", "cause"])
    direction = serializers.ChoiceField(choices=["higher", "lower"])
    range = serializers.ListField(child=serializers.FloatField())
    unit = serializers.CharField(allow_blank=True)
    is_default = serializers.BooleanField()
    long_side_px = serializers.IntegerField(help_text="Larger images are scaled down to this.")
    min_side_px = serializers.IntegerField(help_text="The shorter side must then be at least this.")
    weights = serializers.ListField(child=serializers.CharField(), help_text="See /api/models/.")
    version = serializers.CharField(allow_blank=True)
    available = serializers.BooleanField()
    why_not = serializers.CharField(allow_blank=True)
    command = serializers.CharField(allow_blank=True)


class MetricsView(APIView):
    @extend_schema(responses=MetricSerializer(many=True), operation_id="metrics_list", tags=["quality"])
    def get(self, request: Request) -> Response:
        """All metrics and causes, and whether they can be computed on this installation."""
        return Response(report.table())


class ThresholdSerializer(serializers.Serializer):
    """A threshold and how many images it flags."""

    measure = serializers.CharField()
    title = serializers.CharField()
    threshold = serializers.FloatField(allow_null=True, help_text="null: not judged.")
    bad_side = serializers.ChoiceField(choices=["below", "above"])
    limits = serializers.ListField(child=serializers.FloatField())
    unit = serializers.CharField(allow_blank=True)
    flagged = serializers.IntegerField()


class ProfileSerializer(serializers.Serializer):
    """The thresholds of a kind of image, and how many measured images they flag."""

    kind = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField(help_text="0: the thresholds that come with Pix.")
    measured = serializers.IntegerField()
    flagged = serializers.IntegerField(help_text="Images with at least one issue.")
    thresholds = ThresholdSerializer(many=True)
    job = serializers.UUIDField(
        required=False, help_text="The job that judges the images by the new thresholds."
    )


class ProfileChangeSerializer(StrictSerializer):
    thresholds = serializers.DictField(
        child=NumberField(allow_null=True),
        help_text="Threshold by measure; null: not judged. Measures that are left out keep theirs.",
    )


def profile_json(profile: profiles.Profile) -> dict[str, Any]:
    counts = profiles.counts(profile.kind, profile.cutoffs)
    return {
        "kind": profile.kind,
        "name": profile.name,
        "version": profile.version,
        "measured": counts.measured,
        "flagged": counts.flagged,
        "thresholds": [
            {
                "measure": name,
                "title": CAUSES[name].title,
                "threshold": cutoff,
                "bad_side": CAUSES[name].bad_side,
                "limits": list(limits(CAUSES[name])),
                "unit": CAUSES[name].unit,
                "flagged": counts.by_measure[name],
            }
            for name, cutoff in profile.cutoffs.items()
        ],
    }


class ProfilesView(APIView):
    @extend_schema(
        responses=ProfileSerializer(many=True), operation_id="quality_profiles_list", tags=["quality"]
    )
    def get(self, request: Request) -> Response:
        """The thresholds of every kind of image, and how many images each flags."""
        return Response([profile_json(profiles.profile_of(kind)) for kind in profiles.KINDS])


class ProfileView(APIView):
    required_scopes = {"PUT": Scope.PROCESS}

    @extend_schema(
        parameters=[KIND],
        responses=ProfileSerializer,
        operation_id="quality_profiles_retrieve",
        tags=["quality"],
    )
    def get(self, request: Request, kind: str) -> Response:
        """The thresholds of one kind of image."""
        return Response(profile_json(profiles.profile_of(_checked_kind(kind))))

    @extend_schema(
        parameters=[KIND],
        request=ProfileChangeSerializer,
        responses=ProfileSerializer,
        operation_id="quality_profiles_update",
        tags=["quality"],
    )
    def put(self, request: Request, kind: str) -> Response:
        """Change thresholds. This creates a new version; images of this kind are judged again, not measured again."""
        kind, changes = _checked_kind(kind), ProfileChangeSerializer.read(request)["thresholds"]
        profile, job = profiles.change(kind, changes, actor=request.user, source=request_source(request))
        body = profile_json(profile)
        return Response(body if job is None else {**body, "job": job.pk})


class ProfilePreviewView(APIView):
    required_scopes = {"POST": Scope.READ}

    @extend_schema(
        parameters=[KIND],
        request=ProfileChangeSerializer,
        responses=ProfileSerializer,
        operation_id="quality_profiles_preview",
        tags=["quality"],
    )
    def post(self, request: Request, kind: str) -> Response:
        """Preview what changed thresholds would flag."""
        profile = profiles.profile_of(_checked_kind(kind))
        cutoffs = {**profile.cutoffs, **profiles.checked(ProfileChangeSerializer.read(request)["thresholds"])}
        would_be = profiles.Profile(profile.kind, profile.name, profile.version, cutoffs)
        return Response(profile_json(would_be))


def _checked_kind(kind: str) -> str:
    if kind not in profiles.KINDS:
        detail = f"There is no kind {kind[:50]!r}. Available kinds: {', '.join(profiles.KINDS)}."
        raise ApiError(ErrorCode.NOT_FOUND, detail)
    return kind

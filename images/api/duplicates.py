"""Near-duplicates over REST: the pairs, and what people decide about them."""

from typing import Any

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.core.idempotency import idempotent
from api.core.requests import IdempotentSerializer
from images import duplicates
from images.api.viewset import UUID_PATTERN
from images.models import DuplicatePair
from images.serializers import ImageSerializer
from images.services import scores


class DuplicateSerializer(serializers.ModelSerializer):
    """Two images that may show the same thing."""

    a = ImageSerializer()
    b = ImageSerializer()
    decided_by = serializers.SerializerMethodField()

    class Meta:
        model = DuplicatePair
        fields = [
            "id",
            "kind",
            "distance",
            "hash_distance",
            "model",
            "verdict",
            "decided_by",
            "decided_at",
            "created_at",
            "a",
            "b",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_decided_by(self, pair: DuplicatePair) -> str | None:
        return pair.decided_by.get_username() if pair.decided_by else None


class ResolveSerializer(IdempotentSerializer):
    keep = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=2, help_text="Images to keep."
    )
    others = serializers.ChoiceField(
        choices=duplicates.OTHERS,
        help_text="trash: move the image that is not kept to the trash; not_duplicate: the images differ.",
    )


class DuplicateFilter(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=DuplicatePair.Kind.choices)
    verdict = filters.ChoiceFilter(
        choices=[*DuplicatePair.Verdict.choices, ("any", "any")],
        method="by_verdict",
        help_text="Default: pending.",
    )
    max_distance = filters.NumberFilter("distance", "lte", min_value=0, max_value=1)
    image = filters.UUIDFilter(method="by_image", help_text="Pairs with this image.")

    class Meta:
        model = DuplicatePair
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        pairs: QuerySet = super().filter_queryset(queryset)
        is_asked = bool(self.form.cleaned_data.get("verdict"))
        return pairs if is_asked else pairs.filter(verdict=DuplicatePair.Verdict.PENDING)

    def by_verdict(self, queryset: QuerySet, _name: str, value: str) -> QuerySet:
        return queryset if value == "any" else queryset.filter(verdict=value)

    def by_image(self, queryset: QuerySet, _name: str, value: Any) -> QuerySet:
        return queryset.filter(Q(a=value) | Q(b=value))


@extend_schema(tags=["duplicates"])
class DuplicateViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    """Pairs of images that may show the same thing, most similar first."""

    queryset = DuplicatePair.objects.none()  # the documentation asks for the model
    serializer_class = DuplicateSerializer
    filterset_class = DuplicateFilter
    lookup_value_regex = UUID_PATTERN

    def get_queryset(self) -> QuerySet[DuplicatePair]:
        # A pair that was decided stays readable when its other image is in the trash.
        pairs = duplicates.pairs() if self.action == "list" else duplicates.all_pairs()
        return pairs.prefetch_related(scores("a__quality_scores"), scores("b__quality_scores"))

    @extend_schema(request=ResolveSerializer, responses=DuplicateSerializer)
    @action(detail=True, methods=["POST"])
    @idempotent
    def resolve(self, request: Request, pk: str) -> Response:
        """Decide a pair: trash the image that is not kept, or mark the images as different."""
        values = ResolveSerializer.read(request)
        pair = duplicates.resolve(
            self.get_object(), keep=values.get("keep", []), others=values["others"], actor=request.user
        )
        return Response(self.get_serializer(duplicates.all_pairs().get(pk=pair.pk)).data)

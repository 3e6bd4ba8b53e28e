"""The models over REST: the list, what is installed, and their licences."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.core.errors import ApiError, ErrorCode
from ml_models.weights import FAMILIES
from processing.model_availability import LIBRARY, Model, models


class ModelSerializer(serializers.Serializer):
    """A model, its licence, and whether it is available."""

    name = serializers.CharField()
    family = serializers.ChoiceField(
        [*FAMILIES, LIBRARY], help_text="`library`: the package that computes quality metrics, not a model."
    )
    title = serializers.CharField()
    file = serializers.CharField(allow_blank=True)
    byte_size = serializers.IntegerField(allow_null=True, help_text="null if it is not published.")
    sha256 = serializers.CharField(
        allow_blank=True, help_text="Of the installed file, else as published; empty if neither is known."
    )
    licence = serializers.CharField()
    licence_note = serializers.CharField(allow_blank=True)
    input = serializers.CharField(allow_blank=True)
    dim = serializers.IntegerField(allow_null=True, help_text="Length of the vectors, for embedding models.")
    version = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True, help_text="Where it was published.")
    is_bundled = serializers.BooleanField(help_text="It comes with Pix.")
    available = serializers.BooleanField()
    is_present = serializers.BooleanField(help_text="A file exists, valid or not.")
    verified = serializers.BooleanField(help_text="Its hash was checked.")
    why_not = serializers.CharField(allow_blank=True, help_text="Why it is not available.")
    command = serializers.CharField(help_text="The command that makes it available.")
    used_by = serializers.ListField(
        child=serializers.CharField(),
        help_text="What needs it: `operation:`, `metric:`, `embedder:` or `search:` and a name.",
    )


def _json(model: Model) -> dict:
    return ModelSerializer(asdict(model)).data


class ModelsView(APIView):
    @extend_schema(responses=ModelSerializer(many=True), operation_id="models_list")
    def get(self, request: Request) -> Response:
        """All models. Requests that need a model that is not available get a 422 `model_unavailable`."""
        return Response([_json(model) for model in models()])


class ModelView(APIView):
    @extend_schema(responses=ModelSerializer, operation_id="models_retrieve")
    def get(self, request: Request, name: str) -> Response:
        """One model."""
        named = {model.name: model for model in models()}
        if name not in named:
            raise ApiError(
                ErrorCode.NOT_FOUND, f"There is no model {name!r}. Available models: {', '.join(named)}."
            )
        return Response(_json(named[name]))

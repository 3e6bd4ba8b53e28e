"""The admin's page of models: what is installed, under which licence, and the command that installs the rest."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from processing.model_availability import Model, models

TITLES = {
    "denoise": "Denoising",
    "quality": "Quality metrics",
    "embedding": "Embeddings and search",
    "library": "Libraries with their own licence",
}


@dataclass(frozen=True)
class Family:
    """The models of one purpose."""

    title: str
    models: list[Model]


def families() -> list[Family]:
    listed = models()
    return [
        Family(title, [model for model in listed if model.family == family])
        for family, title in TITLES.items()
    ]


@require_safe
def weights(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": "Models",
        "families": families(),
        "folder": settings.ML_MODELS_DIR,
    }
    return TemplateResponse(request, "admin/models.html", context)

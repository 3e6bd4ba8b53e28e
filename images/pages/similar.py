"""The pages of vectors: similar images, search by description, near-duplicates side by side."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from api.core.errors import ApiError
from images import duplicates, phrases
from images.models import Embedding, Image
from images.pages.forms import ImageForm, ResolveForm
from images.services import listed
from images.vectors import embeddings, similarity, text_search
from pixproject.web.access import needs, next_path, show_error
from pixproject.web.forms import read
from processing.models import Job

STRIP = 12
FOUND = 48
PAIRS_PER_PAGE = 20


@dataclass(frozen=True)
class Tile:
    """An image and how near it is: a distance, or a score."""

    image: Image
    number: float


@dataclass(frozen=True)
class Strip:
    """Similar images, or why there are none.

    With `is_missing` they can be had by making the vector; while that goes on (`is_waiting`) the page asks again.
    """

    model: str = ""
    tiles: tuple[Tile, ...] = ()
    problem: str = ""
    is_missing: bool = False
    is_waiting: bool = False
    stale: int = 0  # vectors of other weights of the same model, which cannot be compared with these


def strip(image: Image) -> Strip:
    """The images nearest to one, by the default embedder."""
    try:
        own = embeddings.find(image)
    except ApiError as error:
        return Strip(model=embeddings.embedder().title, problem=error.detail)
    if isinstance(own, embeddings.MissingVector):
        return Strip(model=own.title, is_missing=True, is_waiting=own.is_waiting)
    alike = Embedding.objects.filter(model=own.model, weights_sha256=own.weights_sha256)
    near = similarity.nearest(embeddings.numbers_of(own), alike, limit=STRIP, exclude=[image.pk])
    tiles = _tiles([(neighbour.image_id, neighbour.distance) for neighbour in near])
    others = Embedding.objects.filter(model=own.model).exclude(weights_sha256=own.weights_sha256)
    return Strip(model=embeddings.embedder(own.model).title, tiles=tiles, stale=others.count())


def _tiles(rows: list[tuple[uuid.UUID, float]]) -> tuple[Tile, ...]:
    images = listed(Image.objects.all()).in_bulk([pk for pk, _ in rows])
    return tuple(Tile(images[pk], number) for pk, number in rows if pk in images)


def similar_context(image: Image) -> dict[str, Any]:
    """What `images/_similar.html` shows."""
    return {"similar": strip(image), "duplicate_count": duplicates.undecided(image).count()}


@require_safe
def strip_part(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """The strip alone, for a page that waits for the vector."""
    image = get_object_or_404(Image.objects.exclude(status=Image.Status.PURGED), pk=image_id)
    return render(request, "images/_similar.html", {"image": image, **similar_context(image)})


@require_POST
@needs("process")
def embed(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """Have an image's vector made."""
    image = get_object_or_404(Image, pk=image_id)
    try:
        embeddings.submit_embeddings([image], requested_by=request.user, source="web")
    except ApiError as error:
        show_error(request, error)
    else:
        messages.success(request, "Similar images will appear as soon as a model worker is free.")
    return redirect("image", image_id=image.pk)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Images that match a description."""
    text = request.GET.get("q", "")
    context: dict[str, Any] = {"query": text, "tiles": (), "is_waiting": False, "error": ""}
    if "q" not in request.GET:  # opened, and nothing asked yet
        return render(request, "images/search.html", context | {"is_new": True})
    try:
        vector = text_search.vector_of(text, requested_by=request.user, source="web")
    except ApiError as error:
        context["error"] = error.detail
        return render(request, "images/search.html", context, status=error.status)
    if isinstance(vector, Job):
        context["is_waiting"] = True
    else:
        answer = text_search.search(vector, limit=FOUND)
        context["tiles"] = _tiles([(hit.image_id, hit.score) for hit in answer.hits])
        context["is_cut"] = answer.is_cut
    return render(request, "images/search.html", context)


@require_safe
def duplicate_list(request: HttpRequest) -> HttpResponse:
    """Undecided pairs, the most alike first."""
    ids = read(ImageForm(request.GET))["image"]
    image = Image.objects.filter(pk__in=ids[:1]).first()
    page = Paginator(duplicates.undecided(image), PAIRS_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "images/duplicates.html", {"page": page, "image": image})


@require_POST
@needs("write")
def duplicate_resolve(request: HttpRequest, pair_id: uuid.UUID) -> HttpResponse:
    """Decide a pair."""
    pair = get_object_or_404(duplicates.all_pairs(), pk=pair_id)
    try:
        values = read(ResolveForm(request.POST))
        duplicates.resolve(pair, keep=values["keep"], others=values["others"], actor=request.user)
    except ApiError as error:
        show_error(request, error)
    else:
        messages.success(request, phrases.RESOLVED[values["others"]])
    return redirect(next_path(request, "/duplicates/"))

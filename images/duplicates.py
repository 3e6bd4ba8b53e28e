"""Near-duplicates: pairs are recorded when an image comes in, and decided by people."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from api.access import audit
from api.core.errors import ApiError, ErrorCode, invalid_choice, invalid_field
from images import phrases, services
from images.models import DuplicatePair, Embedding, Image
from images.vectors import embeddings, similarity
from processing.algorithms.codecs.thumbnails import hamming
from processing.algorithms.duplicates.pairs import DEFAULT_RULE

MAX_PER_IMAGE = 50  # thousands of blank pages are all alike
OTHERS = ("trash", "not_duplicate")


def record(image_id: UUID) -> int:
    """Note which other images are near-duplicates of this one; answers how many.

    A pair that is known keeps its verdict. It is called when an image's hash is known, and again with its vector.
    """
    image = Image.objects.filter(pk=image_id, status=Image.Status.READY).first()
    if image is None:
        return 0
    same: list[UUID] = []
    if image.pixel_sha256:
        alike = _others(image).filter(pixel_sha256=image.pixel_sha256).order_by("-created_at")
        same = list(alike.values_list("pk", flat=True)[:MAX_PER_IMAGE])
    pairs = [_pair(image, other, DuplicatePair.Kind.PIXELS, bits=0) for other in same]
    pairs += _near(image, but=set(same))
    DuplicatePair.objects.bulk_create(
        pairs,
        update_conflicts=True,
        unique_fields=["a", "b", "kind"],
        update_fields=["distance", "hash_distance", "model"],
    )
    return len(pairs)


def _others(image: Image) -> QuerySet[Image]:
    return Image.objects.filter(status=Image.Status.READY).exclude(pk=image.pk)


_HASHES = """
SELECT id, bits FROM (
    SELECT id, bit_count((phash # %s)::bit(64)) AS bits FROM images_image
    WHERE status = 'ready' AND phash IS NOT NULL AND id <> %s) near
WHERE bits <= %s ORDER BY bits, id LIMIT %s"""


def _near(image: Image, *, but: set[UUID]) -> list[DuplicatePair]:
    if image.phash is None:
        return []
    own = Embedding.objects.filter(image=image, model=embeddings.default_embedder()).first()
    with connection.cursor() as cursor:  # it looks at every hash: 10 000 of them take a few milliseconds
        cursor.execute(_HASHES, [image.phash, image.pk, DEFAULT_RULE.sure_bits, MAX_PER_IMAGE])
        bits: dict[UUID, int] = dict(cursor.fetchall())
    distances = _near_vectors(own, bits)
    by_vector = _others(image).filter(pk__in=set(distances) - set(bits)).values_list("pk", "phash")
    bits |= {pk: hamming(image.phash, phash) for pk, phash in by_vector if phash is not None}
    return [
        _pair(image, other, DuplicatePair.Kind.NEAR, bits=count, distance=distances.get(other), own=own)
        for other, count in bits.items()
        if other not in but and DEFAULT_RULE.holds(count, distances.get(other))
    ]


def _near_vectors(own: Embedding | None, others: Iterable[UUID]) -> dict[UUID, float]:
    """Cosine distances to the nearest images, and to those named where they have a vector too."""
    if own is None:
        return {}
    alike = Embedding.objects.filter(model=own.model, weights_sha256=own.weights_sha256)
    near = similarity.nearest(
        embeddings.numbers_of(own),
        alike,
        limit=MAX_PER_IMAGE,
        max_distance=DEFAULT_RULE.max_distance,
        exclude=[own.image_id],
    )
    named = similarity.nearest(
        embeddings.numbers_of(own),
        alike,
        limit=MAX_PER_IMAGE,
        within=Image.objects.filter(pk__in=list(others)),
    )
    return {neighbour.image_id: max(0.0, neighbour.distance) for neighbour in [*near, *named]}


def _pair(
    image: Image,
    other: UUID,
    kind: str,
    *,
    bits: int,
    distance: float | None = None,
    own: Embedding | None = None,
) -> DuplicatePair:
    """The distance is that of the vectors; without one, the share of bits that differ."""
    a, b = sorted((image.pk, other))
    return DuplicatePair(
        a_id=a,
        b_id=b,
        kind=kind,
        distance=min(1.0, bits / 64 if distance is None else distance),
        hash_distance=bits,
        model=own.model if own is not None and distance is not None else "",
    )


def all_pairs() -> QuerySet[DuplicatePair]:
    """Every pair with what showing it needs, the most alike first."""
    rows = DuplicatePair.objects.select_related("a", "b", "a__uploaded_by", "b__uploaded_by", "decided_by")
    return rows.defer("a__exif_raw", "b__exif_raw").order_by("distance", "-created_at", "id")


def pairs() -> QuerySet[DuplicatePair]:
    """Pairs whose images are both in the library; decided ones also when one of them is in the trash."""
    both = Q(a__status__in=Image.PRESENT, b__status__in=Image.PRESENT)
    return all_pairs().filter(both | ~Q(verdict=DuplicatePair.Verdict.PENDING))


def undecided(image: Image | None = None) -> QuerySet[DuplicatePair]:
    """Pairs that wait for a decision: all of them, or those of one image."""
    mine = Q() if image is None else Q(a=image) | Q(b=image)
    return pairs().filter(mine, verdict=DuplicatePair.Verdict.PENDING)


def has_undecided() -> Exists:
    """The condition on images that are in a pair which nobody has decided yet."""
    mine = Q(a=OuterRef("pk")) | Q(b=OuterRef("pk"))
    return Exists(pairs().filter(mine, verdict=DuplicatePair.Verdict.PENDING))


def resolve(pair: DuplicatePair, *, keep: Sequence[UUID], others: str, actor: Any) -> DuplicatePair:
    """Decide a pair: trash what is not kept, or say that the two are different images.

    Raises:
        ApiError: 400 for a wrong value, 409 where it was decided before.
    """
    if others not in OTHERS:
        raise invalid_choice("others", others, OTHERS)
    verdict, to_trash = DuplicatePair.Verdict.NOT_DUPLICATE, []
    if others == "trash":
        two = {pair.a_id: pair.a, pair.b_id: pair.b}
        if strangers := [str(key) for key in keep if key not in two]:
            detail = f"Image {strangers[0]} is not part of this pair."
            raise invalid_field("keep", detail, code=ErrorCode.DOES_NOT_EXIST)
        if not keep:
            raise invalid_field("keep", "Name the image to keep, or both.", code=ErrorCode.REQUIRED)
        to_trash = [image for key, image in two.items() if key not in keep]
        verdict = DuplicatePair.Verdict.DUPLICATE
    with transaction.atomic():
        undecided = DuplicatePair.objects.filter(pk=pair.pk, verdict=DuplicatePair.Verdict.PENDING)
        if not undecided.update(verdict=verdict, decided_by=actor, decided_at=timezone.now()):
            pair.refresh_from_db()
            raise ApiError(
                ErrorCode.CONFLICT, phrases.already_decided(pair.verdict == DuplicatePair.Verdict.DUPLICATE)
            )
        for image in to_trash:
            services.trash(image, actor=actor)
        for image in (pair.a, pair.b):
            facts = {"pair": str(pair.pk), "verdict": str(verdict), "trashed": [str(d.pk) for d in to_trash]}
            audit.record("image.duplicate", image, actor=actor, detail=facts)
    pair.refresh_from_db()
    return pair

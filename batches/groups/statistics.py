"""Groups as they are now, in numbers, and the groups that are nearest to the images in none.

All distances are Euclidean, between vectors of length 1: 0 to 2.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.cache import cache
from django.db import connection

from api.core.errors import ErrorCode, invalid_field
from batches import phrases
from batches.clustering import vectors
from batches.models import Batch, BatchImage, Group
from images.models import Image
from processing.algorithms.clustering.groups import RADIUS_QUANTILE

CHOICES = 3
STEPS = 40
CACHED_S = 24 * 3600


@dataclass(frozen=True)
class GroupFacts:
    """What a group is.

    Attributes:
        count: images in the library that are in it and have a vector.
        radius: inside which nine tenths of its members lie, as `clustering_groups.Groups.radii`.
        cohesion: mean cosine of its members to their centroid, 0 to 1.
        medoid: the member nearest to the centroid.
    """

    count: int
    radius: float
    cohesion: float
    medoid: UUID


@dataclass(frozen=True)
class NearGroup:
    """A group that an image may belong to.

    Attributes:
        distance: to the group's centroid.
        is_inside: whether that is within the group's radius.
        closeness: distance as a multiple of the radius, below 1 inside; None where the radius is 0.
    """

    group: Group
    distance: float
    is_inside: bool
    closeness: float | None


@dataclass(frozen=True)
class Suggestion:
    """An image in no group and the groups nearest to it, the nearest first."""

    image_id: UUID
    name: str
    choices: Sequence[NearGroup]


@dataclass(frozen=True)
class SuggestionPage:
    """Some of the suggestions; `count`: how many there are, `total_unassigned`: images in no group."""

    results: Sequence[Suggestion]
    count: int
    total_unassigned: int


@dataclass(frozen=True)
class _Measured:
    facts: Mapping[UUID, GroupFacts]
    centroids: Mapping[UUID, str]  # as PostgreSQL writes them: they go nowhere else


@dataclass(frozen=True)
class Near:
    """An image in no group, its nearest groups and their distances, the nearest first."""

    image_id: UUID
    groups: tuple[UUID, ...]
    distances: tuple[float, ...]


_FACTS = f"""
WITH members AS MATERIALIZED (
    SELECT m.group_id, m.image_id, e.vector FROM batches_batchimage m
    CROSS JOIN {vectors.PRESENT} CROSS JOIN {vectors.VECTOR_OF}
    WHERE m.batch_id = %s AND m.group_id IS NOT NULL),
centres AS MATERIALIZED (
    SELECT group_id, avg(vector) AS centroid, count(*) AS n FROM members GROUP BY group_id),
measured AS (
    SELECT group_id, image_id, n, vector <-> centroid AS distance, vector <=> centroid AS turned
    FROM members JOIN centres USING (group_id))
SELECT group_id, n, percentile_cont(%s) WITHIN GROUP (ORDER BY distance), 1 - avg(turned),
    (array_agg(image_id ORDER BY distance, image_id))[1],
    (SELECT centroid::text FROM centres WHERE centres.group_id = measured.group_id)
FROM measured GROUP BY group_id, n"""


def group_facts(batch: Batch, *, state: vectors.EmbeddingState | None = None) -> dict[UUID, GroupFacts]:
    """The facts of each group that has an image with a vector; {} where nothing has one."""
    state = state or vectors.embedding_state(batch)
    return {} if state.source is None else dict(_measured(batch, state.source, state.key).facts)


def _measured(batch: Batch, source: vectors.Source, state_key: str) -> _Measured:
    key = f"group-facts:{state_key}"
    kept: _Measured | None = cache.get(key)
    if kept is not None:
        return kept
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [source.model, source.weights_sha256, batch.pk, RADIUS_QUANTILE])
        rows = cursor.fetchall()
    facts = {}
    for group_id, count, distance, cosine, medoid, _ in rows:
        # Widened, as `clustering_groups.Groups.radii` explains it.
        radius = float(distance) * ((count + 1) / (count - 1)) ** 0.5 if count > 1 else 0.0
        # A single vector's cosine to itself is 1 but for rounding; a centroid of length 0 has none.
        cohesion = min(1.0, max(0.0, cosine)) if cosine == cosine else 0.0
        facts[group_id] = GroupFacts(count, radius, cohesion, medoid)
    measured = _Measured(facts, {row[0]: row[-1] for row in rows})
    cache.set(key, measured, CACHED_S)
    return measured


_NEAREST = f"""
WITH groups AS MATERIALIZED (
    SELECT * FROM unnest(%s::uuid[], %s::text[]::vector[]) AS given(id, centroid)),
waiting AS MATERIALIZED (
    SELECT m.image_id, e.vector FROM batches_batchimage m
    CROSS JOIN {vectors.VECTOR_OF}
    WHERE m.id = ANY(%s))
SELECT w.image_id, array_agg(near.id ORDER BY near.distance, near.id),
    array_agg(near.distance ORDER BY near.distance, near.id)
FROM waiting w CROSS JOIN LATERAL (
    SELECT g.id, w.vector <-> g.centroid AS distance FROM groups g ORDER BY distance, g.id LIMIT %s) near
GROUP BY w.image_id ORDER BY min(near.distance), w.image_id"""


def _nearest(
    batch: Batch, state: vectors.EmbeddingState | None
) -> tuple[list[Near], Mapping[UUID, GroupFacts]]:
    """For each image that waits: its groups, the nearest image first; and the facts of the groups."""
    state = state or vectors.embedding_state(batch)
    if state.source is None:
        return [], {}
    measured = _measured(batch, state.source, state.key)
    free = BatchImage.objects.filter(batch=batch, group=None).movable().present()
    waiting = list(free.order_by("pk").values_list("pk", flat=True))
    if not waiting or not measured.facts:
        return [], measured.facts
    # What is locked, rejected or taken out by hand is no part of the state.
    digest = hashlib.sha256(repr(waiting).encode()).hexdigest()[:16]
    key = f"suggestions:{state.key}:{digest}"
    kept: list[Near] | None = cache.get(key)
    if kept is not None:
        return kept, measured.facts
    keys = sorted(measured.centroids)
    centroids = [measured.centroids[key] for key in keys]
    source = (state.source.model, state.source.weights_sha256)
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST, [keys, centroids, *source, waiting, CHOICES])
        images = [Near(image, tuple(groups), tuple(far)) for image, groups, far in cursor.fetchall()]
    cache.set(key, images, CACHED_S)
    return images, measured.facts


def nearest(
    batch: Batch,
    *,
    max_distance: float | None = None,
    group_label: str | None = None,
    state: vectors.EmbeddingState | None = None,
) -> list[Near]:
    """The images in no group that have a group near them, the nearest first.

    Args:
        max_distance: none that is farther from its nearest group.
        group_label: only those whose nearest group is this.
        state: of the batch's vectors, where the caller has read it already.

    Raises:
        ApiError: 400 for a label that the batch does not have, or a distance that is none.
    """
    return _chosen(_nearest(batch, state)[0], _checked(max_distance), _group_of(batch, group_label))


def _checked(max_distance: float | None) -> float | None:
    if max_distance is not None and not 0 <= max_distance <= 2:
        raise invalid_field("max_distance", f"Enter a number from 0 to 2, not {max_distance}.")
    return max_distance


def _group_of(batch: Batch, label: str | None) -> UUID | None:
    if label is None:
        return None
    key = batch.groups.filter(label=label).values_list("pk", flat=True).first()
    if key is None:
        raise invalid_field("group_label", phrases.no_group(label), code=ErrorCode.DOES_NOT_EXIST)
    return UUID(str(key))


def _chosen(images: Sequence[Near], max_distance: float | None, group_id: UUID | None) -> list[Near]:
    return [
        near
        for near in images
        if (max_distance is None or near.distances[0] <= max_distance)
        and (group_id is None or near.groups[0] == group_id)
    ]


def suggestions(
    batch: Batch,
    *,
    max_distance: float | None = None,
    group_label: str | None = None,
    limit: int = 50,
    offset: int = 0,
    state: vectors.EmbeddingState | None = None,
) -> SuggestionPage:
    """A page of the images in no group with the groups nearest to them; see `nearest`."""
    images, facts = _nearest(batch, state)
    chosen = _chosen(images, _checked(max_distance), _group_of(batch, group_label))
    page = chosen[offset : offset + limit]
    names = dict(
        Image.objects.filter(pk__in=[near.image_id for near in page]).values_list("pk", "original_filename")
    )
    groups = {group.pk: group for group in batch.groups.all()}
    results = []
    for near in page:
        choices = []
        for key, distance in zip(near.groups, near.distances, strict=True):
            if key in groups:  # it may have gone since
                radius = facts[key].radius
                closeness = distance / radius if radius > 0 else None
                choices.append(NearGroup(groups[key], distance, distance <= radius, closeness))
        results.append(Suggestion(near.image_id, names.get(near.image_id, ""), choices))
    return SuggestionPage(
        results, len(chosen), BatchImage.objects.filter(batch=batch, group=None).present().count()
    )


def counts_by_distance(
    batch: Batch, *, group_label: str | None = None, state: vectors.EmbeddingState | None = None
) -> list[tuple[float, int]]:
    """For a slider: distances from that of the nearest image to that of the farthest, and how many are up to each."""
    distances = sorted(near.distances[0] for near in nearest(batch, group_label=group_label, state=state))
    if not distances:
        return []
    low, high = distances[0], distances[-1]
    places = [low + (high - low) * number / STEPS for number in range(STEPS + 1)]
    # Rounded up, so that the last step holds the farthest image.
    steps = sorted({min(2.0, -(-place * 10_000 // 1) / 10_000) for place in places})
    return [(step, sum(distance <= step for distance in distances)) for step in steps]

"""The groups of a batch as lists show them: counted, with their facts, in the order that was asked for."""

from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from api.core.errors import ErrorCode, invalid_choice, invalid_field
from batches import phrases
from batches.groups.statistics import group_facts
from batches.groups.validation import UNASSIGNED
from batches.models import Batch, BatchImage, Group
from images.models import Image

ORDERINGS = (
    "-count",
    "count",
    "label",
    "-label",
    "name",
    "-name",
    "cohesion",
    "-cohesion",
    "status",
    "-status",
)


def counted(batch: Batch) -> QuerySet[Group]:
    """The groups with `count`, `rejected_count`, `first_image`, `has_cover`, without images that lie in the trash."""
    present = Q(members__image__status__in=Image.PRESENT)
    rejected = Q(members__decision=BatchImage.Decision.REJECTED)
    inside = BatchImage.objects.present().filter(group=OuterRef("pk"))
    first = inside.order_by("position", "id")
    return (
        Group.objects.filter(batch=batch)
        .with_counts()
        .annotate(
            rejected_count=Count("members", filter=present & rejected),
            first_image=Subquery(first.values("image")[:1]),
            has_cover=Exists(inside.filter(image=OuterRef("cover"))),
        )
    )


def listed_groups(batch: Batch, *, ordering: str = "-count", labels: Any = None) -> list[Group]:
    """The groups in order, each also with `radius`, `cohesion` and `shown_cover` (the chosen one, or the medoid).

    Args:
        ordering: one of `ORDERINGS`; by cohesion, the loosest group comes first.
        labels: only these.
    """
    if ordering not in ORDERINGS:
        raise invalid_choice("ordering", ordering, ORDERINGS)
    queryset = counted(batch) if labels is None else counted(batch).filter(label__in=labels)
    groups: list[Any] = list(queryset)
    facts_by_group = group_facts(batch)
    for group in groups:
        facts = facts_by_group.get(group.pk)
        group.radius = None if facts is None else facts.radius
        group.cohesion = None if facts is None else facts.cohesion
        medoid = group.first_image if facts is None else facts.medoid
        group.shown_cover = group.cover_id if group.has_cover else medoid
    is_descending, cell = ordering.startswith("-"), ordering.removeprefix("-")
    groups.sort(key=lambda group: by_label(group.label))
    groups.sort(key=lambda group: _sort_key(group, cell), reverse=is_descending)
    return groups


def _sort_key(group: Any, cell: str) -> Any:
    if cell == "label":
        return by_label(group.label)
    if cell == "cohesion":
        return (group.cohesion is None, group.cohesion or 0.0)
    return group.title.casefold() if cell == "name" else getattr(group, cell)


def by_label(label: str) -> tuple[int, int, str]:
    """2 before 10 before shoes."""
    is_number = label.isascii() and label.isdigit()
    return (0, int(label), "") if is_number else (1, 0, label)


def in_group(batch: Batch, label: Any, *, field: str) -> Q:
    """The members of the group of a label, or of none for "unassigned"; all where there is no label.

    Raises:
        ApiError: 400 naming `field`, if the batch has no such group.
    """
    if label is None:
        return Q()
    if str(label).strip().lower() in UNASSIGNED:
        return Q(group=None)
    group = batch.groups.filter(label=str(label)).first()
    if group is None:
        raise invalid_field(field, phrases.no_group(label), code=ErrorCode.DOES_NOT_EXIST)
    return Q(group=group)


def unassigned_count(batch: Batch) -> int:
    """How many images of the batch are in no group."""
    return batch.batch_images.present().filter(group=None).count()


def image_ids_by_label(batch: Batch) -> dict[str, list[UUID]]:
    """The images of each group by its label, in the batch's order; those of no group under the empty label."""
    rows = batch.batch_images.present().order_by("position", "id").values_list("group__label", "image_id")
    ids_by_label: dict[str, list[UUID]] = {}
    for label, key in rows:
        ids_by_label.setdefault(label or "", []).append(key)
    return ids_by_label

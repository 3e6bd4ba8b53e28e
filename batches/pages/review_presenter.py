"""What the review page shows: groups in an order with their first pictures, one group's pictures, how far it is.

Every function asks a constant number of queries, whatever the number of groups and images.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    F,
    IntegerField,
    Q,
    QuerySet,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber

from batches.clustering import vectors
from batches.groups import statistics
from batches.models import Batch, BatchImage, Group
from images.models import Image

STRIP = 12
GROUPS_PER_PAGE = 8  # two screens; the next ones come while people scroll, and 30 took a third of a second
ORDERS = {"largest": "Largest first", "worst": "Least similar first", "open": "Unreviewed first"}
STATUSES = {"all": "All groups", "open": "Unreviewed", "confirmed": "Confirmed"}
UNKNOWN_COHESION = 9.0  # after every real one
_IMAGE = ("id", "title", "original_filename", "status", "quality_grade", "issues")


@dataclass(frozen=True)
class GroupRow:
    """A group as lists show it; `cohesion` is 0 to 1, None without vectors."""

    group: Group
    count: int
    rejected: int
    cohesion: float | None
    cover: UUID | None  # the chosen picture, or the most typical one
    members: list[BatchImage] = field(default_factory=list)

    @property
    def percent(self) -> int:
        return round(100 * (self.cohesion or 0))


@dataclass(frozen=True)
class GroupListQuery:
    """How somebody wants to see the groups."""

    order: str = "largest"
    status: str = "all"
    search: str = ""
    pictures: str = "place"  # the order inside of an opened group

    @property
    def is_filtered(self) -> bool:
        return self.status != "all" or bool(self.search)

    def key(self, row: GroupRow) -> tuple[float, str]:
        if self.order == "worst":
            number = UNKNOWN_COHESION if row.cohesion is None else round(row.cohesion, 6)
        elif self.order == "open":
            number = 1e9 * row.group.is_confirmed - row.count
        else:
            number = -row.count
        return float(number), row.group.label

    def finds(self, row: GroupRow) -> bool:
        if self.status != "all" and row.group.status != self.status:
            return False
        return not self.search or self.search.casefold() in f"{row.group.title} {row.group.label}".casefold()


@dataclass(frozen=True)
class Progress:
    """37 of 212 groups are done; `unassigned` images are in none."""

    confirmed: int
    total: int
    unassigned: int


@dataclass(frozen=True)
class GroupPage:
    """Some groups with their first pictures, and where the next ones begin."""

    rows: list[GroupRow]
    next_cursor: str


def rows_of(batch: Batch, *, state: vectors.EmbeddingState | None = None) -> list[GroupRow]:
    """Every group of a batch with its numbers, without pictures."""
    # Counted from the members: joined to the groups, the planner read them once for every group (0.3 s for 200).
    inside = BatchImage.objects.filter(batch=batch, group__isnull=False).present().order_by()
    is_rejected = Q(decision=BatchImage.Decision.REJECTED)
    counted = inside.values("group").annotate(count=Count("pk"), rejected=Count("pk", filter=is_rejected))
    counts = {row["group"]: (row["count"], row["rejected"]) for row in counted}
    first = inside.order_by("group", "position", "pk").distinct("group").values_list("group", "image")
    facts_by_group, firsts = statistics.group_facts(batch, state=state), dict(first)
    rows = []
    for group in Group.objects.filter(batch=batch):
        facts = facts_by_group.get(group.pk)
        cover = group.cover_id or (facts.medoid if facts else firsts.get(group.pk))
        cohesion = facts.cohesion if facts else None
        rows.append(GroupRow(group, *counts.get(group.pk, (0, 0)), cohesion, cover))
    return rows


def ordered(rows: Iterable[GroupRow], query: GroupListQuery) -> list[GroupRow]:
    """The requested rows, in their order."""
    return sorted((row for row in rows if query.finds(row)), key=query.key)


def page(rows: Sequence[GroupRow], query: GroupListQuery, *, after: str = "") -> GroupPage:
    """The groups after a cursor. A cursor is a place in the order: it holds though its group be gone."""
    place = _place(after)
    following = [row for row in rows if query.key(row) > place] if place else list(rows)
    shown = following[:GROUPS_PER_PAGE]
    if len(following) <= len(shown):
        return GroupPage(with_members(shown), "")
    number, label = query.key(shown[-1])
    return GroupPage(with_members(shown), f"{number!r}_{label}")


def _place(cursor: str) -> tuple[float, str] | None:
    number, _, label = cursor.partition("_")
    try:
        return float(number), label
    except ValueError:
        return None


def with_members(rows: Sequence[GroupRow]) -> list[GroupRow]:
    """The rows with their first pictures, all of them by one query: the cover first, rejected ones last."""
    if not rows:
        return []
    is_cover = Case(
        When(image=F("group__cover"), then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    is_rejected = Case(
        When(decision=BatchImage.Decision.REJECTED, then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    first_images = (
        members(BatchImage.objects.filter(group__in=[row.group.pk for row in rows]))
        .annotate(
            rank=Window(
                RowNumber(),
                partition_by=[F("group")],
                order_by=[is_cover, is_rejected, F("position"), F("pk")],
            )
        )
        .filter(rank__lte=STRIP)
        .order_by("group", "rank")
    )
    by_group: dict[UUID, list[BatchImage]] = {row.group.pk: [] for row in rows}
    for member in first_images:
        if member.group_id is not None:
            by_group[member.group_id].append(member)
    return [replace(row, members=by_group[row.group.pk]) for row in rows]


def members(queryset: QuerySet[BatchImage]) -> QuerySet[BatchImage]:
    """Rows whose pictures are in the library, with what a tile shows."""
    needed = [f"image__{name}" for name in _IMAGE]
    own = [column.name for column in BatchImage._meta.concrete_fields if column.name != "added_by"]
    return queryset.filter(image__status__in=Image.PRESENT).select_related("image").only(*own, *needed)


def progress(batch: Batch, rows: Sequence[GroupRow]) -> Progress:
    """How far the review is."""
    unassigned = BatchImage.objects.filter(batch=batch, group=None).present().count()
    return Progress(sum(row.group.is_confirmed for row in rows), len(rows), unassigned)


def touched(batch: Batch, *, since: int) -> tuple[set[UUID], set[UUID], bool]:
    """Which groups and images the changes after a version concern, and whether they are too many to name."""
    groups: set[UUID] = set()
    images: set[UUID] = set()
    changes = batch.changes.filter(version__gt=since).order_by("sequence")
    if changes.aggregate(n=Count("pk"))["n"] > 100:
        return groups, images, True
    for change in changes.iterator(chunk_size=20):
        for payload in (change.forward, change.inverse):
            groups |= {UUID(key) for key in payload.get("groups", {})}
            cells = payload.get("images", {})
            images |= {UUID(key) for key in cells}
            groups |= {UUID(row["group"]) for row in cells.values() if row and row.get("group")}
        if len(images) > 1000 or len(groups) > 60:
            return groups, images, True
    # A decision or a lock names no group: those that its images are in now are shown with them.
    now = BatchImage.objects.filter(batch=batch, image__in=images, group__isnull=False)
    return groups | set(now.values_list("group", flat=True).distinct()), images, False


def words_of(member: BatchImage) -> str:
    """How surely an image is where it is, in plain words."""
    if member.group_id is None:
        placed = member.assigned_by == BatchImage.AssignedBy.MANUAL
        return (
            "taken out of its group by a person" if placed else "unassigned: not similar enough to any group"
        )
    by_person = {
        BatchImage.AssignedBy.MANUAL: "placed by a person",
        BatchImage.AssignedBy.IMPORT: "placed by an import",
        BatchImage.AssignedBy.PROPAGATED: "added later, within the radius of the group",
    }
    if member.assigned_by in by_person:
        return by_person[BatchImage.AssignedBy(member.assigned_by)]
    sure = member.probability
    if sure is None:
        return "placed automatically"
    return next(word for least, word in _SURENESS if sure >= least)


_SURENESS = (
    (0.8, "certainly in this group"),
    (0.5, "probably in this group"),
    (0.0, "possibly in this group"),
)


def strips_of(batch: Batch, keys: Collection[UUID], rows: Sequence[GroupRow]) -> list[GroupRow]:
    """The rows of some groups with their pictures."""
    return with_members([row for row in rows if row.group.pk in keys])

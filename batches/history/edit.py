"""A change of a batch's groups while it is being made: rows are loaded, altered in memory, compared at the end."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from api.core.errors import ApiError, ErrorCode, FieldError, invalid_field
from batches import phrases
from batches.history import snapshots
from batches.models import Batch, BatchImage, Group, GroupingChange
from images.models import DuplicatePair

MAX_LABEL = 64
NAMED = 100


class Edit:
    """Reads come from the database, so before a group is looked up by its label all of them are loaded once.

    Attributes:
        summary: what the history says: "moved 37 images from red shoes to boots".
        change: the line of the history, once the block of `changes.edit` has ended; None when nothing differed.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.summary = ""
        self.change: GroupingChange | None = None
        self.before: snapshots.State = {}
        self.after: snapshots.State = {}
        self._members: dict[UUID, BatchImage] = {}
        self._groups: dict[UUID, Group] | None = None

    def difference(self) -> tuple[snapshots.State, snapshots.State]:
        return snapshots.difference(self.before, self.after)

    # Images

    def members(self, image_ids: Iterable[UUID], *, field: str = "image_ids") -> dict[UUID, BatchImage]:
        """The batch's rows of these images, in the order they were named.

        Raises:
            ApiError: 400 naming the images that are not in the batch.
        """
        requested_ids = list(dict.fromkeys(image_ids))
        self._load(BatchImage.objects.filter(batch=self.batch, image_id__in=requested_ids))
        if strangers := [key for key in requested_ids if key not in self._members]:
            errors = [
                FieldError(field, ErrorCode.DOES_NOT_EXIST, phrases.not_in_batch(key))
                for key in strangers[:NAMED]
            ]
            raise ApiError(ErrorCode.DOES_NOT_EXIST, f"{field}: {errors[0].detail}", errors=errors)
        return {key: self._members[key] for key in requested_ids}

    def members_of(self, *groups: Group) -> dict[UUID, BatchImage]:
        """The rows of all images that are in these groups now."""
        members = self._load(BatchImage.objects.filter(batch=self.batch, group__in=groups))
        return {row.image_id: row for row in members}

    def all_members(self) -> dict[UUID, BatchImage]:
        """Every row of the batch."""
        members = self._load(BatchImage.objects.filter(batch=self.batch))
        return {row.image_id: row for row in members}

    def _load(self, rows: Iterable[BatchImage]) -> list[BatchImage]:
        members = []
        for row in rows:
            row = self._members.setdefault(row.image_id, row)
            members.append(row)
            self._note("images", str(row.image_id), snapshots.values_of("images", row))
        return members

    def set_image(self, image_id: UUID, **values: Any) -> None:
        """Set cells of an image that was loaded: group (a Group or None), assigned_by, locked, decision …"""
        if "group" in values:
            group = values["group"]
            values["group"] = None if group is None else str(group.pk)
        self._set("images", str(image_id), values)

    def group_of(self, image_id: UUID) -> Group | None:
        """The group that an image is in as the edit stands."""
        values = self.after["images"][str(image_id)] or {}
        return self.groups.get(UUID(values["group"])) if values.get("group") else None

    def add_image(self, image_id: UUID, *, position: int, by: Any) -> None:
        row = BatchImage(
            batch=self.batch, image_id=image_id, position=position, added_at=timezone.now(), added_by=by
        )
        self._note("images", str(image_id), None)
        self.after["images"][str(image_id)] = snapshots.values_of("images", row)

    def drop_image(self, image_id: UUID) -> None:
        self.after["images"][str(image_id)] = None

    # Groups

    @property
    def groups(self) -> dict[UUID, Group]:
        """The batch's groups by id, with those that this edit has made."""
        if self._groups is None:
            self._groups = {}
            for group in Group.objects.filter(batch=self.batch):
                self._groups[group.pk] = group
                self._note("groups", str(group.pk), snapshots.values_of("groups", group))
        return self._groups

    def group(self, label: str, *, field: str = "label") -> Group:
        """The group of a label.

        Raises:
            ApiError: 400 where the batch has none of this label.
        """
        for group in self.groups.values():
            if group.label == label:
                return group
        raise invalid_field(field, phrases.no_group(label), code=ErrorCode.DOES_NOT_EXIST)

    def new_group(
        self, *, label: str | None = None, name: str = "", colour: str = "", cover_id: UUID | None = None
    ) -> Group:
        """A group that is made by this edit; without a label it gets the next free number."""
        taken = {group.label for group in self.groups.values()}
        if label is not None and label in taken:
            raise invalid_field("label", f"This batch already has a group “{label}”.", code=ErrorCode.UNIQUE)
        if not label:
            self.batch.last_label += 1
            while str(self.batch.last_label) in taken:
                self.batch.last_label += 1
            label = str(self.batch.last_label)
        group = Group(pk=uuid4(), batch=self.batch, label=label, name=name, colour=colour, cover_id=cover_id)
        self.groups[group.pk] = group
        self._note("groups", str(group.pk), None)
        self.after["groups"][str(group.pk)] = snapshots.values_of("groups", group)
        return group

    def set_group(self, group: Group, **values: Any) -> None:
        """Set cells of a group: label, name, colour, cover (an image's id or None), status."""
        if "cover" in values:
            values["cover"] = None if values["cover"] is None else str(values["cover"])
        self._set("groups", str(group.pk), values)
        for cell, value in values.items():
            setattr(group, snapshots.GROUP[cell], UUID(value) if cell == "cover" and value else value)

    def drop_group(self, group: Group) -> None:
        """Remove a group; the caller has moved its members."""
        self.after["groups"][str(group.pk)] = None
        self.groups.pop(group.pk, None)

    # Other rows

    def set_pair(self, pair: DuplicatePair, **values: Any) -> None:
        """Set cells of a pair of near-duplicates: verdict, decided_by (a user's key), decided_at."""
        self._note("pairs", str(pair.pk), snapshots.values_of("pairs", pair))
        plain = {cell: snapshots.plain(value) for cell, value in values.items()}
        self._set("pairs", str(pair.pk), plain)

    def set_batch(self, **values: Any) -> None:
        """Set cells of the batch itself: active_run (a run's id or None)."""
        self._note("batch", str(self.batch.pk), snapshots.values_of("batch", self.batch))
        self._set(
            "batch", str(self.batch.pk), {cell: snapshots.plain(value) for cell, value in values.items()}
        )

    # Cells

    def _note(self, table: str, key: str, values: snapshots.Values) -> None:
        """Remember how a row was when the edit first met it."""
        if key not in self.before.setdefault(table, {}):
            self.before[table][key] = values
            self.after.setdefault(table, {})[key] = None if values is None else dict(values)

    def _set(self, table: str, key: str, values: dict[str, Any]) -> None:
        row = self.after[table][key]
        assert row is not None, f"{table} {key} is not there"
        row.update(values)


def titles(groups: Sequence[Group | None], *, most: int = 3) -> str:
    """Names of groups for a sentence: red shoes, boots and 4 others."""
    return phrases.titles(["no group" if group is None else group.title for group in groups], most=most)

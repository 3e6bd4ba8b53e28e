"""Random work on the groups of a batch, for tests that compare its state before and after."""

import random
from typing import Any

from api.core.errors import ApiError
from batches.groups import operations as grouping
from batches.history import changes
from batches.membership import add_images, remove_images
from batches.models import Batch, BatchImage, Group
from images.models import Image

REASONS = ("", "blurred", "not ours")


def state(batch: Batch) -> dict[str, Any]:
    """All that changes of groups can alter, as plain values."""
    members = BatchImage.objects.filter(batch=batch).order_by("image")
    groups = Group.objects.filter(batch=batch).order_by("pk")
    return {
        "images": list(
            members.values_list(
                "image",
                "position",
                "group",
                "assigned_by",
                "locked",
                "probability",
                "outlier_score",
                "decision",
                "reject_reason",
                "added_at",
            )
        ),
        "groups": list(groups.values_list("pk", "label", "name", "colour", "cover", "status")),
        "active_run": Batch.objects.get(pk=batch.pk).active_run_id,
    }


class RandomWork:
    """Draws steps from a seed; `step` answers the change that it made, or None where it made none."""

    def __init__(self, batch: Batch, images: list[Image], *, seed: int, actor: Any = None) -> None:
        self.batch, self.images, self.actor = batch, [image.pk for image in images], actor
        self.random = random.Random(seed)

    def step(self) -> Any:
        name = self.random.choice(
            ["move", "move", "out", "create", "edit", "confirm", "delete", "merge", "split", "decide"]
            + ["lock", "set", "add", "remove"]
        )
        before = self.batch.changes.count()
        try:
            getattr(self, f"_{name}")()
        except ApiError as error:
            if error.status not in (400, 409):  # what a person could not do here either
                raise
        last = self.batch.changes.order_by("sequence").last()
        return last if self.batch.changes.count() > before else None

    def _inside(self, most: int = 8) -> list[Any]:
        keys = list(self.batch.batch_images.order_by("image").values_list("image", flat=True))
        return self.random.sample(keys, min(len(keys), self.random.randint(1, most)))

    def _labels(self) -> list[str]:
        return list(self.batch.groups.order_by("label").values_list("label", flat=True)) or ["none"]

    def _label(self) -> str:
        return self.random.choice(self._labels())

    def _move(self) -> None:
        grouping.move(self.batch, self._inside(), to=self._label(), actor=self.actor)

    def _out(self) -> None:
        grouping.move(self.batch, self._inside(), to=None, actor=self.actor)

    def _create(self) -> None:
        label = self.random.choice([None, f"label {self.random.randint(1, 9)}"])
        grouping.create_group(self.batch, label=label, name="new", image_ids=self._inside(), actor=self.actor)

    def _edit(self) -> None:
        values: dict[str, Any] = {"name": f"name {self.random.randint(1, 99)}", "colour": "#e11d48"}
        if self.random.random() < 0.3:
            values["label"] = f"label {self.random.randint(1, 9)}"
        grouping.edit_group(self.batch, self._label(), values=values, actor=self.actor)

    def _confirm(self) -> None:
        status = self.random.choice(["open", "confirmed"])
        grouping.edit_group(self.batch, self._label(), values={"status": status}, actor=self.actor)

    def _delete(self) -> None:
        grouping.delete_group(self.batch, self._label(), actor=self.actor)

    def _merge(self) -> None:
        sources = self.random.sample(self._labels(), min(2, len(self._labels())))
        grouping.merge(self.batch, into=self._label(), sources=sources, actor=self.actor)

    def _split(self) -> None:
        label = self._label()
        inside = list(self.batch.batch_images.filter(group__label=label).values_list("image", flat=True))
        grouping.split(self.batch, label, inside[: len(inside) // 2], actor=self.actor)

    def _decide(self) -> None:
        decision = self.random.choice(BatchImage.Decision.values)
        reason = self.random.choice(REASONS) if decision == "rejected" else ""
        grouping.decide(self.batch, self._inside(), decision=decision, reason=reason, actor=self.actor)

    def _lock(self) -> None:
        grouping.lock(self.batch, self._inside(), locked=self.random.random() < 0.5, actor=self.actor)

    def _set(self) -> None:
        keys = self._inside()
        half = len(keys) // 2
        label = f"label {self.random.randint(1, 9)}"
        grouping.set_groups(self.batch, {label: keys[:half], "noise": keys[half:]}, actor=self.actor)

    def _add(self) -> None:
        add_images(self.batch, self.random.sample(self.images, 5), actor=self.actor)

    def _remove(self) -> None:
        remove_images(self.batch, self._inside(3), actor=self.actor)


def undo_all(batch: Batch) -> int:
    """Take everything back, one step after the other; answers how many."""
    count = 0
    while changes.next_undo(batch) is not None:
        changes.undo(batch, actor=None)
        count += 1
    return count


def redo_all(batch: Batch) -> int:
    count = 0
    while changes.next_redo(batch) is not None:
        changes.redo(batch, actor=None)
        count += 1
    return count

"""Batches with a run in force that has laid their images onto a map, without a network or a clustering."""

from collections.abc import Sequence

import numpy as np

from batches.membership import add_images
from batches.models import Batch, BatchImage, ClusterAssignment, ClusterRun, Group
from batches.services import create_batch
from images.models import Image


def mapped_batch(images: Sequence[Image], *, groups: int, noise: int = 0, name: str = "Map") -> Batch:
    """The images in turns in so many groups, the last `noise` of them in none; groups lie on a circle."""
    batch = create_batch(name, owner=None)
    add_images(batch, [image.pk for image in images], actor=None)
    give_run(batch, images, groups=groups, noise=noise)
    return batch


def give_run(batch: Batch, images: Sequence[Image], *, groups: int, noise: int = 0) -> ClusterRun:
    """A completed run over these images, put in force; the batch's groups become its groups."""
    dice = np.random.default_rng(4)
    number = batch.runs.count() + 1
    run = ClusterRun.objects.create(
        batch=batch,
        number=number,
        status="completed",
        model="pix_small",
        weights_sha256="0" * 64,
        n_images=len(images),
        n_groups=groups,
        n_noise=noise,
    )
    made = [
        Group(batch=batch, label=str(n + 1), name=f"Sort {n + 1}" if n % 2 else "") for n in range(groups)
    ]
    Group.objects.bulk_create(made)
    rows = []
    for place, image in enumerate(images):
        label = -1 if not groups or place >= len(images) - noise else place % groups
        x, y = _place(label, groups, dice)
        row = ClusterAssignment(run=run, image=image, label=label, x=x, y=y)
        row.outlier_score, row.probability = float(dice.random()), float(dice.random())
        rows.append(row)
    ClusterAssignment.objects.bulk_create(rows, batch_size=1000)
    for label, group in enumerate(made):
        chosen = [row.image_id for row in rows if row.label == label]
        batch.batch_images.filter(image__in=chosen).update(
            group=group, assigned_by=BatchImage.AssignedBy.AUTO
        )
    batch.active_run = run
    batch.save(update_fields=["active_run"])
    return run


def _place(label: int, groups: int, dice: np.random.Generator) -> tuple[float, float]:
    if label < 0:
        return float(dice.uniform(-0.8, 0.8)), float(dice.uniform(-0.8, 0.8))
    angle = 2 * np.pi * label / groups
    distance = 0.35 + 0.25 * (label % 2)
    x, y = distance * np.cos(angle), distance * np.sin(angle)
    return float(x + dice.normal(0, 0.05)), float(y + dice.normal(0, 0.05))

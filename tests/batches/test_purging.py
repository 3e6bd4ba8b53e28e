"""Deleted batches go for good after a while; their images stay."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batches import processing, services
from batches.groups import operations as grouping
from batches.membership import add_images
from batches.models import Batch, BatchImage, ClusterRun, GroupingChange
from images.models import Image
from processing.engine.registry import CHORES
from processing.engine.worker import run_until_idle
from processing.models import Job
from processing.services import parse_work
from tests.factories import make_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch():
    image = make_image()
    batch = services.create_batch("Shoes", owner=None)
    add_images(batch, [image.pk], actor=None)
    grouping.create_group(batch, name="red", image_ids=[image.pk], actor=None)
    run = ClusterRun.objects.create(batch=batch, number=1, status="completed", model="pix_small")
    run.assignments.create(image=image, label=0)
    Batch.objects.filter(pk=batch.pk).update(active_run=run)
    return batch


def deleted(batch, days):
    Batch.objects.filter(pk=batch.pk).update(deleted_at=timezone.now() - timedelta(days=days))


def test_an_old_deleted_batch_goes_with_all_but_its_images_and_jobs(batch, settings):
    settings.TRASH_DAYS = 30
    job = processing.process_batch(batch, parse_work(operations=["webp"]))
    run_until_idle()
    deleted(batch, 31)

    assert services.purge_old() == 1

    gone = (Batch, BatchImage, GroupingChange, ClusterRun)
    assert [model.objects.count() for model in gone] == [0, 0, 0, 0]
    assert (Image.objects.count(), Job.objects.get(pk=job.pk).batch) == (1, None)


def test_younger_batches_and_present_ones_stay(batch, settings):
    settings.TRASH_DAYS = 30
    assert services.purge_old() == 0
    deleted(batch, 29)
    assert services.purge_old() == 0
    deleted(batch, 31)
    settings.TRASH_DAYS = 0  # for ever
    assert services.purge_old() == 0

    assert Batch.objects.count() == 1


def test_the_sweeper_does_it():
    assert CHORES["batches.purge"] == (services.PURGE_INTERVAL_S, services.purge_old)

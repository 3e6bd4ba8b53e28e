"""Two reviewers, an analysis and a deletion at the same moment: counts right, nothing dangling, all of it undone."""

import random
from collections import Counter

import pytest
from django.db import connection, transaction
from django.db.models import F

from api.core.errors import ApiError
from batches import processing, services
from batches.clustering import activation
from batches.groups import operations as grouping
from batches.history.changes import ExpectedVersion
from batches.membership import add_images, remove_images
from batches.models import Batch, BatchImage, ClusterAssignment, ClusterRun, Group, GroupingChange
from images.services import restore_many, trash_many
from processing.services import parse_work
from tests.batches.history.random_changes import RandomWork, redo_all, state, undo_all
from tests.factories import make_rows, make_user
from tests.factories.batches import make_batch
from tests.factories.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

# What somebody may be told who comes second: their object is gone, or the batch is deleted for a moment.
TOLD = (400, 404, 409, 410, 412)


def make_run(batch, rows, *, number=1):
    """A completed run that puts the images into four groups and noise."""
    labels = {row.pk: index % 5 - 1 for index, row in enumerate(rows)}
    run = ClusterRun.objects.create(
        batch=batch,
        number=number,
        status="completed",
        model="pix_small",
        n_images=len(rows),
        groups=[{"label": label, "size": 1, "medoid": None} for label in range(4)],
    )
    ClusterAssignment.objects.bulk_create(
        ClusterAssignment(run=run, image_id=key, label=label, probability=0.9)
        for key, label in labels.items()
    )
    return run


def check_nothing_dangles(batch):
    batch = services.listed(Batch.objects.filter(pk=batch.pk)).get()
    members = BatchImage.objects.filter(batch=batch)
    groups = set(Group.objects.filter(batch=batch).values_list("pk", flat=True))
    assert set(members.exclude(group=None).values_list("group", flat=True)) <= groups
    assert not members.exclude(group=None).exclude(group__batch=F("batch")).exists()
    inside = members.filter(image__status__in=["ready", "damaged"])
    assert batch.image_count == inside.count()
    assert batch.assigned_count == inside.filter(group__isnull=False).count()
    assert batch.group_count == len(groups)
    steps = list(GroupingChange.objects.filter(batch=batch).order_by("sequence"))
    assert [step.sequence for step in steps] == list(range(1, len(steps) + 1))
    assert [step.version for step in steps] == list(range(1, batch.version + 1))


def quietly(call):
    """What came of a call: "done", or the status of a refusal that a person may get; all else is an error."""
    try:
        call()
    except ApiError as error:
        if error.status not in TOLD:
            raise
        return error.status
    return "done"


def test_two_reviewers_an_analysis_and_a_deletion_at_once():
    rows = make_rows(80)
    batch = services.create_batch("Shoes", owner=None)
    start = state(batch)
    add_images(batch, [row.pk for row in rows[:60]], actor=None)
    runs = [make_run(batch, rows[:60], number=number) for number in (1, 2)]
    anna, ben = make_user("write"), make_user("write")

    def review(seed, actor):
        reviewer = RandomWork(Batch.objects.get(pk=batch.pk), rows, seed=seed, actor=actor)
        return Counter(quietly(reviewer.step) for _ in range(40))

    def analyse():
        own = Batch.objects.get(pk=batch.pk)
        told = Counter()
        for turn in range(12):
            told[quietly(lambda turn=turn: activation.activate(own, runs[turn % 2], actor=None))] += 1
        return told

    def delete():
        dice, told = random.Random(7), Counter()
        keys = [row.pk for row in rows]
        for _ in range(12):
            own, some = Batch.objects.get(pk=batch.pk), dice.sample(keys, 40)
            told[quietly(lambda own=own: services.delete_batch(own, actor=None))] += 1
            told[quietly(lambda own=own: services.restore_batch(own, actor=None))] += 1
            trash_many(some, actor=None)
            told[quietly(lambda own=own, some=some: remove_images(own, some[:10], actor=None))] += 1
            restore_many(some[::-1], actor=None)
        return told

    people = [lambda: review(1, anna), lambda: review(2, ben), analyse, delete]
    told = at_once(len(people), lambda number: people[number]())

    check_nothing_dangles(batch)
    assert all(counts["done"] for counts in told), told
    end = state(batch)
    steps = undo_all(batch)
    assert steps == GroupingChange.objects.filter(batch=batch, kind="undo").count() > 40
    assert state(batch) == start
    redo_all(batch)
    assert state(batch) == end
    check_nothing_dangles(batch)


def test_trashing_does_not_wait_for_what_refers_to_its_images():
    """It locks images in the order of their ids, new operations refer to them in that of the batch: if one had to wait
    for the other, both could wait in a circle."""
    rows = make_rows(3)
    batch = make_batch(rows)

    def trash(_number):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        return trash_many([row.pk for row in rows], actor=None)

    with transaction.atomic():
        processing.process_batch(batch, parse_work(operations=["webp"]))
        with connection.cursor() as cursor:
            cursor.execute(
                "SET CONSTRAINTS ALL IMMEDIATE"
            )  # as committing does: it locks what is referred to
        trashed = at_once(1, trash)

    assert sorted(trashed[0]) == sorted(row.pk for row in rows)


def test_of_many_decisions_on_one_version_one_is_taken():
    rows = make_rows(8)
    batch = make_batch(rows)
    seen = ExpectedVersion(batch.version)

    def decide(number):
        own = Batch.objects.get(pk=batch.pk)
        return quietly(
            lambda: grouping.decide(
                own, [rows[number].pk], decision="rejected", actor=None, expected_version=seen
            )
        )

    assert Counter(at_once(8, decide)) == {"done": 1, 412: 7}
    assert batch.batch_images.filter(decision="rejected").count() == 1


def test_merges_across_each_other_lose_no_image():
    rows = make_rows(40)
    batch = make_batch(rows)
    for label in ("a", "b", "c", "d"):
        start = ord(label) - ord("a")
        grouping.create_group(batch, label=label, image_ids=[row.pk for row in rows[start::4]], actor=None)
    pairs = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("a", "c"), ("c", "a")]

    def merge(number):
        into, source = pairs[number]
        own = Batch.objects.get(pk=batch.pk)
        return quietly(lambda: grouping.merge(own, into=into, sources=[source], actor=None))

    told = at_once(len(pairs), merge)

    assert set(told) <= {"done", 400}
    check_nothing_dangles(batch)
    assert batch.batch_images.filter(group__isnull=False).count() == 40


def test_a_batch_is_either_worked_on_or_deleted():
    rows = make_rows(30)
    to_webp = parse_work(operations=["webp"])
    for _ in range(5):
        batch = make_batch(rows)
        pair = [
            lambda own: processing.process_batch(own, to_webp),
            lambda own: services.delete_batch(own, actor=None),
        ]

        told = at_once(
            2, lambda number, b=batch, p=pair: quietly(lambda: p[number](Batch.objects.get(pk=b.pk)))
        )

        assert told in ([410, "done"], ["done", 409])
        assert batch.jobs.count() == (told[0] == "done")

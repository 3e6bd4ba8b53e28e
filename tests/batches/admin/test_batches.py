"""Batches in the admin: the list, one batch, making and describing."""

import re

import pytest
from django.urls import reverse

from batches import services
from batches.admin.details import throughput
from batches.groups import operations as grouping
from batches.models import Batch
from processing.engine.worker import run_until_idle
from processing.models import Operation
from tests.factories import make_rows, make_user
from tests.factories.admin import act, audited, said, waiting_job
from tests.factories.markup import squeezed

pytestmark = pytest.mark.django_db
BATCHES = "admin:batches_batch_changelist"


def make_batch(owner, *, images=3, name="Spring", **described):
    rows = make_rows(images)
    return services.create_batch(name, owner=owner, image_ids=[row.pk for row in rows], **described)


def keys(batch):
    return list(batch.batch_images.order_by("position").values_list("image", flat=True))


def page_url(batch):
    return reverse("admin:batches_batch_change", args=[batch.pk])


def listed(client, query=""):
    response = client.get(reverse(BATCHES) + query)
    assert response.status_code == 200
    return {batch.batch_name for batch in response.context["cl"].result_list}


def test_list_counts_images_groups_and_the_unassigned(operator):
    batch = make_batch(operator.user, images=5, assignee=operator.user)
    grouping.set_groups(batch, {"a": keys(batch)[:2], "b": keys(batch)[2:3]}, actor=operator.user)
    grouping.edit_group(batch, "a", values={"status": "confirmed"}, actor=operator.user)

    response = operator.get(reverse(BATCHES))

    (row,) = response.context["cl"].result_list
    assert (row.image_count, row.group_count, row.assigned_count, row.confirmed_count) == (5, 2, 3, 1)
    assert "1/2 groups" in response.content.decode()


def test_list_shows_the_job_that_works(operator):
    batch = make_batch(operator.user)
    waiting_job(batch_id=batch.pk)

    assert re.search(r"process 0&nbsp;%", operator.get(reverse(BATCHES)).content.decode())


def test_list_has_constant_queries(operator, django_assert_num_queries, django_assert_max_num_queries):
    waiting_job(batch_id=make_batch(operator.user, assignee=operator.user).pk)
    with django_assert_max_num_queries(20) as few:
        operator.get(reverse(BATCHES))
    for number in range(8):
        waiting_job(batch_id=make_batch(operator.user, name=f"{number}", images=1).pk)
    with django_assert_num_queries(len(few)):
        operator.get(reverse(BATCHES))


def test_filters_and_search(operator):
    anna = make_user("write", username="anna")
    mine = make_batch(operator.user, name="Mine", assignee=operator.user, note="for the shop", priority=0)
    make_batch(operator.user, name="Hers", assignee=anna)
    services.archive(make_batch(operator.user, name="Old"), actor=operator.user)
    services.delete_batch(make_batch(operator.user, name="Gone"), actor=operator.user)

    assert listed(operator) == {"Mine", "Hers"}
    assert listed(operator, "?shelf=archived") == {"Old"}
    assert listed(operator, "?shelf=deleted") == {"Gone"}
    assert listed(operator, "?shelf=all") == {"Mine", "Hers", "Old", "Gone"}
    assert listed(operator, "?assignee=me") == {"Mine"}
    assert listed(operator, "?assignee=@anna") == {"Hers"}
    assert listed(operator, "?shelf=all&assignee=nobody") == {"Old", "Gone"}
    assert listed(operator, "?priority__exact=0") == {"Mine"}
    assert listed(operator, "?review_stage__exact=approved") == set()
    assert listed(operator, "?q=shop") == {"Mine"}
    assert listed(operator, f"?q={mine.pk}") == {"Mine"}


def test_page_with_everything(operator, django_assert_max_num_queries):
    batch = make_batch(operator.user, images=6, note="Look at the **seams**")
    grouping.set_groups(batch, {"boots": keys(batch)[:4]}, actor=operator.user)
    waiting_job("test-double", "test-refused", batch_id=batch.pk)
    run_until_idle()

    with django_assert_max_num_queries(40):
        page = squeezed(operator.get(page_url(batch)).content.decode())

    for text in (
        "6 images in 1 group",
        "Group boots",
        "4 of 6",
        "2 unassigned",
        "Look at the **seams**",
        "Undo",
        "Throughput",
        "Retry failed operations…",
    ):
        assert text in page
    assert "Restore…" not in page


def test_page_has_constant_queries(operator, django_assert_num_queries, django_assert_max_num_queries):
    small, large = make_batch(operator.user, images=30), make_batch(operator.user, images=120)
    for batch, count in ((small, 30), (large, 60)):
        groups = {str(number): [key] for number, key in enumerate(keys(batch)[:count])}
        grouping.set_groups(batch, groups, actor=operator.user)

    with django_assert_max_num_queries(40) as few:
        operator.get(page_url(small))
    with django_assert_num_queries(len(few)):
        operator.get(page_url(large))


def test_empty_batch_has_a_page(operator):
    assert (
        "No images in this batch yet." in operator.get(page_url(make_batch(None, images=0))).content.decode()
    )


def test_unknown_batch(operator):
    response = operator.get(
        reverse("admin:batches_batch_change", args=["9f1c3a52-0000-4000-8000-000000000000"])
    )

    assert response.headers["Location"] == reverse("admin:index")


def test_add(operator):
    anna = make_user("write", username="anna")
    fields = {"batch_name": "Boots", "note": "n", "priority": "1", "assignee": anna.pk, "reviewer": ""}

    response = operator.post(reverse("admin:batches_batch_add"), fields)

    batch = Batch.objects.get()
    assert response.headers["Location"] == page_url(batch)
    assert (batch.batch_name, batch.priority, batch.assignee, batch.owner) == (
        "Boots",
        1,
        anna,
        operator.user,
    )
    assert audited()[-1] == ("batch.create", str(batch.pk))


def test_add_without_a_name_says_so(operator):
    response = operator.post(reverse("admin:batches_batch_add"), {"batch_name": " ", "priority": "2"})

    assert "must have 1 to 200 characters" in response.content.decode()
    assert not Batch.objects.exists()


def test_edit_changes_what_differs(operator):
    batch = make_batch(operator.user, priority=3)
    job = waiting_job(batch_id=batch.pk)
    fields = {"batch_name": "Autumn", "note": "", "priority": "0", "assignee": operator.user.pk}

    response = operator.post(page_url(batch), fields)

    batch.refresh_from_db()
    job.refresh_from_db()
    assert said(response) == ["Saved."]
    assert (batch.batch_name, batch.priority, batch.assignee, job.priority) == ("Autumn", 0, operator.user, 0)


def test_refused_edit_is_shown_again(operator):
    batch = make_batch(operator.user)

    response = operator.post(page_url(batch), {"batch_name": "x" * 201, "priority": "2"})

    assert "this one has 201" in response.content.decode()
    batch.refresh_from_db()
    assert batch.batch_name == "Spring"


def test_undo_of_a_step_from_the_page(operator):
    batch = make_batch(operator.user)
    grouping.set_groups(batch, {"a": keys(batch)}, actor=operator.user)
    step = batch.changes.first()

    response = operator.post(page_url(batch), {"undo": str(step.sequence)})

    assert said(response)[0].startswith("Undid: ")
    assert not batch.groups.exists()


@pytest.mark.parametrize("sequence", ["0", "99", "x", "-1", "", "9" * 30])
def test_undo_of_a_step_that_is_not_there(operator, sequence):
    batch = make_batch(operator.user)

    response = operator.post(page_url(batch), {"undo": sequence})

    assert "no change" in said(response)[0]
    assert batch.changes.count() == 1


def test_onlooker_may_look_and_export_only(onlooker):
    batch = make_batch(None)

    page = onlooker.get(page_url(batch)).content.decode()

    assert "Export…" in page
    for text in ("Analyze…", "Process…", "Delete…", ">Undo<", ">Save<"):
        assert text not in page
    assert onlooker.post(page_url(batch), {"batch_name": "Mine"}).status_code == 403
    assert onlooker.post(page_url(batch), {"undo": "1"}).status_code == 403
    assert onlooker.get(reverse("admin:batches_batch_add")).status_code == 403
    act(onlooker, BATCHES, "delete", batch, confirmed="yes")
    batch.refresh_from_db()
    assert (batch.batch_name, batch.deleted_at) == ("Spring", None)


def test_throughput_counts_what_ended(operator):
    batch = make_batch(operator.user)
    assert throughput(batch).columns == ()
    waiting_job("test-double", "test-double", "test-refused", batch_id=batch.pk)
    run_until_idle()

    found = throughput(batch)

    assert Operation.objects.filter(job__batch=batch).count() == 3
    assert (sum(c.completed for c in found.columns), sum(c.failed for c in found.columns)) == (2, 1)
    assert (found.step_s, len(found.columns)) == (60, 24)

"""What the admin does with chosen batches: each asks first, does what can be done and says why not the rest."""

import html
import json

import pytest
from django.urls import reverse

from api.models import AuditEvent
from batches import services, stages
from batches.groups import operations as grouping
from batches.models import Batch
from images.models import Image
from processing.engine.worker import run_until_idle
from processing.models import Job
from tests.batches.admin.test_batches import BATCHES, keys, make_batch, page_url
from tests.factories import make_image, make_user
from tests.factories.admin import act, audited, failed_job, said, waiting_job
from tests.factories.markup import squeezed
from tests.images.admin.test_process import inputs

pytestmark = pytest.mark.django_db


def text_of(response) -> str:
    return html.unescape(squeezed(response.content.decode()))


@pytest.fixture
def batch(operator):
    return make_batch(operator.user)


@pytest.mark.parametrize(
    "name",
    [
        "set_priority",
        "assign",
        "archive",
        "unarchive",
        "delete",
        "restore",
        "submit",
        "approve",
        "reject",
        "reopen",
        "export",
        "retry_failed",
        "cancel",
    ],
)
def test_question_says_how_many_and_how_long_and_changes_nothing(operator, batch, name):
    other = make_batch(operator.user, name="Autumn", images=2)
    before = list(Batch.objects.order_by("pk").values())

    page = text_of(act(operator, BATCHES, name, batch, other))

    assert "2 batches with 5 images" in page
    assert "<dt>Takes</dt>" in page
    assert ("Spring" in page, "Autumn" in page) == (True, True)
    assert list(Batch.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("unarchive", "It is not archived."),
        ("restore", "It is not deleted."),
        ("approve", "Allowed stages: Validation, Acceptance."),
        ("reopen", "Allowed stages: Approved."),
    ],
)
def test_question_says_before_what_is_left_out(operator, batch, name, sentence):
    page = text_of(act(operator, BATCHES, name, batch))

    assert sentence in page
    assert "1 of 1 batch" in page
    assert "There is nothing to do here." in page


def test_question_leaves_out_only_those_that_do_not_fit(operator, batch):
    away = make_batch(operator.user, name="Autumn", images=2)
    services.archive(away, actor=operator.user)

    page = text_of(act(operator, BATCHES, "archive", batch, away, query="?shelf=all"))

    assert "It is already archived." in page
    assert "1 of 2 batches" in page
    assert "There is nothing to do here." not in page
    assert "It is archived. Unarchive it first." in text_of(
        act(operator, BATCHES, "submit", away, query="?shelf=all")
    )


def test_priority_of_several(operator, batch):
    job = waiting_job(batch_id=batch.pk)
    other = make_batch(operator.user, name="Autumn")

    response = act(operator, BATCHES, "set_priority", batch, other, confirmed="yes", priority="0")

    assert said(response) == ["2 of 2 batches updated with the new priority."]
    assert set(Batch.objects.values_list("priority", flat=True)) == {0}
    job.refresh_from_db()
    assert job.priority == 0


def test_wrong_priority_asks_again(operator, batch):
    response = act(operator, BATCHES, "set_priority", batch, confirmed="yes", priority="9")

    assert response.status_code == 200
    assert "9 is not one of the available choices" in text_of(response)


def test_assign_leaves_what_is_not_chosen(operator):
    anna, ben = make_user("write", username="anna"), make_user("write", username="ben")
    batch = make_batch(operator.user, reviewer=ben)

    response = act(operator, BATCHES, "assign", batch, confirmed="yes", assignee="@anna", reviewer="")

    batch.refresh_from_db()
    assert said(response) == ["1 of 1 batch assigned."]
    assert (batch.assignee, batch.reviewer) == (anna, ben)
    act(operator, BATCHES, "assign", batch, confirmed="yes", assignee="nobody", reviewer="nobody")
    batch.refresh_from_db()
    assert (batch.assignee, batch.reviewer) == (None, None)
    assert audited()[-1] == ("batch.update", str(batch.pk))


@pytest.mark.parametrize("fields", [{}, {"assignee": "@nobody-here"}])
def test_assign_without_somebody_asks_again(operator, batch, fields):
    response = act(operator, BATCHES, "assign", batch, confirmed="yes", **fields)

    assert response.status_code == 200
    assert not AuditEvent.objects.filter(action="batch.update").exists()


def test_archive_does_what_can_be_done_and_says_why_not_the_rest(operator, batch):
    busy = make_batch(operator.user, name="Busy")
    waiting_job(batch_id=busy.pk)

    response = act(operator, BATCHES, "archive", batch, busy, confirmed="yes")

    first, second = said(response)
    assert first == "1 of 2 batches archived."
    assert second.startswith("Busy: Job ")
    assert sorted(Batch.objects.values_list("batch_name", "status")) == [
        ("Busy", "draft"),
        ("Spring", "archived"),
    ]
    back = act(operator, BATCHES, "unarchive", batch, query="?shelf=all", confirmed="yes")
    assert said(back)[-1] == "1 of 1 batch unarchived."


def test_delete_and_restore(operator, batch):
    act(operator, BATCHES, "delete", batch, confirmed="yes")
    batch.refresh_from_db()
    assert batch.deleted_at is not None
    assert "Restore…" in text_of(operator.get(page_url(batch)))

    again = act(operator, BATCHES, "delete", batch, query="?shelf=all", confirmed="yes")
    response = act(operator, BATCHES, "restore", batch, query="?shelf=all", confirmed="yes")

    assert "Spring: It is already deleted." in said(again)
    assert said(response)[-1] == "1 of 1 batch restored."
    batch.refresh_from_db()
    assert (batch.deleted_at, batch.batch_images.count()) == (None, 3)


def test_stages_with_a_reason(operator, batch):
    act(operator, BATCHES, "submit", batch, confirmed="yes")
    wordless = act(operator, BATCHES, "reject", batch, confirmed="yes", reason=" ")
    batch.refresh_from_db()
    assert (batch.review_stage, "This field is required" in text_of(wordless)) == ("validation", True)

    act(operator, BATCHES, "reject", batch, confirmed="yes", reason="Blurred covers")

    batch.refresh_from_db()
    assert batch.review_stage == "work"
    assert batch.changes.first().summary == "sent the batch back to work: Blurred covers"
    wrong = act(operator, BATCHES, "approve", batch, confirmed="yes", reason="Good enough")
    assert "Allowed stages: validation, acceptance" in said(wrong)[-1]


def test_an_unfinished_batch_is_approved_with_a_reason_alone(operator, batch):
    stages.move(batch, "submit", actor=operator.user)

    page = text_of(act(operator, BATCHES, "approve", batch))
    assert "Spring: 3 images unassigned, 3 images without a decision" in page
    wordless = act(operator, BATCHES, "approve", batch, confirmed="yes", reason=" ")
    batch.refresh_from_db()
    assert (batch.review_stage, "This field is required" in text_of(wordless)) == ("validation", True)

    act(operator, BATCHES, "approve", batch, confirmed="yes", reason="Rest next week")
    batch.refresh_from_db()
    assert batch.review_stage == "acceptance"
    assert batch.changes.first().summary == "validated the batch: Rest next week"


def test_approve_needs_more_than_a_reviewers_scope(operator, batch):
    stages.move(batch, "submit", actor=operator.user)
    staff = make_user("write", is_staff=True)
    operator.force_login(staff)

    response = act(operator, BATCHES, "approve", batch, confirmed="yes", reason="Good enough")

    assert said(response) == [
        "Spring: This requires the scope 'process', which you or your API key do not have."
    ]
    batch.refresh_from_db()
    assert batch.review_stage == "validation"


@pytest.mark.parametrize(
    ("format", "kind", "start"),
    [("csv", "text/csv", b"\xef\xbb\xbfimage_id"), ("json", "application/json", b"{")],
)
def test_export(operator, batch, format, kind, start):
    response = act(operator, BATCHES, "export", batch, confirmed="yes", format=format)

    body = b"".join(response.streaming_content)
    assert response.headers["Content-Type"].startswith(kind)
    assert response.headers["Content-Length"] == str(len(body))
    assert f'filename="Spring.{format}"' in response.headers["Content-Disposition"]
    assert body.startswith(start)
    assert audited()[-1] == ("batch.export", str(batch.pk))


def test_export_of_pictures_and_of_missing_ones(operator, batch):
    whole = services.create_batch("Whole", owner=operator.user, image_ids=[make_image().pk])

    response = act(operator, BATCHES, "export", whole, confirmed="yes", format="zip")
    missing = act(operator, BATCHES, "export", batch, confirmed="yes", format="zip")

    assert b"".join(response.streaming_content).startswith(b"PK")
    assert "picture-00000.jpg" in text_of(missing)


def test_export_of_two_is_refused(operator, batch):
    other = make_batch(operator.user, name="Autumn")

    response = act(operator, BATCHES, "export", batch, other, confirmed="yes", format="csv")

    assert "Only one batch can be exported at a time" in text_of(response)


def test_retry_and_cancel(operator, batch):
    job = failed_job()
    Job.objects.filter(pk=job.pk).update(batch=batch)
    quiet = make_batch(operator.user, name="Quiet")

    question = text_of(act(operator, BATCHES, "retry_failed", batch, quiet))
    response = act(operator, BATCHES, "retry_failed", batch, quiet, confirmed="yes")

    assert "<dt>Failed operations</dt><dd>1</dd>" in question
    assert said(response) == [
        "1 of 2 batches retried.",
        "Quiet: It has no failed operations.",
    ]
    assert audited()[-1] == ("batch.retry_failed", str(batch.pk))
    cancelled = act(operator, BATCHES, "cancel", batch, quiet, confirmed="yes")
    assert said(cancelled)[-2:] == ["1 of 2 batches cancelled.", "Quiet: It has no unfinished operations."]
    job.refresh_from_db()
    assert job.status == "cancelled"


def test_process_through_its_pages(operator):
    first, second, third = make_image(), make_image(), make_image()
    batch = services.create_batch(
        "Shop", owner=operator.user, image_ids=[first.pk, second.pk, third.pk], priority=1
    )
    grouping.set_groups(batch, {"boots": [first.pk, second.pk]}, actor=operator.user)
    form = text_of(act(operator, BATCHES, "process", batch))
    fields = {"operation": ["webp"], "filter-group": "boots", "webp.quality": "70"}

    estimate = act(operator, BATCHES, "process", batch, stage="estimate", **fields)
    hidden = inputs(estimate)
    response = operator.post(reverse(BATCHES), {**hidden, "_selected_action": [str(batch.pk)]})

    assert '<option value="boots">' in form
    assert "2 images, 2 operations" in text_of(estimate)
    job = Job.objects.get(kind="process")
    assert response.headers["Location"] == reverse("admin:processing_job_change", args=[job.pk])
    assert said(response) == ["1 of 1 batch submitted: 2 operations."]
    assert (job.batch, job.priority, job.source, job.operations_total) == (batch, 1, "admin", 2)
    run_until_idle()
    job.refresh_from_db()
    assert job.status == "completed"


def test_process_of_several_leaves_out_those_that_it_does_not_fit(operator, batch):
    empty = make_batch(operator.user, name="Empty", images=0)
    services.archive(make_batch(operator.user, name="Old"), actor=operator.user)
    old = Batch.objects.get(batch_name="Old")
    Image.objects.update(status="ready")
    data = {"_selected_action": [batch.pk, empty.pk, old.pk], "action": "process", "operation": ["blur"]}
    url = f"{reverse(BATCHES)}?shelf=all"

    page = operator.post(url, {**data, "stage": "estimate"})
    response = operator.post(url, {**inputs(page), "_selected_action": data["_selected_action"]})

    assert "is archived. Unarchive it to make changes" in text_of(page)
    assert said(response)[0] == "1 of 3 batches submitted: 3 operations."
    assert len(said(response)) == 3


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Choose at least one operation"),
        ({"operation": ["blur"], "blur.sigma_px": "nan"}, "between 0 and 50"),
        ({"operation": ["blur"], "filter-group": "no such"}, "no group “no such”"),
        ({"operation": ["blur"], "filter-min_quality": "101"}, "not a number from 0 to 100"),
        ({"operation": ["blur"], "filter-decision": "perhaps"}, "'perhaps' is not a valid choice"),
        ({"operation": ["blur"], "filter-issue": "dull"}, "'dull' is not a valid choice"),
    ],
)
def test_process_says_what_is_wrong(operator, batch, fields, sentence):
    response = act(operator, BATCHES, "process", batch, stage="estimate", **fields)

    assert sentence in text_of(response)
    assert not Job.objects.filter(kind="process").exists()


def test_process_confirmation_that_was_tampered_with(operator, batch):
    work = {"operations": json.dumps([{"name": "blur"}]), "pipeline": ""}

    response = act(operator, BATCHES, "process", batch, stage="start", priority="high noon", **work)

    assert "'high noon' is not a valid choice" in text_of(response)
    assert not Job.objects.filter(kind="process").exists()


def test_nobody_chosen(operator, batch):
    response = act(operator, BATCHES, "archive")

    assert said(response) == [
        "Items must be selected in order to perform actions on them. No items have been changed."
    ]
    batch.refresh_from_db()
    assert batch.status == "draft"
    assert keys(batch)

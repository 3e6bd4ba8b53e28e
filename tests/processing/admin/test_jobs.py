"""Jobs in the admin: lists, one job, every action."""

import pytest
from django.urls import reverse

from processing.engine.worker import run_until_idle
from processing.models import Job, Operation
from processing.services import parse_work, submit_work
from processing.states import OperationStatus, Priority
from tests.factories import make_image
from tests.factories.admin import JOBS, act, audited, failed_job, said, waiting_job
from tests.factories.markup import squeezed

pytestmark = pytest.mark.django_db


def listed(client, **parameters) -> set[str]:
    """The references of the jobs that the list shows."""
    response = client.get(reverse(JOBS), parameters)
    assert response.status_code == 200
    return {job.reference for job in response.context["cl"].result_list}


def test_list_is_searched_by_reference_request_and_id(operator):
    first = waiting_job(reference="order-1", request_id="0123456789abcdef0123456789abcdef")
    second = waiting_job(reference="order-2")

    assert listed(operator) == {"order-1", "order-2"}
    assert listed(operator, q="order-1") == {"order-1"}
    assert listed(operator, q=str(second.pk)) == {"order-2"}
    assert listed(operator, q=first.request_id) == {"order-1"}
    assert listed(operator, q="nothing like it") == set()


def test_list_is_filtered(operator):
    failed_job(reference="failed")
    waiting_job(reference="urgent", priority=Priority.URGENT)
    Job.objects.filter(reference="urgent").update(kind="cleanup", source="command")

    assert listed(operator, error_code="damaged_image") == {"failed"}
    assert listed(operator, error_code="time_limit") == set()
    assert listed(operator, status__exact="queued") == {"urgent"}
    assert listed(operator, priority__exact="0") == {"urgent"}
    assert listed(operator, kind="cleanup") == {"urgent"}
    assert listed(operator, source="command") == {"urgent"}


def test_list_leaves_internal_jobs_out_until_asked(operator):
    waiting_job(reference="mine")
    Job.objects.update(kind="ingest")
    waiting_job(reference="asked")

    assert listed(operator) == {"asked"}
    assert listed(operator, kind="all") == {"asked", "mine"}
    assert listed(operator, kind="ingest") == {"mine"}


def test_list_with_an_impossible_filter_leads_to_the_whole_list(operator):
    waiting_job(reference="mine")

    response = operator.get(reverse(JOBS), {"priority__exact": "very"}, follow=True)

    assert response.redirect_chain == [(f"{reverse(JOBS)}?e=1", 302)]
    assert [job.reference for job in response.context["cl"].result_list] == ["mine"]


def test_list_has_constant_queries(operator, django_assert_num_queries, django_assert_max_num_queries):
    image = make_image()
    for _ in range(2):
        waiting_job(image_id=image.pk, requested_by=operator.user)
    with django_assert_max_num_queries(15) as few:
        operator.get(reverse(JOBS))
    for _ in range(20):
        waiting_job(image_id=image.pk, requested_by=operator.user)
    with django_assert_num_queries(len(few)):
        operator.get(reverse(JOBS))


def test_page_of_a_job_shows_what_happened(operator):
    job = failed_job(reference="order-7")

    page = operator.get(reverse("admin:processing_job_change", args=[job.pk])).content.decode()

    for text in ("order-7", "test-double", "test-refused", "damaged_image", "The image is upside down."):
        assert text in page
    assert "1 of 2 operations completed." in page
    assert "Retry failed operations" in page


def test_page_of_a_job_with_many_operations_has_pages_and_constant_queries(
    operator, django_assert_max_num_queries
):
    job = waiting_job(*["test-double"] * 60)
    url = reverse("admin:processing_job_change", args=[job.pk])

    with django_assert_max_num_queries(25):
        response = operator.get(url)
    assert len(response.context["operations"]) == 25
    assert len(operator.get(url, {"page": 3}).context["operations"]) == 10
    assert operator.get(url, {"page": "x"}).context["operations"].number == 1


def test_job_that_is_not_there(operator):
    url = reverse("admin:processing_job_change", args=["00000000-0000-4000-8000-000000000000"])

    assert operator.get(url).status_code == 302


def test_results_are_shown_with_pictures(operator):
    from processing import services

    image = make_image(name="dress.jpg")
    job = services.submit_work(services.parse_work(operations=["webp"]), [image])
    run_until_idle()
    link = job.operations.get().links.get()

    page = operator.get(reverse("admin:processing_job_change", args=[job.pk])).content.decode()
    results = operator.get(reverse("admin:processing_operationartifact_changelist")).content.decode()
    detail = operator.get(
        reverse("admin:processing_operationartifact_change", args=[link.pk])
    ).content.decode()

    for html in (page, results, detail):
        assert "dress_webp.webp" in html
        assert f'src="/files/{link.pk}/' in html


def test_retry_failed(operator):
    failed, waiting = failed_job(), waiting_job()

    response = act(operator, JOBS, "retry_failed", failed, waiting)

    assert said(response) == [
        "1 of 2 jobs queued again.",
        "1 of 2 jobs skipped: no failed operations.",
    ]
    assert list(failed.operations.values_list("status", flat=True)) == ["completed", "queued"]
    assert audited() == [("job.retry", str(failed.pk))]


def test_one_operation_is_retried_by_its_own_button(operator):
    job = waiting_job("test-refused", "test-refused")
    run_until_idle()
    first, second = job.operations.all()

    act(operator, JOBS, "run_again", job, operation=first.pk)

    assert list(job.operations.values_list("status", flat=True)) == ["queued", "failed"]
    act(operator, JOBS, "run_again", job, operation="everything")
    assert list(job.operations.values_list("status", flat=True)) == ["queued", "queued"]


def test_cancel_twice(operator):
    job = waiting_job()

    first, second = act(operator, JOBS, "cancel", job), act(operator, JOBS, "cancel", job)

    job.refresh_from_db()
    assert job.status == "cancelled"
    assert said(first) == ["1 job cancelled."]
    assert said(second)[-1] == "1 job skipped: already finished."
    assert audited() == [("job.cancel", str(job.pk))]


def test_cancelled_job_runs_again(operator):
    job = waiting_job()
    act(operator, JOBS, "cancel", job)

    act(operator, JOBS, "run_again", job)

    job.refresh_from_db()
    assert job.status == "queued"


def test_priority_moves_by_one_and_stops_at_the_ends(operator):
    job = waiting_job(priority=Priority.HIGH)

    raised = [said(act(operator, JOBS, "raise_priority", job))[-1] for _ in range(2)]

    job.refresh_from_db()
    assert (job.priority, job.operations.get().priority) == (Priority.URGENT, Priority.URGENT)
    assert raised[0] == "1 job raised in priority."
    assert raised[1] == "1 job skipped: already finished or urgent."
    for _ in range(4):
        act(operator, JOBS, "lower_priority", job)
    job.refresh_from_db()
    assert job.priority == Priority.LOW
    assert [action for action, _ in audited()] == ["job.priority"] * 4


def test_finished_job_keeps_its_priority(operator):
    job = failed_job()

    response = act(operator, JOBS, "raise_priority", job)

    job.refresh_from_db()
    assert job.priority == Priority.NORMAL
    assert said(response) == ["1 job skipped: already finished or urgent."]


def test_action_from_the_page_of_a_job_returns_there(operator):
    job = waiting_job()
    page = reverse("admin:processing_job_change", args=[job.pk])

    assert act(operator, JOBS, "cancel", job, next=page).headers["Location"] == page
    foreign = act(operator, JOBS, "run_again", job, next="https://elsewhere.example/")
    assert foreign.headers["Location"] == reverse(JOBS)


def test_action_without_rows_changes_nothing(operator):
    waiting_job()

    operator.post(reverse(JOBS), {"action": "cancel", "index": "0"})

    assert Operation.objects.get().status == OperationStatus.QUEUED


def test_job_of_many_pictures_has_a_name_and_a_picture(operator):
    images = [make_image(), make_image()]
    submit_work(parse_work(operations=["webp", "sepia"]), images=images)

    page = operator.get(reverse(JOBS)).content.decode()

    assert "<b>WebP, Sepia</b>" in page
    assert f"/api/images/{images[0].pk}/thumbnail/" in page


def test_bar_of_a_cancelled_job_is_neutral_and_attempts_are_failures(operator):
    job = waiting_job()
    act(operator, JOBS, "cancel", job)

    page = squeezed(operator.get(reverse("admin:processing_job_change", args=[job.pk])).content.decode())
    rows = squeezed(operator.get(reverse(JOBS)).content.decode())

    for text in (page, rows):
        assert 'class="pix-progress is-neutral" max="100" value="0"' in text
    assert "completed, cancelled" in page
    assert "Failed attempts" in page
    assert "0 of 3" not in page

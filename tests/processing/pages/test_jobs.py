import uuid

import pytest

from processing import services
from processing.engine import jobs
from processing.engine.worker import run_until_idle
from processing.models import Job, Operation
from processing.pages import job_presenter
from processing.states import OperationStatus
from tests.factories import make_image, make_user, pictures

pytestmark = pytest.mark.django_db


def make_job(*operations, user=None, image=None, **work):
    image = image or make_image(pictures.png(seed=len(Job.objects.all()) + 100), name="cup.png")
    wanted = services.parse_work(operations=list(operations), **work)
    return services.submit_work(wanted, [image], services.Delivery(requested_by=user))


def failed_job(user=None):
    job = make_job("webp", "blur", user=user)
    operation = job.operations.get(name="blur")
    Operation.objects.filter(pk=operation.pk).update(
        status=OperationStatus.FAILED, error_code="damaged_image", error_detail="The image ends early."
    )
    Operation.objects.filter(job=job, name="webp").update(status=OperationStatus.CANCELLED)
    Job.objects.filter(pk=job.pk).update(
        status="failed",
        operations_failed=1,
        operations_cancelled=1,
        finished_at=job.created_at,
        started_at=job.created_at,
    )
    return job, operation


def test_waiting_job_polls_its_own_fragment(viewer):
    job = make_job("webp")

    page = viewer.get(f"/jobs/{job.pk}/").content.decode()
    live = viewer.get(f"/jobs/{job.pk}/live/?step=3&progress=0").content.decode()

    assert f'hx-get="/jobs/{job.pk}/live/?step=0&amp;progress=0"' in page
    assert f'hx-get="/jobs/{job.pk}/live/?step=4&amp;progress=0"' in live
    assert "No worker is serving the queue “default”." in live
    assert '<meta http-equiv="refresh"' in page


def test_finished_job_polls_no_more_and_shows_its_results(viewer):
    job = make_job("webp", {"name": "resize", "parameters": {"width": 32, "height": 32, "fit": "exact"}})
    run_until_idle()

    text = viewer.get(f"/jobs/{job.pk}/").content.decode()

    assert "data-poll" not in text
    assert text.count('class="result card"') == 2
    assert text.count('type="range"') == 1  # the other result has another shape: side by side
    assert "64 × 48" in text
    assert f'href="/api/jobs/{job.pk}/download/"' in text


def test_result_pictures_and_downloads_exist(viewer):
    job = make_job("webp")
    run_until_idle()
    (result,) = job_presenter.results(job)

    shown, saved = viewer.get(result.url), viewer.get(result.download_url)

    assert (shown["Content-Type"], saved["Content-Type"]) == ("image/webp", "image/webp")
    assert "attachment" in saved["Content-Disposition"]


def test_poll_slows_down_while_nothing_moves():
    job = Job(operations_total=9, operations_completed=2)
    progress = job_presenter.next_poll(job, step=0, progress=-1).progress
    delays = [job_presenter.next_poll(job, step=step, progress=progress).delay_ms for step in range(20)]

    assert delays == sorted(delays)
    assert delays[-1] == job_presenter.SLOWEST_POLL_MS
    assert job_presenter.next_poll(job, step=15, progress=1) == job_presenter.Poll(
        job_presenter.FIRST_POLL_MS, 0, progress
    )


def test_paused_queue_is_said_with_its_reason(viewer):
    jobs.pause_queue("default", reason="disk is being moved")

    text = viewer.get(f"/jobs/{make_job('webp').pk}/").content.decode()

    assert "The queue “default” is paused: disk is being moved." in text


def test_failed_operation_shows_its_sentence_and_a_way_out(operator, viewer):
    job, _ = failed_job()

    text = operator.get(f"/jobs/{job.pk}/").content.decode()

    assert "The image ends early." in text
    assert "damaged_image" in text
    assert "Retry this" in text
    assert "Retry this" not in viewer.get(f"/jobs/{job.pk}/").content.decode()


def test_retry_of_one_and_of_all(operator):
    job, operation = failed_job()

    response = operator.post(f"/jobs/{job.pk}/retry/", {"operation": operation.pk})

    statuses = dict(Operation.objects.filter(job=job).values_list("name", "status"))
    assert (response.status_code, response.url) == (302, f"/jobs/{job.pk}/")
    assert statuses == {"webp": "cancelled", "blur": "queued"}
    operator.post(f"/jobs/{job.pk}/retry/")
    assert set(Operation.objects.filter(job=job).values_list("status", flat=True)) == {"queued"}
    again = operator.post(f"/jobs/{job.pk}/retry/", follow=True)
    assert "There is nothing to retry." in again.content.decode()


def test_cancel_twice(operator):
    job = make_job("webp")

    operator.post(f"/jobs/{job.pk}/cancel/")
    again = operator.post(f"/jobs/{job.pk}/cancel/", follow=True)

    job.refresh_from_db()
    assert job.status == "cancelled"
    assert "The job has already finished" in again.content.decode()


def test_cancel_from_a_card_answers_the_card(operator):
    job = make_job("webp")

    text = operator.post(f"/jobs/{job.pk}/cancel/", headers={"HX-Request": "true"}).content.decode()

    assert f'id="job-{job.pk}"' in text
    assert 'data-status="cancelled"' in text
    assert "data-poll" not in text


def test_priority(operator):
    job = make_job("webp")

    operator.post(f"/jobs/{job.pk}/priority/", {"priority": "0"})
    wrong = operator.post(f"/jobs/{job.pk}/priority/", {"priority": "9"}, follow=True)

    job.refresh_from_db()
    assert job.priority == 0
    assert (
        "&#x27;9&#x27; is not a valid choice. Choose one of: urgent, high, normal, low."
        in wrong.content.decode()
    )


@pytest.mark.parametrize("action", ["cancel", "retry", "priority"])
def test_steering_needs_the_scope_process(reviewer, action):
    job = make_job("webp")

    response = reviewer.post(f"/jobs/{job.pk}/{action}/", {"priority": "0"})

    assert response.status_code == 403
    assert "Ask an administrator for the scope “process”" in response.content.decode()


@pytest.mark.parametrize("action", ["", "live/", "card/", "results/"])
def test_unknown_job_is_not_found(viewer, action):
    assert viewer.get(f"/jobs/{uuid.uuid4()}/{action}").status_code == 404


def test_list_by_status_and_owner(operator):
    mine = make_job("webp", user=operator.user)
    other = make_job("blur", user=make_user())
    jobs.cancel_job(other)

    everybody = operator.get("/jobs/").content.decode()
    own = operator.get("/jobs/?whose=mine").content.decode()
    cancelled = operator.get("/jobs/?status=cancelled").content.decode()

    assert all(str(job.pk) in everybody for job in (mine, other))
    assert (str(mine.pk) in own, str(other.pk) in own) == (True, False)
    assert (str(mine.pk) in cancelled, str(other.pk) in cancelled) == (False, True)


def test_remembered_jobs_answer_those_that_exist(viewer):
    job = make_job("webp")

    text = viewer.get(f"/jobs/cards/?ids={job.pk},{uuid.uuid4()},rubbish").content.decode()

    assert text.count('class="job-card"') == 1


def test_many_results_come_in_pages(viewer):
    images = [make_image(name=f"{index}.jpg") for index in range(job_presenter.RESULTS_PER_PAGE + 2)]
    job = services.submit_work(services.parse_work(operations=["webp"]), images)
    run_until_idle()

    first = viewer.get(f"/jobs/{job.pk}/").content.decode()
    rest = viewer.get(f"/jobs/{job.pk}/results/?offset=12", headers={"HX-Request": "true"}).content.decode()

    assert first.count('class="result card"') == 12
    assert f"/jobs/{job.pk}/results/?offset=12" in first
    assert rest.count('class="result card"') == 2
    assert "more-results" not in rest


def test_job_page_has_a_constant_number_of_queries(viewer, django_assert_max_num_queries):
    images = [make_image(name=f"q{index}.jpg") for index in range(6)]
    job = services.submit_work(services.parse_work(operations=["webp", "png"]), images)
    run_until_idle()

    with django_assert_max_num_queries(15):
        viewer.get(f"/jobs/{job.pk}/")


def test_many_operations_are_folded_but_for_those_that_failed_or_run(viewer):
    turns = [{"name": "rotate", "parameters": {"angle": angle}} for angle in range(1, 15)]
    job = make_job(*turns)
    first, second = job.operations.all()[:2]
    Operation.objects.filter(pk=second.pk).update(status=OperationStatus.FAILED, error_detail="Too dark.")

    text = viewer.get(f"/jobs/{job.pk}/").content.decode()

    unfolded, _, folded = text.partition('<details class="more operations-more"')
    assert unfolded.count('<li class="operation ') == 1
    assert "Too dark." in unfolded
    assert folded.count('<li class="operation ') == 13
    assert "Show the other 13 of 14" in folded
    assert job_presenter.job_title(job) == "Rotate (14×)"


def test_few_operations_are_not_folded(viewer):
    text = viewer.get(f"/jobs/{make_job('webp', 'blur').pk}/").content.decode()

    assert ("operations-more" in text, text.count('<li class="operation ')) == (False, 2)


def test_cancelled_job_says_how_much_it_completed(operator):
    job = make_job("webp", "blur", user=operator.user)
    jobs.cancel_job(job)

    page = operator.get(f"/jobs/{job.pk}/").content.decode()
    listed = operator.get("/jobs/").content.decode()

    assert "0 of 2 completed, cancelled" in page
    assert "0 of 2 completed, cancelled" in listed


@pytest.mark.parametrize(
    ("angle", "fill", "expected"), [(30, None, True), (30, "#ffffff", False), (90, None, False)]
)
def test_turned_picture_is_seen_through_at_its_corners(viewer, angle, fill, expected):
    parameters = {"angle": angle, "format": "png"} | ({"fill": fill} if fill else {})
    job = make_job({"name": "rotate", "parameters": parameters})
    run_until_idle()

    assert ("see-through" in viewer.get(f"/jobs/{job.pk}/").content.decode()) is expected

"""Who may enter the admin, who may look, and who may act."""

import pytest
from django.test import Client
from django.urls import reverse

from processing.models import Operation, QueueControl
from processing.states import OperationStatus
from tests.factories import make_rows
from tests.factories.admin import IMAGES, JOBS, act, client_of, failed_job, waiting_job

pytestmark = pytest.mark.django_db
PAGES = [
    "index",
    "failed_work",
    "queues",
    "models",
    "processing_job_changelist",
    "processing_operationartifact_changelist",
    "processing_workerheartbeat_changelist",
    "images_image_changelist",
    "batches_batch_changelist",
    "password_change",
]
ADMIN_PAGES = [
    "api_apikey_changelist",
    "api_apikey_add",
    "api_auditevent_changelist",
    "auth_user_changelist",
    "auth_user_add",
    "auth_group_changelist",
]


@pytest.mark.parametrize("page", [*PAGES, *ADMIN_PAGES, "images_image_add"])
def test_page_for_administrator(administrator, page):
    assert administrator.get(reverse(f"admin:{page}")).status_code == 200


@pytest.mark.parametrize("page", [*PAGES, "images_image_add"])
def test_page_for_operator(operator, page):
    assert operator.get(reverse(f"admin:{page}")).status_code == 200


@pytest.mark.parametrize("page", ADMIN_PAGES)
def test_page_that_needs_admin_for_operator(operator, page):
    assert operator.get(reverse(f"admin:{page}")).status_code == 403


@pytest.mark.parametrize("scope", ["read", "write"])
@pytest.mark.parametrize("page", ["index", "processing_job_changelist", "failed_work"])
def test_viewer_and_reviewer_are_turned_away(scope, page):
    response = client_of(scope).get(reverse(f"admin:{page}"), follow=True)

    assert response.status_code == 403


def test_stranger_is_sent_to_the_one_sign_in_page():
    response = Client().get(reverse("admin:processing_job_changelist"), follow=True)

    assert response.redirect_chain[-1] == (f"{reverse('sign-in')}?next=/admin/processing/job/", 302)


def test_stranger_is_not_sent_to_a_foreign_site():
    response = Client().get(reverse("admin:login"), {"next": "https://elsewhere.example/"})

    assert response.headers["Location"] == f"{reverse('sign-in')}?next=/admin/"


def test_operator_who_comes_to_the_login_address_is_let_in(operator):
    response = operator.get(reverse("admin:login"), {"next": reverse("admin:queues")})

    assert response.headers["Location"] == reverse("admin:queues")


@pytest.mark.parametrize("page", PAGES)
def test_staff_viewer_may_look(onlooker, page):
    assert onlooker.get(reverse(f"admin:{page}")).status_code == 200


def test_staff_viewer_is_offered_no_action(onlooker):
    page = onlooker.get(reverse(JOBS)).content.decode()

    assert 'name="action"' not in page


@pytest.mark.parametrize("name", ["retry_failed", "run_again", "cancel", "raise_priority", "lower_priority"])
def test_staff_viewer_may_not_act_on_jobs(onlooker, name):
    job = waiting_job()

    act(onlooker, JOBS, name, job)

    job.refresh_from_db()
    assert (job.status, job.priority) == ("queued", 2)


@pytest.mark.parametrize("name", ["process", "remake_thumbnails", "trash", "purge"])
def test_staff_viewer_may_not_act_on_images(onlooker, name):
    (image,) = make_rows(1)

    act(onlooker, IMAGES, name, image, confirmed="yes", stage="start", operations='["blur"]')

    image.refresh_from_db()
    assert (image.status, image.jobs.count()) == ("ready", 0)


def test_staff_viewer_may_not_retry_a_group(onlooker):
    failed_job()

    response = onlooker.post(reverse("admin:failed_work"), {"error_code": "damaged_image"})

    assert response.status_code == 403
    assert Operation.objects.filter(status=OperationStatus.FAILED).count() == 1


def test_operator_may_not_pause_a_queue(operator):
    response = operator.post(
        reverse("admin:queues"), {"queue": "default", "turn": "pause", "reason": "lunch"}
    )

    assert response.status_code == 403
    assert not QueueControl.objects.filter(paused=True).exists()


def test_staff_viewer_may_not_upload(onlooker):
    assert onlooker.get(reverse("admin:images_image_add")).status_code == 403


def test_operator_may_not_purge(operator):
    (image,) = make_rows(1)

    act(operator, IMAGES, "purge", image, confirmed="yes")

    image.refresh_from_db()
    assert image.status == "ready"


@pytest.mark.parametrize("page", ["processing_job_add", "processing_operationartifact_add"])
def test_nothing_but_images_batches_keys_and_people_is_added_by_hand(administrator, page):
    assert administrator.get(reverse(f"admin:{page}")).status_code == 403


def test_status_is_not_edited_by_hand(administrator):
    job = waiting_job()

    response = administrator.post(
        reverse("admin:processing_job_change", args=[job.pk]), {"status": "completed"}
    )

    job.refresh_from_db()
    assert (response.status_code, job.status) == (403, "queued")


def test_forged_form_is_refused(administrator):
    job = waiting_job()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(administrator.user)

    response = act(strict, JOBS, "cancel", job)

    job.refresh_from_db()
    assert (response.status_code, job.status) == (403, "queued")


@pytest.mark.parametrize(("scope", "is_shown"), [("read", False), ("write", False), ("process", True)])
def test_pages_lead_to_the_admin_whoever_may_enter_it(scope, is_shown):
    page = client_of(scope).get(reverse("jobs")).content.decode()

    assert (f'href="{reverse("admin:index")}"' in page) == is_shown

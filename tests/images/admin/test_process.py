"""Process…: choose operations, see what it costs, confirm."""

import html
import re

import pytest
from django.urls import reverse

from api.models import AuditEvent
from images.models import Image
from processing.algorithms.operations.table import OPERATIONS
from processing.engine.worker import run_until_idle
from processing.models import Job
from processing.states import Priority
from tests.factories import make_image, make_rows, pictures
from tests.factories.admin import IMAGES, act, audited, said
from tests.factories.markup import squeezed

pytestmark = pytest.mark.django_db


def inputs(response) -> dict[str, str]:
    """The hidden fields of the confirmation."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', response.content.decode())
    return {name: html.unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def start(client, *images, **fields):
    """Through all three pages; the answer of the last."""
    estimate = act(client, IMAGES, "process", *images, stage="estimate", **fields)
    hidden = inputs(estimate)
    assert hidden.get("stage") == "start", estimate.content.decode()[-4000:]
    return client.post(reverse(IMAGES), {**hidden, "_selected_action": [str(image.pk) for image in images]})


def test_form_offers_every_operation_and_parameter(operator):
    page = squeezed(act(operator, IMAGES, "process", make_image()).content.decode())

    for name, spec in OPERATIONS.items():
        assert f'name="operation" value="{name}"' in page
        for key, row in spec.schema["properties"].items():
            assert (f'name="{name}.{key}"' in page) == ("x-alias-of" not in row)


def test_side_by_side(operator):
    first, second = make_image(), make_image()

    response = start(
        operator,
        first,
        second,
        operation=["webp", "resize"],
        priority="1",
        output_folder="shop/out",
        reference="r-1",
        **{"resize.width": "30", "resize.upscale": "false", "webp.quality": "70"},
    )

    job = Job.objects.get(kind="process")
    assert response.headers["Location"] == reverse("admin:processing_job_change", args=[job.pk])
    assert said(response) == ["4 operations submitted."]
    assert (job.priority, job.output_folder, job.reference, job.source, job.requested_by) == (
        Priority.HIGH,
        "shop/out",
        "r-1",
        "admin",
        operator.user,
    )
    assert {(o.name, o.image_id) for o in job.operations.all()} == {
        (name, image.pk) for name in ("webp", "resize") for image in (first, second)
    }
    assert job.operations.filter(name="resize").first().parameters["width"] == 30
    assert audited()[-1] == ("job.submit", str(job.pk))
    run_until_idle()
    job.refresh_from_db()
    assert job.status == "completed"


def test_pipeline_in_the_order_asked_for(operator):
    start(
        operator,
        make_image(),
        mode="pipeline",
        operation=["webp", "grayscale", "blur"],
        **{"webp.order": "3", "grayscale.order": "1", "blur.order": "2", "blur.sigma_px": "1.5"},
    )

    operation = Job.objects.get(kind="process").operations.get()
    assert [step["name"] for step in operation.parameters["steps"]] == ["grayscale", "blur", "webp"]
    run_until_idle()
    assert operation.links.get().artifact.format == "webp"


def test_estimate_counts_what_is_cached(operator):
    image = make_image()
    start(operator, image, operation=["webp"])
    run_until_idle()

    response = act(operator, IMAGES, "process", image, stage="estimate", operation=["webp", "blur"])

    estimate = response.context["estimate"]
    assert (estimate["items"], estimate["cached"], estimate["bytes"]) == (2, 1, image.byte_size)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Choose at least one operation"),
        ({"operation": ["resize"]}, "width"),
        ({"operation": ["resize"], "resize.width": "1000000000"}, "16384"),
        ({"operation": ["blur"], "blur.sigma_px": "nan"}, "between 0 and 50"),
        ({"operation": ["blur"], "blur.sigma_px": "a lot"}, "a lot"),
        ({"operation": ["convert"], "convert.format": "jpg"}, "jpg"),
        ({"operation": ["flip"], "flip.direction": "sideways"}, "sideways"),
    ],
)
def test_bad_parameters_say_why(operator, fields, sentence):
    response = act(operator, IMAGES, "process", make_image(), stage="estimate", **fields)

    assert sentence in html.unescape(response.content.decode())
    assert not Job.objects.filter(kind="process").exists()


def test_bad_input_keeps_what_was_typed(operator):
    fields = {"operation": ["blur"], "blur.sigma_px": "a lot", "output_folder": "my/folder"}

    page = squeezed(
        act(operator, IMAGES, "process", make_image(), stage="estimate", **fields).content.decode()
    )

    assert 'value="a lot"' in page
    assert 'value="my/folder"' in page
    assert re.search(r'name="operation" value="blur" checked', page)


def test_images_that_do_not_fit_are_left_out_by_name(operator):
    fits, is_webp = make_image(), make_image(pictures.webp(seed=77), name="already.webp")
    trashed = make_image()
    Image.objects.filter(pk=trashed.pk).update(status="trashed")

    url = f"{reverse(IMAGES)}?status=all"
    data = {
        "action": "process",
        "_selected_action": [i.pk for i in (fits, is_webp, trashed)],
        "operation": ["webp"],
    }
    page = operator.post(url, {**data, "stage": "estimate"})
    hidden = inputs(page)
    response = operator.post(url, {**hidden, "_selected_action": data["_selected_action"]})

    assert [operation.image_id for operation in Job.objects.get(kind="process").operations.all()] == [fits.pk]
    assert "1 image skipped, for example already.webp: " in said(response)[-1]
    assert page.context["not_ready"] == 1


def test_nothing_fits(operator):
    image = make_image(pictures.webp(seed=78), name="already.webp")

    response = act(operator, IMAGES, "process", image, stage="start", operations='["webp"]', pipeline="")

    assert response.status_code == 200
    assert "already.webp" in response.content.decode()
    assert not Job.objects.filter(kind="process").exists()


def test_tampered_confirmation_is_checked_again(operator):
    response = act(
        operator,
        IMAGES,
        "process",
        make_image(),
        stage="start",
        operations='[{"name": "explode"}]',
        priority="9",
    )

    assert "explode" in response.content.decode()
    assert not Job.objects.filter(kind="process").exists()


def test_all_images_of_all_pages(operator):
    rows = make_rows(70)

    all_of_them = {"select_across": "1", "expected": "70"}
    page = act(operator, IMAGES, "process", rows[0], stage="estimate", operation=["blur"], **all_of_them)

    assert (inputs(page)["expected"], page.context["estimate"]["items"]) == ("70", 70)
    assert page.context["estimate"]["items"] == 70
    assert inputs(page)["select_across"] == "1"


def test_audit_names_the_door(operator):
    start(operator, make_image(), operation=["blur"])

    assert AuditEvent.objects.get(action="job.submit").detail == {
        "door": "admin",
        "operations": 1,
        "images": 1,
    }

"""The start page without scripts: what the browser posts is the same request as the API's."""

import re

import pytest

from images.models import Image
from processing.algorithms.operations.table import OPERATIONS
from processing.engine.worker import run_until_idle
from processing.models import Job, Operation
from tests.factories import make_image, pictures, upload
from tests.factories.markup import squeezed
from tests.processing.algorithms.networks import install_random

pytestmark = pytest.mark.django_db


def submit(client, *files, **fields):
    return client.post("/", {"file": list(files), **fields})


def test_every_operation_and_parameter_has_its_input(operator):
    text = squeezed(operator.get("/").content.decode())

    for spec in OPERATIONS.values():
        assert f'name="operation" value="{spec.name}"' in text
        for name, schema in spec.schema["properties"].items():
            assert (f'name="{spec.name}.{name}"' in text) == ("x-alias-of" not in schema), (spec.name, name)


def test_viewer_is_told_what_is_missing(viewer):
    text = viewer.get("/").content.decode()

    assert "View-only access" in text
    assert 'id="composer"' not in text


def test_viewer_who_posts_is_refused(viewer):
    response = submit(viewer, upload(pictures.png()), operation="webp")

    assert response.status_code == 403
    assert "Ask an administrator for the scope “process”" in response.content.decode()
    assert Image.objects.count() == Job.objects.count() == 0


def test_form_becomes_a_job_with_separate_operations(operator):
    files = upload(pictures.png(seed=1), "a.png"), upload(pictures.png(seed=2), "b.png")
    fields = {"resize.width": "20", "resize.fit": "cover", "resize.height": "10", "webp.quality": "70"}
    more = {"mode": "separate", "priority": "1", "output_folder": "out", "filename_prefix": "x_"}

    response = submit(operator, *files, operation=["resize", "webp"], **fields, **more)

    job = Job.objects.get(kind="process")
    assert (response.status_code, response.url) == (302, f"/jobs/{job.pk}/")
    assert (job.priority, job.output_folder, job.filename_prefix, job.source) == (1, "out", "x_", "web")
    assert job.requested_by == operator.user
    run_until_idle()
    job.refresh_from_db()
    assert (job.status, job.operations_completed) == ("completed", 4)
    resized = Operation.objects.filter(job=job, name="resize").first()
    assert (resized.parameters["width"], resized.parameters["fit"]) == (20, "cover")


def test_form_becomes_a_pipeline(operator):
    image = make_image(pictures.png(seed=3), name="c.png")
    fields = {"operation": ["grayscale", "webp"], "mode": "pipeline", "image": str(image.pk)}

    operator.post("/", fields)

    (operation,) = Operation.objects.filter(job__kind="process")
    assert operation.name == "pipeline"
    assert [step["name"] for step in operation.parameters["steps"]] == ["grayscale", "webp"]


def test_switches_left_off_are_off(operator):
    image = make_image(pictures.png(seed=4), name="d.png")
    fields = {"operation": "rotate", "rotate.angle": "45", "rotate.expand.shown": "1", "image": str(image.pk)}

    operator.post("/", fields)

    assert Operation.objects.get(name="rotate").parameters["expand"] is False


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"operation": "resize", "resize.width": "0"}, "must be between 1 and 16384 px"),
        ({"operation": "resize", "resize.width": "wide"}, "must be a whole number"),
        ({"operation": "nothing"}, "nothing"),
        ({}, "Choose at least one operation"),
        ({"operation": "png"}, "png"),
    ],
)
def test_wrong_form_is_said_and_leaves_nothing(operator, fields, sentence):
    response = submit(operator, upload(pictures.png(seed=5), "e.png"), **fields)

    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert Image.objects.count() == Job.objects.count() == 0


def test_text_called_jpg_is_refused_with_the_sentence(operator):
    response = submit(operator, upload(b"I am text.", "note.jpg"), operation="webp")

    assert response.status_code == 415
    assert "not an image" in response.content.decode()
    assert Image.objects.count() == 0


def test_form_without_picture_is_refused(operator):
    response = operator.post("/", {"operation": "webp"})

    assert response.status_code == 400
    assert "Choose at least one image" in response.content.decode()


def test_images_of_the_library_are_preselected(operator):
    image = make_image(pictures.png(seed=6), name="f.png")
    unknown = "0" * 32

    text = operator.get(f"/?images={image.pk.hex},{unknown},rubbish").content.decode()

    assert f'name="image" value="{image.pk}" checked' in text
    assert unknown not in text


def test_models_of_denoise_are_named_and_greyed_out_while_missing(operator, settings, tmp_path):
    settings.ML_MODELS_DIR = tmp_path
    text = squeezed(operator.get("/").content.decode())
    missing = 'value="dncnn_color_blind" disabled>DnCNN, colour, blind, as published (not installed)</option>'
    assert missing in text
    settings.ML_MODELS_DIR = install_random(tmp_path)
    assert 'value="dncnn_color_blind">DnCNN, colour, blind, as published</option>' in squeezed(
        operator.get("/").content.decode()
    )


def test_wrong_form_keeps_what_was_typed(operator):
    fields = {
        "operation": ["resize", "rotate"],
        "resize.width": "0",
        "rotate.expand.shown": "1",
        "rotate.fill": "x",
    }

    text = squeezed(submit(operator, **fields).content.decode())

    assert re.findall(r'name="operation" value="(\w+)"[^>]* checked', text) == ["resize", "rotate"]
    assert re.search(r'name="resize.width" value="0"', text)
    assert re.search(r'name="rotate.fill" value="x"', text)
    assert not re.search(r'name="rotate.expand"[^>]* checked', text)

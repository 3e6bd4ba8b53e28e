"""Quality in the admin's list of images."""

import pytest

from images.models import Image, QualityScore
from images.quality import service as quality
from processing.algorithms.quality.causes import VERSION
from processing.engine.worker import run_until_idle
from tests.factories import make_image, make_rows, make_user, pictures

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/images/image/"


def measured(**values: float) -> Image:
    (image,) = make_rows(1)
    rows = [{"metric": name, "value": value, "metric_version": VERSION} for name, value in values.items()]
    quality.save_rows(image, rows)
    quality.judge_images([image])
    return image


def sign_in(client, scope: str) -> None:
    client.force_login(make_user(scope, is_staff=True))


def test_the_list_shows_grade_and_faults_and_filters_by_them(client) -> None:
    bad, good = measured(sharpness=0.1, noise=20.0), measured(sharpness=0.9)
    (unmeasured,) = make_rows(1)
    sign_in(client, "process")
    page = client.get(LIST).content.decode()
    assert 'title="blurred: sharpness 0.10 &lt; 0.38">blurred</span>' in page
    for value, wanted in (("blurred", bad), ("any", bad), ("none", good), ("unmeasured", unmeasured)):
        page = client.get(f"{LIST}?issue={value}").content.decode()
        assert [row for row in (bad, good, unmeasured) if str(row.pk) in page] == [wanted]


def test_chosen_images_are_measured_again(client, settings) -> None:
    settings.QUALITY_METRICS = ["piqe"]
    image = make_image(pictures.png(64, 64))
    sign_in(client, "process")
    client.post(LIST, {"action": "remeasure", "_selected_action": [str(image.pk)]}, follow=True)
    run_until_idle()
    assert QualityScore.objects.filter(image=image, metric="piqe").exists()
    image.refresh_from_db()
    assert image.quality_grade is not None


def test_the_page_of_an_image_shows_every_measure_and_metric(client, settings) -> None:
    settings.QUALITY_METRICS = ["piqe", "brisque"]
    image = make_image(pictures.png(96, 80))
    sign_in(client, "process")
    address = f"{LIST}{image.pk}/change/"
    assert "Not measured yet: Re-measure does it." in client.get(address).content.decode()

    quality.submit_quality([image])
    assert "It is being measured." in client.get(address).content.decode()
    run_until_idle()

    page = client.get(address).content.decode()
    assert "small: shorter side 80 &lt; 200 px" in page
    assert "PIQE" in page
    assert "manage.py models fetch brisque" in page

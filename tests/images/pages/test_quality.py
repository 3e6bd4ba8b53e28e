"""The quality panel, the badges of the library, the cut-offs with their live counts."""

from typing import Any

import pytest
from django.test import Client

from images.models import Image, QualityProfile
from images.quality import service as quality
from processing.algorithms.quality.causes import VERSION
from processing.engine.worker import run_until_idle
from tests.factories import make_image, make_rows, make_user, pictures
from tests.factories.markup import squeezed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_files(settings: Any) -> None:
    settings.QUALITY_METRICS = ["brisque", "piqe"]


def signed_in(scope: str) -> Client:
    client = Client()
    client.force_login(make_user(scope))
    return client


def measured(**values: float) -> Image:
    (image,) = make_rows(1)
    rows = [{"metric": name, "value": value, "metric_version": VERSION} for name, value in values.items()]
    quality.save_rows(image, rows)
    quality.judge_images([image])
    return image


def test_an_image_is_measured_from_its_page() -> None:
    image, client = make_image(pictures.png(96, 80)), signed_in("process")
    page = squeezed(client.get(f"/images/{image.pk}/").content.decode())
    assert "Not measured yet." in page
    response = client.post(f"/images/{image.pk}/measure/")
    assert response["Location"] == f"/images/{image.pk}/#quality"
    waiting = client.get(f"/images/{image.pk}/quality/").content.decode()
    assert "Being measured" in waiting
    assert f'hx-get="/images/{image.pk}/quality/"' in waiting
    run_until_idle()
    page = squeezed(client.get(f"/images/{image.pk}/").content.decode())
    assert "small: shorter side 80 &lt; 200 px" in page
    assert "PIQE" in page
    assert "1 metric not available here" in page
    assert "manage.py models fetch brisque" in page
    assert "Being measured" not in page


def test_measuring_from_the_page_needs_process() -> None:
    image = make_image()
    assert signed_in("write").post(f"/images/{image.pk}/measure/").status_code == 403
    assert "Measure</button>" not in signed_in("write").get(f"/images/{image.pk}/").content.decode()


def test_the_library_shows_grades_and_filters_by_fault() -> None:
    bad, good = measured(sharpness=0.1), measured(sharpness=0.9)
    client = signed_in("read")
    page = client.get("/images/").content.decode()
    assert "blurred: sharpness 0.10 &lt; 0.38" in page
    page = client.get("/images/?issue=blurred").content.decode()
    assert str(bad.pk) in page
    assert str(good.pk) not in page
    page = client.get("/images/?min_quality=90").content.decode()
    assert str(good.pk) in page
    assert str(bad.pk) not in page


def test_the_cutoffs_count_while_somebody_types_and_change_when_sent() -> None:
    image, client = measured(sharpness=0.5), signed_in("process")
    page = squeezed(client.get("/quality/?kind=photo").content.decode())
    assert "<b>0</b> of 1 measured image flagged" in page
    typed = squeezed(
        client.get("/quality/?kind=photo&sharpness=0.6", headers={"HX-Request": "true"}).content.decode()
    )
    assert "<b>1</b> of 1 measured image would be flagged." in typed
    assert '<output id="count-sharpness" class="num" hx-swap-oob="true">1</output>' in typed
    assert not QualityProfile.objects.exists()
    client.post("/quality/photo/", {"sharpness": "0.6", "noise": ""})
    run_until_idle()
    image.refresh_from_db()
    assert [issue["code"] for issue in image.issues] == ["blurred"]
    assert QualityProfile.objects.get().thresholds["noise"] is None


def test_a_wrong_cutoff_is_told() -> None:
    client = signed_in("process")
    typed = client.get("/quality/?kind=photo&sharpness=7", headers={"HX-Request": "true"}).content.decode()
    assert "sharpness: Enter a number from 0 to 1, not 7.0." in typed
    page = client.post("/quality/photo/", {"sharpness": "soft"}, follow=True).content.decode()
    assert "Enter a number from 0 to 1" in page
    assert not QualityProfile.objects.exists()


def test_changing_cutoffs_needs_process() -> None:
    assert signed_in("write").post("/quality/photo/", {"sharpness": "0.6"}).status_code == 403

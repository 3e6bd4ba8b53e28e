"""The panel of a fingerprint on the page of its image."""

import pytest

from images.quality import service as quality
from processing.algorithms.fingerprint.quality import panel
from processing.algorithms.quality import causes
from tests.factories import make_user
from tests.images.quality.test_fingerprints import make_print, store
from tests.processing.algorithms.prints import clean_print, noisy

pytestmark = pytest.mark.django_db


def test_the_page_of_a_print_shows_its_panel(client) -> None:
    client.force_login(make_user("read"))
    image, measured = make_print(), panel(noisy(clean_print(), 110))
    assert "fingerprint-title" not in client.get(f"/images/{image.pk}/").content.decode()
    assert "fingerprint-title" not in client.get(f"/images/{image.pk}/quality/").content.decode()
    store(image, measured)
    waiting_page = client.get(f"/images/{image.pk}/quality/").content.decode()
    assert '<div id="fingerprint" hx-swap-oob="innerHTML">' in waiting_page
    page = client.get(f"/images/{image.pk}/").content.decode()
    assert f"/api/images/{image.pk}/ridge-map/" in page
    assert "This is not NFIQ 2" in page
    assert f"ridges unclear: clarity {measured.clarity:.2f} &lt; 0.45; hold still" in page
    assert f"{measured.ridges_per_mm:.2f}" in page
    assert "500 dpi assumed" in page


def test_the_advice_stands_beside_the_grade_that_it_lowers(client) -> None:
    client.force_login(make_user("read"))
    image = make_print()
    store(image, panel(noisy(clean_print(), 110)))
    quality.save_rows(image, [{"metric": "sharpness", "value": 0.9, "metric_version": causes.VERSION}])
    quality.judge_images([image])
    part = client.get(f"/images/{image.pk}/quality/?print=shown").content.decode()
    assert part.index("ridges unclear: clarity") < part.index("All measures")
